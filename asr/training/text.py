"""What training on text has in common: windows of lines, planned from the text itself, of which nothing is skipped."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from asr.errors import ModelError
from asr.recipe.files import with_values
from asr.recipe.recipe import LanguageRecipe, PunctuationRecipe
from asr.training import checkpoint, entries
from asr.training.exchange import Exchange
from asr.version import __version__


class TextBatch:
    """Windows of text, a row each, of which `lengths` units count."""

    lengths: Tensor
    """Shape: (B,)"""

    @property
    def weights(self) -> Tensor:
        """Every window counts that holds text. Shape: (B,)"""
        return (self.lengths > 0).float()

    @property
    def target_lengths(self) -> Tensor:
        """Shape: (B,)"""
        return self.lengths

    @property
    def amount(self) -> float:
        """Tokens or words."""
        return float(self.lengths.sum())

    @property
    def skipped(self) -> Mapping[str, str]:
        """Text is read before the first step, so nothing is skipped later."""
        return {}


class Lines(Protocol):
    """Lines of a text, behind one another."""

    ends: np.ndarray
    """Where each line ends, in units from the start of the text. Shape: (N,)"""
    skipped: int
    """Number of lines that were left out, for they have characters outside the alphabet."""
    first_skipped: str
    """The first of them, and why, as a sentence."""

    @property
    def content(self) -> tuple[np.ndarray, ...]:
        """All that is learnt from, the tokens or words first."""
        ...

    def __len__(self) -> int: ...


Recipe = TypeVar("Recipe", LanguageRecipe, PunctuationRecipe)
Text = TypeVar("Text", bound=Lines)


class TextTask(Generic[Recipe, Text]):
    """The part of a `Task` that does not depend on what is learnt from the text."""

    recipe: Recipe
    model: Any
    """With its `description`."""
    train_set: Text
    dev_set: Text

    def look(self, exchange: Exchange, known: Mapping[str, str]) -> Mapping[str, str]:
        """All text has been read already."""
        return {}

    def check_bad(self, reasons: Mapping[str, str]) -> None:
        """Nothing is ever skipped in a step."""

    def write_entries(self, path: Path) -> None:
        """Note the text's checksum, for its batches are planned from the text itself."""
        entries.write_entries([self._entry()], path)

    def resume_entries(self, path: Path) -> None:
        """Raises ModelError when the text is another one."""
        if list(entries.read_entries(path)) != [self._entry()]:
            raise ModelError(
                f"The run in '{path.parent}' cannot be resumed because its training text has changed, and with it its "
                "batches: give the text that it was started with, or start a new run."
            )

    def _entry(self) -> entries.Entry:
        checksum = 0
        for part in self.train_set.content:
            checksum = zlib.crc32(np.ascontiguousarray(part).tobytes(), checksum)
        return entries.Entry("text", float(len(self.train_set.content[0])), checksum)

    def begin(self) -> None:
        """Nothing is to be measured."""

    def fit(self, trial: Callable[[Any], object], device: torch.device, processes: int) -> None:
        """The recipe leaves nothing open."""

    def settle(self, values: Mapping[str, Any]) -> None:
        """Put what was found for `auto` into the recipe."""
        self.recipe = with_values(self.recipe, values)
        described = replace(self.model.description, recipe=self.recipe.model_dump(mode="json"))
        self.model = replace(self.model, description=described)

    def plan(self, epoch: int, parts: int) -> list[list[list[int]]]:
        """The lines in another order each epoch, cut into windows, `batch` windows for each part."""
        data = self.recipe.data
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.train_set))
        windows = plan_windows(self.train_set.ends, data.window, order)
        size = data.batch * parts
        return [windows[first : first + size] for first in range(0, len(windows), size)]

    def warnings(self) -> list[str]:
        """How many lines are skipped."""
        return [
            f"Skipped in {name}: {text.skipped:,} lines with characters outside the alphabet. {text.first_skipped}"
            for name, text in (("train", self.train_set), ("dev", self.dev_set))
            if text.skipped
        ]

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write a checkpoint."""
        made = {"made_with": __version__, "created": f"{date.today()}"}
        checkpoint.save(path, network, self.model.description, **made, scores={"dev": scores})


def plan_windows(ends: np.ndarray, window: int, order: np.ndarray) -> list[list[int]]:
    """Sentences, by the ends of each in a text, in the given order, cut into windows that each begin with a sentence.

    A window holds the sentences named by a list, as far as they fit; the next one begins with the sentence that did not
    fit whole, unless that began the window, too.
    """
    lengths = np.diff(ends, prepend=0)[order]
    ends = np.cumsum(lengths)
    windows, first = [], 0
    while first < len(order):
        before = ends[first] - lengths[first]
        last = int(np.searchsorted(ends, before + window))  # the first sentence that reaches the window's end
        windows.append(order[first : last + 1].tolist())
        whole = last < len(order) and ends[last] == before + window
        first = max(first + 1, last + 1 if whole else last)
    return windows
