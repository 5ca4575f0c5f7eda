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


@dataclass(frozen=True)
class Column:
    """A figure by its name in metrics.jsonl, and how it is shown to people."""

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
    """Lines for a person to read."""
    scores: Mapping[str, Any]
    """For the model file."""


class Task(Protocol):
    """What the loop needs to know of what it trains."""

    tokenizer: Tokenizer
    fingerprint: str
    """Names the training set: the same for the same batches."""

    @property
    def recipe(self) -> AnyRecipe:
        """What decides on everything."""
        ...

    @property
    def objective(self) -> nn.Module:
        """`objective(*batch.tensors)` are the `asr.training.acoustic.objective.Losses` of a step."""
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
        """What is trained in a second."""
        ...

    def begin(self) -> str | None:
        """What is to be done before the first step of a new run; a remark for people."""
        ...

    def fit(self, trial: Callable[[Any], object], device: torch.device, processes: int) -> float | None:
        """The number that the recipe leaves open for what fits into memory, found by trial steps."""
        ...

    def settle(self, found: float) -> None:
        """Put that number into the recipe."""
        ...

    def plan(self, epoch: int, processes: int) -> Sequence[Any]:
        """The batches of an epoch, each for all processes together."""
        ...

    def read(self, plan: Sequence[Any], epoch: int, first: int, part: tuple[int, int]) -> Iterator[Batch]:
        """Of the planned batches, from number `first` on, the part (number, of how many)."""
        ...

    def facts(self) -> dict[str, str]:
        """What is trained on what, for people."""
        ...

    def warnings(self) -> Sequence[str]:
        """What people must know before."""
        ...

    def evaluate(self, network: nn.Module, epoch: int) -> Evaluation:
        """How good the network is; another epoch shows another sample."""
        ...

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write the network and what describes it to `path`, whole or not at all."""
        ...

    def summary(self, path: Path) -> str:
        """What the file at `path` scores on the dev part, evaluated once more, as text for people."""
        ...
