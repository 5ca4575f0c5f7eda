"""Calibration: how well the confidence of words predicts their correctness."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
"""Number of confidence bins of equal width, as in the reliability diagrams of Guo et al. 2017."""
Z = 1.959964
"""97.5 % quantile of the normal distribution, for 95 % intervals."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The words whose confidence lies in [low, high), or in [low, 1] in the last bin."""

    low: float
    high: float
    words: int
    correct: int
    confidence: float
    """Mean confidence of the words."""
    accuracy: float
    """`correct / words`."""
    interval: tuple[float, float]
    """95 % interval of the accuracy, assuming independent words (E. B. Wilson 1927)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Agreement between confidence and correctness of the recognised words."""

    words: int
    correct: int
    confidence: float
    """Mean over all words; for a calibrated recogniser it equals the share of correct words."""
    error: float
    """Expected calibration error (Guo et al. 2017): |confidence - accuracy| of the bins, weighted by their words."""
    auc: float | None
    """Probability that a correct word has a higher confidence than a wrong one, ties counting half: 1 is perfect
    separation, 0.5 is chance. None if all words are correct or all are wrong."""
    bins: tuple[Bin, ...]
    """The non-empty bins, in ascending order."""


def calibrate(confidence: Sequence[float], correct: Sequence[bool]) -> Calibration | None:
    """Compare confidence with correctness; None without words.

    Shape:
        confidence: (W,) in [0, 1]; correct: (W,) whether the word was a hit.
    """
    confidences, is_correct = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=bool)
    if confidences.shape != is_correct.shape:
        raise ValueError(
            f"There are {len(confidences)} confidences for {len(is_correct)} words: give one for each word."
        )
    if not len(confidences):
        return None
    place = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = tuple(_bin(number, confidences[place == number], is_correct[place == number]) for number in np.unique(place))
    error = sum(bin_.words * abs(bin_.confidence - bin_.accuracy) for bin_ in bins) / len(confidences)
    auc = _auc(confidences, is_correct)
    return Calibration(len(confidences), int(is_correct.sum()), float(confidences.mean()), error, auc, bins)


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
    """95 % score interval of a proportion (E. B. Wilson 1927); `total` must be 1 or more."""
    share, weight = hits / total, Z * Z / total
    centre = (share + weight / 2) / (1 + weight)
    spread = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _auc(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """Area under the ROC curve, from the rank sum (H. B. Mann and D. R. Whitney 1947)."""
    hits, misses = int(correct.sum()), int((~correct).sum())
    if not hits or not misses:
        return None
    _, place, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[place][correct].sum() - hits * (hits + 1) / 2) / (hits * misses))
