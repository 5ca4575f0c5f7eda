"""How far an error rate could have come out otherwise: the bootstrap interval.

M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

BLOCK = 1_000_000
"""About how many sampled units are in memory at one time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` and `high` are rates, as fractions, between which the share `confidence` of the draws lies."""

    low: float
    high: float
    confidence: float
    by: Literal["utterance", "speaker"]
    """What was drawn: single utterances, or speakers with all their utterances."""
    units: int
    """How many of them there are."""
    draws: int
    """How many draws have a rate."""


def bootstrap(
    errors: np.ndarray,
    reference: np.ndarray,
    groups: Sequence[str] | None = None,
    *,
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """The percentile interval of `sum(errors) / sum(reference)` over samples of the utterances.

    Each draw takes as many units as there are, with replacement. The errors of one speaker are alike, so that single
    utterances make the interval too narrow where speakers differ: give speakers as `groups` where they are known.
    A draw without a reference word has no rate and is left out. The same arguments give the same interval.

    Shape:
        errors, reference: (U,) counts of each utterance; groups: U speakers.

    Returns:
        None where nothing can vary or be divided by: fewer than two units, or no reference word in any draw.
    """
    if groups is not None:
        members = np.unique(np.asarray(groups), return_inverse=True)[1]
        errors = np.bincount(members, weights=errors)
        reference = np.bincount(members, weights=reference)
    units = len(errors)
    if units < 2:
        return None
    generator = np.random.default_rng(seed)
    rows = max(1, BLOCK // units)
    rates = []
    for first in range(0, draws, rows):
        sample = generator.integers(units, size=(min(rows, draws - first), units), dtype=np.int32)
        drawn_errors, drawn_reference = errors[sample].sum(axis=1), reference[sample].sum(axis=1)
        defined = drawn_reference > 0
        rates.append(drawn_errors[defined] / drawn_reference[defined])
    rates = np.concatenate(rates)
    if not len(rates):
        return None
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    by = "utterance" if groups is None else "speaker"
    return Interval(float(low), float(high), confidence, by, units, len(rates))
