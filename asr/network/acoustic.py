"""The complete acoustic model: waveform -> log-mel -> CNN -> BiLSTM stack -> fully connected CTC head -> log-probs."""

import torch
from torch import Tensor, nn

from asr.network.dropout import Dropout
from asr.network.features import Features
from asr.network.frontend import Frontend
from asr.network.recurrent import Context
from asr.recipe.network import ModelConfig


def log_softmax(logits: Tensor) -> Tensor:
    """Compute log-softmax over the last dimension, always in float32. Shape: unchanged"""
    with torch.autocast(logits.device.type, enabled=False):
        return torch.log_softmax(logits.float(), dim=-1)


class AcousticModel(nn.Module):
    """The network of Graves et al. 2006 (CTC) with the convolutions of Deep Speech 2 (Amodei et al. 2016)."""

    def __init__(self, config: ModelConfig, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        self.features = Features(config.features)
        self.frontend = Frontend(config.frontend, config.features.bands)
        self.context = Context(config.context, self.frontend.output_size)
        self.dropout = Dropout(config.context.dropout)
        self.head = nn.Linear(self.context.output_size, num_tokens)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Compute numbers of output frames from numbers of samples. Shape: (B,) -> (B,)"""
        return self.frontend.output_lengths(self.features.output_lengths(lengths))

    def encode(self, features: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Compute the outputs of all L recurrent layers. Shape: (B, T, F), (B,) -> L times (T', B, 2H), (B,)"""
        x, lengths = self.frontend(features, lengths)
        return self.context(x.transpose(0, 1), lengths), lengths

    def classify(self, x: Tensor) -> Tensor:
        """Compute log-probabilities of the tokens, of which 0 is the blank. Shape: (T, B, 2H) -> (B, T, V)"""
        return log_softmax(self.head(self.dropout(x))).transpose(0, 1)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute log-probabilities of the tokens from waveforms.

        Shape:
            waveform (B, S) in -1..1, lengths (B,) in samples -> (B, T, V), (B,) in output frames
        """
        layers, frames = self.encode(*self.features(waveform, lengths))
        return self.classify(layers[-1]), frames
