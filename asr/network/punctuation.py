"""A punctuation and capitals model: hashed embeddings -> convolution -> BiLSTM stack -> two fully connected heads."""

import torch
from torch import Tensor, nn

from asr.network.acoustic import log_softmax
from asr.network.recurrent import Context
from asr.readable.labels import CASES, MARKS
from asr.readable.pauses import CLASSES
from asr.recipe.network import PunctuationConfig

PAUSE_SIZE = 8
"""Dimension of the embedding of a pause."""
KERNEL = 3
"""Words that the convolution sees at once."""


class PunctuationModel(nn.Module):
    """For each word of a text, what follows it and how it is written (Edge-Punct-Casing, You and Li 2024).

    A word is the sum of the embeddings of its pieces (`asr.readable.pieces`), divided by the square root of their
    number. Whatever stands for nothing is embedded as zeros, so that padding changes nothing.
    """

    def __init__(self, config: PunctuationConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.rows, config.embedding, padding_idx=0)
        self.pauses = nn.Embedding(CLASSES, PAUSE_SIZE, padding_idx=0)
        self.conv = nn.Conv1d(config.embedding + PAUSE_SIZE, config.channels, KERNEL, padding=KERNEL // 2)
        self.context = Context(config.context, config.channels)
        self.marks = nn.Linear(self.context.output_size, len(MARKS))
        self.cases = nn.Linear(self.context.output_size, len(CASES))

    def forward(self, pieces: Tensor, pauses: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute natural-log probabilities of the marks after and the cases of each word.

        Shape: pieces (B, T, P), pauses (B, T), lengths (B,) -> (B, T, len(MARKS)), (B, T, len(CASES))
        """
        summed = nn.functional.embedding_bag(
            pieces.flatten(0, 1), self.embedding.weight, mode="sum", padding_idx=0
        ).unflatten(0, pieces.shape[:2])
        counts = (pieces > 0).sum(2, keepdim=True).clamp(min=1)
        x = torch.cat([summed / counts.to(summed.dtype).sqrt(), self.pauses(pauses)], dim=2)
        x = torch.relu(self.conv(x.transpose(1, 2)))
        *_, x = self.context(x.permute(2, 0, 1), lengths)
        x = self.context.dropout(x)
        return log_softmax(self.marks(x)).transpose(0, 1), log_softmax(self.cases(x)).transpose(0, 1)
