"""One optimiser step: from the parts of a planned batch to moved weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from asr.recipe.training import OptimiserConfig
from asr.training.exchange import Exchange
from asr.training.optimiser import average_of, build_optimiser
from asr.training.task import Batch


@dataclass(frozen=True)
class StepResult:
    """What a step did."""

    loss: float
    """Plain loss per token, of the whole batch."""
    gradient_norm: float
    """Before it was clipped; not finite where the step was skipped."""
    skipped: Sequence[str]
    """Rows of this process that were not learnt from."""
    reason: str
    """Why."""

    @property
    def is_done(self) -> bool:
        """Whether the weights were moved."""
        return math.isfinite(self.gradient_norm)


class Stepper:
    """An objective with its optimiser and the average of its network's weights."""

    def __init__(self, fabric: Fabric, objective: nn.Module, network: nn.Module, config: OptimiserConfig) -> None:
        self.fabric, self.objective, self.network, self.config = fabric, objective, network, config
        self.exchange = Exchange(fabric)
        optimiser = build_optimiser(config, objective.parameters())
        self.wrapped, self.optimiser = fabric.setup(objective, optimiser)
        self.average = average_of(config, network)

    def try_out(self, batch: Batch) -> None:
        """A step that changes nothing."""
        with self.fabric.no_backward_sync(self.wrapped, enabled=self.exchange.processes > 1):
            self.fabric.backward(self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors)).total.sum())
        self.optimiser.zero_grad()

    def __call__(self, batches: Sequence[Batch], rate: float, seed: int) -> StepResult:
        """Move the weights by one planned batch, of which this process holds some parts.

        A row that cannot be learnt is skipped; if a loss or a gradient is not finite all the same, the step is.
        Dropout and masking follow from `seed` and the number of the part.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        (tokens,) = self.exchange.sums(
            sum(float(batch.weights @ batch.target_lengths.to(batch.weights)) for batch in batches)
        )
        plain, skipped = 0.0, list[str]()
        for number, batch in enumerate(batches):
            torch.manual_seed(seed + ((self.exchange.rank * len(batches) + number) << 40))
            is_last = number == len(batches) - 1
            with self.fabric.no_backward_sync(self.wrapped, enabled=self.exchange.processes > 1 and not is_last):
                losses = self.wrapped(*(tensor.to(self.fabric.device) for tensor in batch.tensors))
                weights = batch.weights.to(self.fabric.device) * losses.fits
                # Gradients are averaged over the processes, so that the sum over all rows needs a factor.
                self.fabric.backward((weights * losses.total).sum() * (self.exchange.processes / max(1.0, tokens)))
            plain += float((weights * losses.plain).sum())
            named = zip(batch.names, losses.fits.tolist(), batch.weights.tolist(), strict=True)
            skipped += [name for name, fits, weight in named if weight and not fits]
        norm = self.fabric.clip_gradients(
            self.wrapped, self.optimiser, max_norm=self.config.clip_norm, error_if_nonfinite=False
        )
        (plain,) = self.exchange.sums(plain)
        result = StepResult(
            plain / max(1.0, tokens), float(cast("Tensor", norm)), skipped, "too short for the transcript"
        )
        if result.is_done or self.fabric.strategy.precision.precision == "16-mixed":
            self.optimiser.step()  # in 16 bits the loss scaling skips the step itself, and adapts
        if not result.is_done:
            names = [name for batch in batches for name in batch.names]
            return StepResult(result.loss, result.gradient_norm, names, "a gradient is not finite")
        if self.average is not None and self.config.ema:
            self.average.update_parameters(self.network)
        return result
