"""A language model: which token comes next, by an LSTM that has read all tokens before it."""

import torch
from torch import Tensor, nn

from asr.network.dropout import Dropout
from asr.recipe.network import LanguageConfig

State = tuple[Tensor, Tensor]
"""What the layers remember: outputs and cells. Shape: both (L, B, H)"""


class LanguageModel(nn.Module):
    """The network of Sundermeyer et al. 2012, over characters or sub-words.

    Token 0, the blank of an acoustic model, stands for the end of a sentence here, and so for what is before the first.
    """

    def __init__(self, config: LanguageConfig, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(num_tokens, config.embedding)
        sizes = [config.embedding] + [config.hidden] * (config.layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, config.hidden) for size in sizes)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, num_tokens)

    def start(self, batch: int) -> State:
        """What is remembered before the first token: nothing."""
        shape = (self.config.layers, batch, self.config.hidden)
        return self.head.weight.new_zeros(shape), self.head.weight.new_zeros(shape)

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Natural-log probabilities of the token that follows each, and what is remembered after the last.

        Shape: tokens (B, T), state -> (B, T, V), state
        """
        x = self.embedding(tokens.transpose(0, 1))
        after = []
        for layer, *before in zip(self.layers, *state, strict=True):
            x, remembered = layer(self.dropout(x), tuple(part[None] for part in before))
            after.append(remembered)
        outputs, cells = (torch.cat(parts) for parts in zip(*after, strict=True))
        return torch.log_softmax(self.head(self.dropout(x)), dim=2).transpose(0, 1), (outputs, cells)
