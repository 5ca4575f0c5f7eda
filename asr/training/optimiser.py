"""How the weights move: AdamW, its learning rate over the run, and the average of the weights that is kept."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from asr.config import Section


class OptimiserConfig(Section):
    """AdamW (Loshchilov and Hutter 2019) with linear warm-up and a decay."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """The peak, reached at the end of the warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Pull of the weights towards zero, decoupled from the gradient."""
    warmup: float = Field(default=0.05, gt=0, lt=1)
    """Share of the training over which the rate rises from zero."""
    decay: Literal["cosine", "inverse_sqrt"] = "cosine"
    """After the warm-up: half a cosine down to `final` (Loshchilov and Hutter 2017), or falling with the square root
    of the position (Vaswani et al. 2017)."""
    final: float = Field(default=0.01, ge=0, le=1)
    """The last rate of the cosine as a share of the peak."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are shortened to it (Pascanu et al. 2013)."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of an exponential moving average of the weights (Polyak and Juditsky 1992), which is evaluated and kept in
    their place; 0.999 remembers about a thousand steps, 0 switches it off."""
    average_epochs: int = Field(default=0, ge=0)
    """Checkpoint averaging (as in Vaswani et al. 2017): over so many of the last epochs the mean of the weights at
    their ends is evaluated and kept; 0 switches it off. Either this or `ema`."""

    @model_validator(mode="after")
    def _one_average(self) -> "OptimiserConfig":
        if self.ema and self.average_epochs:
            raise ValueError(
                f"`optimiser.ema` (={self.ema}) and `optimiser.average_epochs` (={self.average_epochs}) both replace "
                "the weights by an average: set one of them to 0"
            )
        return self


def build_optimiser(config: OptimiserConfig, parameters: Iterable[Tensor]) -> torch.optim.AdamW:
    """AdamW over `parameters`; the loop sets its learning rate at every step."""
    return torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98))


def learning_rate(config: OptimiserConfig, progress: float) -> float:
    """The rate when the share `progress` of the training is done."""
    if progress < config.warmup:
        return config.learning_rate * progress / config.warmup
    if config.decay == "inverse_sqrt":
        return config.learning_rate * math.sqrt(config.warmup / progress)
    falling = (progress - config.warmup) / (1 - config.warmup)
    share = config.final + (1 - config.final) * (1 + math.cos(math.pi * falling)) / 2
    return config.learning_rate * share


def average_of(config: OptimiserConfig, network: nn.Module) -> AveragedModel | None:
    """The average that the recipe asks for; `update_parameters(network)` takes the weights of the moment into it.

    For `ema` that is due after every step, for `average_epochs` at the ends of the last epochs.
    """
    if config.ema:
        return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema))
    if config.average_epochs:
        return AveragedModel(network, multi_avg_fn=get_swa_multi_avg_fn())
    return None
