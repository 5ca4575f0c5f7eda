"""F1 of labels, such as punctuation marks: the harmonic mean of precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1_000
"""Bootstrap samples for an interval."""


@dataclass(frozen=True)
class F1:
    """Counts of a label."""

    correct: int
    """Where both have it."""
    predicted: int
    """Where the prediction has it."""
    reference: int
    """Where the reference has it."""

    @property
    def rate(self) -> float | None:
        """F1 in [0, 1]; None where neither has the label."""
        total = self.predicted + self.reference
        return 2 * self.correct / total if total else None


def count(references: np.ndarray, predictions: np.ndarray, label: int) -> F1:
    """Count a label at the same places of both. Shape: (N,), (N,)"""
    is_reference, is_predicted = references == label, predictions == label
    return F1(int((is_reference & is_predicted).sum()), int(is_predicted.sum()), int(is_reference.sum()))


def interval(counts: Sequence[F1], seed: int = 1) -> tuple[float, float] | None:
    """The 95 % interval of the pooled F1 of several texts, by a bootstrap over them; None without any label."""
    table = np.array([(one.correct, one.predicted + one.reference) for one in counts], dtype=np.float64)
    if not len(table) or not table[:, 1].sum():
        return None
    draws = np.random.default_rng(seed).integers(len(table), size=(RESAMPLES, len(table)))
    sums = table[draws].sum(axis=1)
    rates = 2 * sums[:, 0] / np.maximum(sums[:, 1], 1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
