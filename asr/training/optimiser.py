"""How the weights move: AdamW, its learning rate over the run, and the average of the weights that is kept."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from asr.recipe.training import OptimiserConfig


def build_optimiser(config: OptimiserConfig, parameters: Iterable[Tensor]) -> torch.optim.AdamW:
    """AdamW over `parameters`; the loop sets its learning rate at every step. Only matrices are decayed."""
    parameters = list(parameters)
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98), fused=True
    )


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
