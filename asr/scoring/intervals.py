"""How far an error rate, or the difference of two, could have come out otherwise: bootstrap intervals.

The draws follow M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP 2004. Their percentiles are too narrow for a small test set: with 4 speakers, 95 % intervals held the true rate
in 79 of 100 simulated corpora. So the interval is made of the draws' standard deviation, corrected for the number of
units n (B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993), and of Student's t with n - 1 degrees of
freedom; for a rate on the logarithmic scale, for rates are skewed and positive. `scripts/interval_coverage.py` measures
it. Where a few units hold nearly all the words, the draws without them have rates of another order and a standard
deviation says nothing: there the percentiles of the draws stand.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

BLOCK = 100_000
"""About how many sampled units are in memory at one time: few enough for the processor's cache."""

MIN_UNITS = 4
"""Fewer units than these have no interval."""

FEW_UNITS = 10
"""With fewer units an interval deserves a warning: it rests on guesses about the speakers that were not heard."""

WILD = 2.0
"""A half width of more rates than this would be a factor of more than 7 on each side, which is no statement."""

By = Literal["utterance", "speaker"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Between `low` and `high`, fractions, the rate (or the difference of rates) lies in the share `confidence`."""

    low: float
    high: float
    confidence: float
    by: By
    """What was drawn: single utterances, or speakers with all their utterances."""
    units: int
    """How many of them there are."""
    draws: int
    """How many draws have a rate."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The rate of system B less that of system A on the same utterances, in the same draws."""

    rate: float
    """As a fraction; negative where B is better."""
    interval: Interval | None
    """None where the systems have the same errors in every unit, or the units are too few."""
    better: float
    """The share of the draws in which B has fewer errors: Bisani and Ney's probability of improvement."""
    worse: float
    """The share in which it has more; in the others both have as many."""


def groups(speakers: Sequence[str | None]) -> list[str] | None:
    """The speakers, as what the bootstrap shall draw; None to draw utterances, where it cannot draw speakers.

    It draws speakers where every utterance has one and there are `MIN_UNITS` or more: the errors of one speaker are
    alike, so that utterances make the interval too narrow where speakers differ.
    """
    known = [speaker for speaker in speakers if speaker is not None]
    return known if len(known) == len(speakers) and len(set(known)) >= MIN_UNITS else None


def bootstrap(
    errors: np.ndarray,
    reference: np.ndarray,
    groups: Sequence[str] | None = None,
    *,
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The interval of `sum(errors) / sum(reference)` over samples of the utterances, or of the `groups` of them.

    Each draw takes as many units as there are, with replacement. A draw without a reference word has no rate and is
    left out. The same arguments give the same interval.

    Shape:
        errors, reference: (U,) counts of each utterance; groups: U speakers.

    Returns:
        None where too little is known: fewer than `MIN_UNITS` units, no reference word, or no error.
    """
    units = _units(np.stack([errors, reference], axis=1), groups)
    total_errors, total_reference = units.sum(axis=0)
    if len(units) < MIN_UNITS or not total_errors or not total_reference:
        return None
    drawn = _draw(units, draws, seed)
    rate = total_errors / total_reference
    rates = drawn[:, 0] / drawn[:, 1]
    half = _half_width(rates, len(units), confidence) / rate
    if half > WILD:
        low, high = (float(edge) for edge in np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2]))
    else:
        low, high = rate / math.exp(half), rate * math.exp(half)
    return Interval(low, high, confidence, _by(groups), len(units), len(drawn))


def difference(
    errors_a: np.ndarray,
    errors_b: np.ndarray,
    reference: np.ndarray,
    groups: Sequence[str] | None = None,
    *,
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference | None:
    """Compare two systems on the same utterances; each draw takes the same ones for both.

    Shape:
        errors_a, errors_b, reference: (U,) counts of each utterance; groups: U speakers.

    Returns:
        None without a reference word.
    """
    units = _units(np.stack([errors_a, errors_b, reference], axis=1), groups)
    drawn = _draw(units, draws, seed)
    total_a, total_b, total = units.sum(axis=0)
    if not total:
        return None
    rate = float(total_b - total_a) / float(total)
    gained = drawn[:, 1] - drawn[:, 0]
    interval = None
    half = _half_width(gained / drawn[:, 2], len(units), confidence) if len(units) >= MIN_UNITS else 0.0
    if half:
        interval = Interval(rate - half, rate + half, confidence, _by(groups), len(units), len(drawn))
    return Difference(rate, interval, float((gained < 0).mean()), float((gained > 0).mean()))


def _by(groups: Sequence[str] | None) -> By:
    return "utterance" if groups is None else "speaker"


def _units(counts: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """The sums of each group, or the counts themselves. Shape: (U, K) -> (units, K)"""
    if groups is None:
        return counts
    members = np.unique(np.asarray(groups), return_inverse=True)[1]
    return np.stack([np.bincount(members, weights=column) for column in counts.T], axis=1)


def _draw(units: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The sums of each draw that has a reference word, which is the last column. Shape: (units, K) -> (draws, K)"""
    generator = np.random.default_rng(seed)
    columns = np.ascontiguousarray(units.T)
    rows = max(1, BLOCK // len(units))
    blocks = []
    for first in range(0, draws, rows):
        sample = generator.integers(len(units), size=(min(rows, draws - first), len(units)), dtype=np.int32)
        blocks.append(np.stack([column.take(sample).sum(axis=1) for column in columns], axis=1))
    drawn = np.concatenate(blocks)
    return drawn[drawn[:, -1] > 0]


def _half_width(rates: np.ndarray, units: int, confidence: float) -> float:
    """Student's t times the standard error, which n units drawn from n make too small by sqrt((n - 1) / n)."""
    return _student(confidence, units - 1) * float(rates.std()) * math.sqrt(units / (units - 1))


@cache
def _student(confidence: float, degrees: int) -> float:
    """The t within which, on both sides of 0, the share `confidence` of Student's distribution lies.

    With t = sqrt(degrees) tan(angle) its density is that of cos(angle) ** (degrees - 1), which is summed up here.
    """
    angle = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angle) ** (degrees - 1)
    share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(degrees) * math.tan(np.interp(confidence, share / share[-1], angle))
