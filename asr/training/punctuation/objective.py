"""What training a punctuation model minimises."""

import torch
from torch import Tensor, nn

from asr.network.punctuation import PunctuationModel
from asr.training.language.objective import summed
from asr.training.task import Losses


class PunctuationObjective(nn.Module):
    """The network with the loss around it: cross-entropy of the mark after, and of the case of, each word."""

    def __init__(self, network: PunctuationModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, pieces: Tensor, pauses: Tensor, marks: Tensor, cases: Tensor, lengths: Tensor) -> Losses:
        """Shape: pieces (B, T, P), pauses, marks and cases (B, T), lengths (B,)"""
        of_marks, of_cases = self.network(pieces, pauses, lengths)
        loss = -summed(of_marks, marks, lengths) - summed(of_cases, cases, lengths)
        return Losses(loss, loss.detach(), torch.ones_like(lengths, dtype=torch.bool))
