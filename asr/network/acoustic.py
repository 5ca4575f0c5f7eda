"""The complete acoustic model: waveform -> log-mel -> CNN -> BiLSTM stack -> fully connected CTC head -> log-probs.

A second CTC head over phones is optional; it reads the same layer.
"""

import torch
from torch import Tensor, nn

from asr.network.dropout import Dropout
from asr.network.features import Features
from asr.network.frontend import Frontend
from asr.network.recurrent import Context
from asr.recipe.network import ModelConfig
from asr.text import FIRST_PHONE


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
        num_phones = FIRST_PHONE + len(config.phones)
        self.phone_head = nn.Linear(self.context.output_size, num_phones) if config.phones else None

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

    def classify_phones(self, x: Tensor) -> Tensor:
        """Compute log-probabilities of the phones, if there are any: 0 is the blank, 1 the boundary between two words.

        Shape: (T, B, 2H) -> (B, T, P) with P = len(config.phones) + 2
        """
        assert self.phone_head is not None
        return log_softmax(self.phone_head(self.dropout(x))).transpose(0, 1)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute log-probabilities of the tokens from waveforms, with those of the phones as further columns.

        The tokens and the phones are two distributions: the probabilities of each sum to one. Except in training, they
        are the normalised geometric means over the shifted copies of the spectrogram that `config.shifts` asks for.

        Shape:
            waveform (B, S) in -1..1, lengths (B,) in samples -> (B, T, V + P), (B,) in output frames; P is 0 without
            a head over phones
        """
        features, lengths = self.features(waveform, lengths)
        offsets = (0,) if self.training else self.config.offsets
        copies = torch.cat([shift(features, lengths, offset) for offset in offsets])
        layers, frames = self.encode(copies, lengths.repeat(len(offsets)))
        x = layers[-1].unflatten(1, (len(offsets), -1)).mean(dim=1)  # the mean of the logits, for the heads are linear
        log_probs = self.classify(x)
        if self.phone_head is not None:
            log_probs = torch.cat([log_probs, self.classify_phones(x)], dim=2)
        return log_probs, frames[: len(lengths)]


def shift(features: Tensor, lengths: Tensor, offset: int) -> Tensor:
    """Move each utterance by `offset` frames, to the left if positive; its first and last frame fill what is missing.

    Shape: (B, T, F), (B,) -> (B, T, F)
    """
    source = torch.arange(features.shape[1], device=features.device) + offset
    source = torch.minimum(source, lengths[:, None] - 1).clamp(min=0)
    return features.gather(1, source[:, :, None].expand_as(features))
