"""Training a punctuation model: punctuated text in, F1 of its marks and capitals out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from asr.network import recurrent
from asr.network.punctuation import PunctuationModel
from asr.readable.labels import LOWER, MARKS
from asr.readable.pieces import MAX_PIECES
from asr.recipe.recipe import PunctuationRecipe
from asr.scoring.f1 import F1
from asr.text import CharTokenizer, Tokenizer
from asr.training.exchange import Exchange
from asr.training.punctuation import checkpoint as punctuation_checkpoint
from asr.training.punctuation.lines import LabelledLines, LabelledWindows
from asr.training.punctuation.objective import PunctuationObjective
from asr.training.punctuation.pauses import simulate
from asr.training.task import Column, Evaluation
from asr.training.text import TextTask, plan_windows

Counts = dict[str, list[int]]
"""Label -> how often it is correct, predicted, in the reference."""


class PunctuationTask(TextTask[PunctuationRecipe, LabelledLines]):
    """The `Task` of a `PunctuationRecipe`."""

    columns = (Column("dev_loss", "dev loss/word", digits=4), Column("dev_error", "1 - F1 %", scale=100))
    speed = Column("words_per_s", "words/s", digits=0)

    def __init__(self, recipe: PunctuationRecipe, tokenizer: Tokenizer | None) -> None:
        """Raises DataError: a text is bad, or holds no words."""
        self.recipe = recipe
        self.tokenizer = tokenizer or CharTokenizer(recipe.text.alphabet)
        rows = recipe.punctuation.rows
        self.train_set = LabelledLines(recipe.data.train, self.tokenizer.alphabet, rows)
        self.dev_set = LabelledLines(recipe.data.dev, self.tokenizer.alphabet, rows)
        self.model = punctuation_checkpoint.build(recipe, self.tokenizer)
        self.network = self.model.network
        self.objective = PunctuationObjective(self.network)

    def gradients(self, device_type: str) -> tuple[str, ...]:
        """Who can compute the gradient of the recurrent layers on a device."""
        return recurrent.gradients(self.recipe.punctuation.context.cell, device_type)

    def use_gradient(self, own: bool) -> None:
        """Choose who computes the gradient of the recurrent layers on a CPU."""
        for layer in self.network.context.layers:
            layer.own_gradient = own

    def read(
        self,
        plan: Sequence[Sequence[list[int]]],
        epoch: int,
        first: int,
        part: tuple[int, int],
        skip: Mapping[str, str],
    ) -> Iterator[LabelledWindows]:
        """In some windows there are simulated pauses, others each epoch."""
        number, parts = part
        for position, windows in enumerate(plan[first:], start=first):
            draw = np.random.default_rng([self.recipe.seed, epoch, position, number])
            yield self._batch(self.train_set, windows[number::parts], draw)

    def _batch(self, lines: LabelledLines, windows: Sequence[list[int]], draw: np.random.Generator) -> LabelledWindows:
        """Pad windows to a batch; without any, one word that does not count keeps a process busy."""
        size = self.recipe.data.window
        pieces = np.zeros((max(1, len(windows)), size, MAX_PIECES), dtype=np.int64)
        pauses, marks, cases = (np.zeros(pieces.shape[:2], dtype=np.int64) for _ in range(3))
        lengths = np.zeros(len(pieces), dtype=np.int64)
        for row, window in enumerate(windows):
            at = np.concatenate([lines.at(index) for index in window])[:size]
            lengths[row] = count = len(at)
            pieces[row, :count] = lines.table[lines.words[at]]
            marks[row, :count], cases[row, :count] = lines.marks[at], lines.cases[at]
            if draw.random() < self.recipe.data.with_pauses:
                pauses[row, :count] = simulate(marks[row, :count], draw)
        longest = max(1, int(lengths.max()))
        names = tuple(f"line {window[0] + 1}" for window in windows) or ("nothing",)
        return LabelledWindows(
            torch.from_numpy(pieces[:, :longest]),
            torch.from_numpy(pauses[:, :longest]),
            torch.from_numpy(marks[:, :longest]),
            torch.from_numpy(cases[:, :longest]),
            torch.from_numpy(lengths),
            names,
        )

    def facts(self) -> dict[str, str]:
        """Network and text in a few words."""
        return {
            "model": f"{self.model.description.parameters / 1e6:.1f} M parameters",
            "train": f"{len(self.train_set):,} lines, {len(self.train_set.words) / 1e6:.1f} M words",
            "dev": f"{len(self.dev_set):,} lines, {len(self.dev_set.words) / 1e3:.0f} k words",
            "batches": f"of {self.recipe.data.batch} windows of {self.recipe.data.window} words",
        }

    def evaluate(self, network: nn.Module, epoch: int, exchange: Exchange) -> Evaluation:
        """Loss per word, and F1 of each mark and of capitals, over the dev lines, without pauses."""
        parts = exchange.gather(self._scores(cast("PunctuationModel", network), exchange.rank, exchange.processes))
        loss, rates = self._pooled(parts)
        error = 1 - sum(rates.values()) / len(rates)
        scores = {"loss_per_word": loss, "f1": rates}
        return Evaluation((loss, error), (_as_text(rates),), scores)

    def summary(self, path: Path) -> str:
        """F1 of each label."""
        _, rates = self._pooled([self._scores(punctuation_checkpoint.load(path).network, 0, 1)])
        return f"{_as_text(rates)} on {len(self.dev_set.words):,} words of {len(self.dev_set):,} dev lines."

    def _pooled(self, parts: Sequence[tuple[float, int, Counts]]) -> tuple[float, dict[str, float]]:
        """Loss per word and F1 by label, from those of all processes."""
        loss = sum(loss for loss, _, _ in parts) / sum(words for _, words, _ in parts)
        labels = parts[0][2]
        sums = {label: F1(*np.sum([counts[label] for *_, counts in parts], axis=0).tolist()) for label in labels}
        return loss, {label: one.rate or 0.0 for label, one in sums.items()}

    @torch.no_grad()
    def _scores(self, network: PunctuationModel, part: int, parts: int) -> tuple[float, int, Counts]:
        """The loss, and the counts of each label, of one of some parts of the dev lines."""
        network.eval()
        windows = plan_windows(self.dev_set.ends, self.recipe.data.window, np.arange(len(self.dev_set)))[part::parts]
        words, total = 0, 0.0
        counts: Counts = {label: [0, 0, 0] for label in (*MARKS[1:], "capitals")}
        objective = PunctuationObjective(network)
        device = network.marks.weight.device
        for first in range(0, len(windows), self.recipe.data.batch):
            batch = self._batch(self.dev_set, windows[first : first + self.recipe.data.batch], np.random.default_rng(0))
            pieces, _, marks, cases, lengths = (tensor.to(device) for tensor in batch.tensors)
            nothing = torch.zeros_like(marks)
            total += float(objective(pieces, nothing, marks, cases, lengths).total.double().sum())
            of_marks, of_cases = network(pieces, nothing, lengths)
            within = torch.arange(marks.shape[1], device=device) < lengths[:, None]
            pairs = {mark: (marks == at, of_marks.argmax(2) == at) for at, mark in enumerate(MARKS) if at}
            pairs["capitals"] = (cases != LOWER, of_cases.argmax(2) != LOWER)
            for label, (reference, predicted) in pairs.items():
                found = (reference & predicted & within, predicted & within, reference & within)
                counts[label] = [old + int(new.sum()) for old, new in zip(counts[label], found, strict=True)]
            words += int(lengths.sum())
        network.train()
        return total, words, counts


def _as_text(rates: Mapping[str, float]) -> str:
    """Each label with its F1 in percent."""
    return "F1 in %: " + ", ".join(f"{label} {100 * rate:.1f}" for label, rate in rates.items())
