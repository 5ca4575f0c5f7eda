"""What a run trains: the part of a run in which acoustic models and language models differ.

The loop knows batches, losses, and figures in which less is better; a task says what they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from asr.recipe.recipe import AnyRecipe
from asr.text import Tokenizer
from asr.training.exchange import Exchange


class Batch(Protocol):
    """Padded rows."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What the objective is called with."""
        ...

    @property
    def weights(self) -> Tensor:
        """1; 0 for a row that only keeps a process busy. Shape: (B,)"""
        ...

    @property
    def target_lengths(self) -> Tensor:
        """The tokens to be learnt in each row. Shape: (B,)"""
        ...

    @property
    def names(self) -> Sequence[str]:
        """What to call each row when it has to be named."""
        ...

    @property
    def amount(self) -> float:
        """How much is in it, in the unit of `Task.speed`."""
        ...

    @property
    def skipped(self) -> Mapping[str, str]:
        """What could not be read for it, by name, and why."""
        ...


@dataclass
class Losses:
    """The losses of a batch, a row each. Shape: (B,)"""

    total: Tensor
    """What is minimised."""
    plain: Tensor
    """Without what is there for training only, to compare runs by."""
    fits: Tensor
    """Whether the row can be learnt at all; where not, its losses and their gradients are 0."""


@dataclass(frozen=True)
class Column:
    """A figure by its name in metrics.jsonl, and how it is shown."""

    name: str
    title: str
    scale: float = 1.0
    digits: int = 2

    def show(self, value: float | None) -> str:
        """The value as text."""
        return f"{self.scale * (value or 0):.{self.digits}f}"


@dataclass(frozen=True)
class Evaluation:
    """How good a network is on the dev part."""

    values: tuple[float, ...]
    """In the order of `Task.columns`; a network is better if its first value is less, or that equal and the second."""
    sample: tuple[str, ...]
    """Lines to print."""
    scores: Mapping[str, Any]
    """For the model file."""


class Task(Protocol):
    """What the loop needs to know of what it trains."""

    tokenizer: Tokenizer

    @property
    def recipe(self) -> AnyRecipe:
        """The recipe."""
        ...

    @property
    def objective(self) -> nn.Module:
        """`objective(*batch.tensors)` are the `Losses` of a step."""
        ...

    @property
    def network(self) -> nn.Module:
        """The part of the objective that is evaluated, averaged and kept."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is measured on the dev part."""
        ...

    @property
    def speed(self) -> Column:
        """What is trained per second."""
        ...

    def look(self, exchange: Exchange, known: Mapping[str, str]) -> Mapping[str, str]:
        """Look at every input before the first step; name -> reason of those that cannot be used.

        `known` could not be used before this run was stopped: they are looked at with more care.
        """
        ...

    def check_bad(self, reasons: Mapping[str, str]) -> None:
        """Raises DataError when too much had to be skipped."""
        ...

    def write_entries(self, path: Path) -> None:
        """Note what the batches are planned from, so that a resumed run plans the same."""
        ...

    def resume_entries(self, path: Path) -> str | None:
        """Plan from what was noted; a sentence about what has changed since."""
        ...

    def begin(self) -> str | None:
        """What is to be done before the first step of a new run; a remark for the user."""
        ...

    def gradients(self, device_type: str) -> tuple[str, ...]:
        """Who can compute the gradient of the recurrent layers on a device: own, torch, or either."""
        ...

    def use_gradient(self, own: bool) -> None:
        """Choose who computes the gradient of the recurrent layers on a CPU, this program or torch."""
        ...

    def fit(self, trial: Callable[[Any], object], device: torch.device, processes: int) -> float | None:
        """The batch duration that fits into memory, found by trial steps, where the recipe leaves it open."""
        ...

    def settle(self, values: Mapping[str, Any]) -> None:
        """Put what was found for `auto` into the recipe, by dotted keys."""
        ...

    def plan(self, epoch: int, parts: int) -> Sequence[Any]:
        """The batches of an epoch, each for all processes together, of as many parts."""
        ...

    def read(
        self, plan: Sequence[Any], epoch: int, first: int, part: tuple[int, int], skip: Mapping[str, str]
    ) -> Iterator[Batch]:
        """Of the planned batches, from number `first` on, the part (number, of how many), without what `skip` names."""
        ...

    def facts(self) -> dict[str, str]:
        """What is trained on what, for the user."""
        ...

    def warnings(self) -> Sequence[str]:
        """Warnings to print before training."""
        ...

    def evaluate(self, network: nn.Module, epoch: int, exchange: Exchange) -> Evaluation:
        """How good the network is; another epoch shows another sample. Every process takes its share."""
        ...

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write the network and what describes it to `path`, atomically."""
        ...

    def summary(self, path: Path) -> str:
        """What the file at `path` scores on the dev part, evaluated once more, as text for the user."""
        ...
