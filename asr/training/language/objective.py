"""What training a language model minimises, and how its network reads text."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from asr.network.language import LanguageModel, State
from asr.training.task import Losses


class LanguageObjective(nn.Module):
    """The network with the loss around it: cross-entropy of each token, given those before it in its window."""

    def __init__(self, network: LanguageModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, lengths: Tensor) -> Losses:
        """Shape: tokens (B, T + 1), lengths (B,)"""
        log_probs, _ = self.network(tokens[:, :-1], self.network.start(len(tokens)))
        loss = -summed(log_probs, tokens[:, 1:], lengths)
        return Losses(loss, loss.detach(), torch.ones_like(lengths, dtype=torch.bool))


def summed(log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Log-probability of each row's first `lengths` targets together. Shape: (B, T, V), (B, T), (B,) -> (B,)"""
    chosen = log_probs.float().gather(2, targets[:, :, None])[:, :, 0]
    within = torch.arange(targets.shape[1], device=targets.device) < lengths[:, None]
    return (chosen * within).sum(dim=1)


class TorchReader:
    """The network as a `Reader` of one text."""

    def __init__(self, network: LanguageModel) -> None:
        self.network = network

    def start(self) -> State:
        """Nothing is remembered."""
        return self.network.start(1)

    @torch.no_grad()
    def read(self, tokens: Sequence[int], state: State) -> tuple[np.ndarray, State]:
        """Shape: -> (V,)"""
        was_training = self.network.training
        self.network.eval()
        log_probs, state = self.network(torch.tensor([list(tokens)], device=state[0].device), state)
        self.network.train(was_training)
        return log_probs[0, -1].float().cpu().numpy(), state
