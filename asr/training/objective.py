"""What training minimises, and the learning rate it does it with."""

import itertools
import math

import torch
from torch import Tensor

from asr.text import BLANK
from asr.training.recipe import OptimiserConfig


def ctc_losses(log_probs: Tensor, frames: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Negative log-likelihood of each transcript, summed over all its paths (Graves et al. 2006).

    Infinite where the frames cannot carry the labels.

    Shape: log_probs (B, T, V), frames (B,), targets (B, L), target_lengths (B,) -> (B,)
    """
    return torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1).float(), targets, frames, target_lengths, blank=BLANK, reduction="none"
    )


def frames_needed(tokens: list[int]) -> int:
    """The fewest frames that can carry a transcript: one a token, and a blank between equal neighbours."""
    return len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens))


def learning_rate(config: OptimiserConfig, progress: float) -> float:
    """Linear warm-up from zero, then half a cosine down to `final`; `progress` is the share of the training done."""
    if progress < config.warmup:
        return config.learning_rate * progress / config.warmup
    falling = (progress - config.warmup) / (1 - config.warmup)
    share = config.final + (1 - config.final) * (1 + math.cos(math.pi * falling)) / 2
    return config.learning_rate * share
