"""Whether a word's confidence says how likely the word is right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
"""Ranges of confidence, all of the same width, as in the reliability diagrams of Guo et al. 2017."""
Z = 1.959964
"""The normal distribution's 97.5 % quantile, for intervals of 95 %."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The words whose confidence lies in [low, high), or in [low, 1] in the last bin."""

    low: float
    high: float
    words: int
    correct: int
    confidence: float
    """Mean of the words' confidence."""
    accuracy: float
    """`correct / words`."""
    interval: tuple[float, float]
    """Of the accuracy, 95 %, as if words were independent (E. B. Wilson 1927)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confidence and correctness of the recognised words go together."""

    words: int
    correct: int
    confidence: float
    """Mean over all words; of a calibrated recogniser, this is the share of correct ones."""
    error: float
    """Expected calibration error (Guo et al. 2017): |confidence - accuracy| of the bins, weighted by their words."""
    auc: float | None
    """The probability that a correct word has more confidence than a wrong one, ties counting half: 1 separates them,
    0.5 is chance. None when all words are correct, or none."""
    bins: tuple[Bin, ...]
    """The bins that hold words, in ascending order."""


def calibrate(confidence: Sequence[float], correct: Sequence[bool]) -> Calibration | None:
    """Compare confidence with correctness; None without words.

    Shape:
        confidence: (W,) in [0, 1]; correct: (W,) whether the word was a hit.
    """
    given, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=bool)
    if given.shape != right.shape:
        raise ValueError(f"{len(given)} words have a confidence, but {len(right)} are right or wrong.")
    if not len(given):
        return None
    place = np.minimum((given * BINS).astype(int), BINS - 1)
    bins = tuple(_bin(number, given[place == number], right[place == number]) for number in np.unique(place))
    error = sum(each.words * abs(each.confidence - each.accuracy) for each in bins) / len(given)
    return Calibration(len(given), int(right.sum()), float(given.mean()), error, _auc(given, right), bins)


def _bin(number: int, confidence: np.ndarray, correct: np.ndarray) -> Bin:
    words, hits = len(correct), int(correct.sum())
    return Bin(
        low=float(number / BINS),
        high=float((number + 1) / BINS),
        words=words,
        correct=hits,
        confidence=float(confidence.mean()),
        accuracy=hits / words,
        interval=wilson(hits, words),
    )


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (E. B. Wilson 1927); `total` is 1 or more."""
    share, weight = hits / total, Z * Z / total
    centre = (share + weight / 2) / (1 + weight)
    spread = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _auc(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """The area under the ROC curve from the sum of ranks (H. B. Mann and D. R. Whitney 1947)."""
    hits, misses = int(correct.sum()), int((~correct).sum())
    if not hits or not misses:
        return None
    _, place, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place][correct].sum() - hits * (hits + 1) / 2) / (hits * misses))
