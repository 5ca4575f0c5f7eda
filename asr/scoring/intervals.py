"""Bootstrap confidence intervals of an error rate, or of the difference of two.

The draws follow M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP 2004. Their percentile intervals are too narrow for small test sets: with 4 speakers, 95 % intervals contained
the true rate in 79 of 100 simulated corpora. So the interval is the draws' standard deviation, corrected for the number
of units n (B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993), times Student's t with n - 1 degrees
of freedom; for a rate it is computed on the logarithmic scale, because rates are positive and skewed.
`scripts/interval_coverage.py` measures the coverage. If a few units hold nearly all the words, draws without them have
rates of another order of magnitude and the standard deviation is meaningless; then the percentiles are used.

Errors may be those of several runs of a system, for example trainings with other random seeds. Their mean is the
estimate, the variance of a mean of runs is added to that of the units, and the degrees of freedom are those of Welch
and Satterthwaite (F. Satterthwaite, "An approximate distribution of estimates of variance components", 1946).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

BLOCK = 100_000
"""Approximate number of sampled units in memory at a time, chosen to fit into the CPU cache."""

MANY_UNITS = 5_000
"""With so many units, those with equal counts are drawn together."""

MIN_UNITS = 4
"""With fewer units there is no interval."""

FEW_UNITS = 10
"""With fewer units there is a warning: they say little about other speakers."""

MAX_LOG_HALF_WIDTH = 2.0
"""Above this half width on the logarithmic scale, a factor of 7 on each side, percentiles are used instead."""

By = Literal["utterance", "speaker"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Confidence interval of a rate, or of a difference of rates, as fractions."""

    low: float
    high: float
    confidence: float
    by: By
    """The unit of resampling: single utterances, or speakers with all their utterances."""
    units: int
    """Number of units."""
    draws: int
    """Number of draws that have a rate."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The rate of system B minus that of system A on the same utterances; each draw has the same units for both."""

    rate: float
    """As a fraction; negative if B is better."""
    interval: Interval | None
    """None if both systems have the same number of errors in every unit, or there are too few units."""
    better: float
    """Share of the draws in which B has fewer errors: Bisani and Ney's probability of improvement. Of several runs, a
    draw takes as many as there are, with replacement."""
    worse: float
    """Share of the draws in which B has more errors; in the rest both have equally many."""


def groups(speakers: Sequence[str | None]) -> list[str] | None:
    """Choose the unit of resampling: the speakers, or None to resample utterances.

    Speakers are resampled if every utterance has one and there are at least `MIN_UNITS` of them: errors of one speaker
    are correlated, so that resampling utterances makes the interval too narrow.
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

    Of several runs it is the interval of the mean of their rates.

    Each draw takes as many units as there are, with replacement. A draw without reference words has no rate and is
    skipped. The same arguments give the same interval.

    Shape:
        errors: (U,) or (runs, U), reference: (U,) counts of each utterance; groups: U speakers.

    Returns:
        None if there are fewer than `MIN_UNITS` units, no reference words, or no errors.
    """
    units = _units(np.vstack([errors, reference]).T, groups)
    *total_errors, total_reference = units.sum(axis=0)
    if len(units) < MIN_UNITS or not any(total_errors) or not total_reference:
        return None
    drawn = _draw(units, draws, seed)
    of_runs = np.array(total_errors) / total_reference
    rate = of_runs.mean()
    rates = drawn[:, :-1].mean(axis=1) / drawn[:, -1]
    half = _half_width(rates, len(units), [of_runs], confidence) / rate
    if half > MAX_LOG_HALF_WIDTH:
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
    """Compare two systems on the same utterances, which each draw takes for both; of several runs, the means.

    Shape:
        errors_a, errors_b: (U,) or (runs, U), reference: (U,) counts of each utterance; groups: U speakers.

    Returns:
        None without reference words.
    """
    runs = len(np.atleast_2d(errors_a))
    units = _units(np.vstack([errors_a, errors_b, reference]).T, groups)
    *totals, total = units.sum(axis=0)
    if not total:
        return None
    drawn = _draw(units, draws, seed)
    systems = [drawn[:, :runs], drawn[:, runs:-1]]
    errors_of_runs = [np.array(totals[:runs]), np.array(totals[runs:])]
    rate = float(errors_of_runs[1].mean() - errors_of_runs[0].mean()) / float(total)
    interval = None
    if len(units) >= MIN_UNITS:
        change = (systems[1].mean(axis=1) - systems[0].mean(axis=1)) / drawn[:, -1]
        half = _half_width(change, len(units), [errors / total for errors in errors_of_runs], confidence)
        if half:
            interval = Interval(rate - half, rate + half, confidence, _by(groups), len(units), len(drawn))
    first, second = (_of_drawn_runs(errors, seed + place) for place, errors in enumerate(systems, start=1))
    improvement = first * systems[1].shape[1] - second * runs
    return Difference(rate, interval, float((improvement > 0).mean()), float((improvement < 0).mean()))


def _by(groups: Sequence[str] | None) -> By:
    return "utterance" if groups is None else "speaker"


def _units(counts: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """Sum the counts of each group; without groups, the counts themselves. Shape: (U, K) -> (units, K)"""
    if groups is None:
        return counts
    members = np.unique(np.asarray(groups), return_inverse=True)[1]
    return np.stack([np.bincount(members, weights=column) for column in counts.T], axis=1)


def _draw(units: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The sums of each draw that has reference words, the last column. Shape: (units, K) -> (draws, K)"""
    generator = np.random.default_rng(seed)
    if len(units) >= MANY_UNITS:
        kinds, counts = np.unique(units, axis=0, return_counts=True)
        if (
            len(kinds) <= len(units) // 20
        ):  # short utterances have few different counts, of which each draw takes so many
            drawn = generator.multinomial(len(units), counts / len(units), size=draws) @ kinds
            return drawn[drawn[:, -1] > 0]
    columns = np.ascontiguousarray(units.T)
    rows = max(1, BLOCK // len(units))
    blocks = []
    for first in range(0, draws, rows):
        sample = generator.integers(len(units), size=(min(rows, draws - first), len(units)), dtype=np.int32)
        blocks.append(np.stack([column.take(sample).sum(axis=1) for column in columns], axis=1))
    drawn = np.concatenate(blocks)
    return drawn[drawn[:, -1] > 0]


def _of_drawn_runs(errors: np.ndarray, seed: int) -> np.ndarray:
    """Errors of as many runs as there are, drawn with replacement. Shape: (draws, runs) -> (draws,)"""
    runs = errors.shape[1]
    return (errors * np.random.default_rng(seed).multinomial(runs, [1 / runs] * runs, size=len(errors))).sum(axis=1)


def _half_width(drawn: np.ndarray, units: int, of_runs: Sequence[np.ndarray], confidence: float) -> float:
    """Student's t times the standard error: the draws', and for each system that of the mean of its runs.

    Drawing n of n units underestimates the variance by (n - 1) / n. What a run does to one unit alone is part of both
    variances, so that the sum is rather too large than too small.

    Shape:
        drawn: (draws,) rates or differences of rates; of_runs: (runs,) rates for each system
    """
    parts = [(float(drawn.var()) * units / (units - 1), units - 1)]
    parts += [(float(rates.var(ddof=1)) / len(rates), len(rates) - 1) for rates in of_runs if len(rates) > 1]
    total = sum(variance for variance, _ in parts)
    if not total:
        return 0.0
    degrees = total**2 / sum(variance**2 / degrees for variance, degrees in parts)
    return _student_t(confidence, degrees) * math.sqrt(total)


@cache
def _student_t(confidence: float, degrees: float) -> float:
    """The two-sided critical value of Student's t distribution.

    With t = sqrt(degrees) tan(angle) the density is that of cos(angle) ** (degrees - 1), integrated numerically.
    """
    angle = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angle) ** (degrees - 1)
    share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(degrees) * math.tan(np.interp(confidence, share / share[-1], angle))
