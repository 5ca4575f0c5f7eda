"""Torch networks with their descriptions, the counterparts of model files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.models.description import AcousticDescription, LanguageDescription, PunctuationDescription
from asr.network.acoustic import AcousticModel
from asr.network.language import LanguageModel
from asr.network.punctuation import PunctuationModel


class TorchModel:
    """An acoustic network with its description; implements `asr.models.session.LogProbModel`."""

    def __init__(self, network: AcousticModel, description: AcousticDescription) -> None:
        self.network, self.description = network, description

    @torch.no_grad()
    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute natural-log probabilities of a batch of waveforms: of the tokens, then of the phones, if any.

        Shape: B times (S_b,) -> B times (T_b, C) with C = `description.columns`
        """
        device = self.network.head.weight.device
        waveform, lengths = pad([torch.from_numpy(w) for w in waveforms])
        was_training = self.network.training
        self.network.eval()
        log_probs, frames = self.network(waveform.to(device), lengths.to(device))
        self.network.train(was_training)
        return [rows[:count].float().cpu().numpy() for rows, count in zip(log_probs, frames.tolist(), strict=True)]


@dataclass(frozen=True)
class TorchLanguageModel:
    """A language network with its description."""

    network: LanguageModel
    description: LanguageDescription


@dataclass(frozen=True)
class TorchPunctuationModel:
    """A punctuation network with its description."""

    network: PunctuationModel
    description: PunctuationDescription


def pad(waveforms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack waveforms into a batch, padding with zeros. Shape: B times (S_b,) -> (B, S), (B,)"""
    lengths = torch.tensor([len(w) for w in waveforms])
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
