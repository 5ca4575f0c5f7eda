"""Significance of the difference between two systems on the same utterances: MAPSSWE and the sign test.

L. Gillick and S. Cox, "Some statistical issues in the comparison of speech recognition algorithms", ICASSP 1989.
MAPSSWE is computed as NIST's SCTK does it (`sc_stats -t mapsswe`): on alignments by the rule `sclite` its numbers are
equal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.scoring.alignment import Pair

BOUNDARY_WORDS = 2
"""Number of consecutive words, right in both systems, that end a segment: errors do not affect words beyond them."""

MIN_SEGMENTS = 50
"""Number of segments from which the normal approximation of MAPSSWE holds (Gillick and Cox)."""

CRITICAL_Z = 1.96
"""SCTK's two-sided threshold at the 5 % level."""


@dataclass(frozen=True, slots=True)
class Mapsswe:
    """The matched-pairs sentence-segment word error test."""

    segments: int
    """Number of segments in which at least one system has an error."""
    mean: float
    """Mean of A's errors minus B's per segment; negative if A is better."""
    deviation: float
    """Standard deviation of this difference, with n - 1; 0 for fewer than two segments."""
    z: float
    """`mean` divided by its standard error; 0 if the segments do not vary."""
    p: float
    """Two-sided p value by the normal approximation; meaningless unless the test `decides`."""

    @property
    def significant(self) -> bool:
        """Whether the systems differ by SCTK's criterion."""
        return abs(self.z) > CRITICAL_Z

    @property
    def decides(self) -> bool:
        """Whether there is enough to go by: at least `MIN_SEGMENTS` segments, which do not all differ alike."""
        return self.segments >= MIN_SEGMENTS and self.deviation > 0


@dataclass(frozen=True, slots=True)
class SignTest:
    """Number of utterances in which one system has fewer word errors than the other."""

    a_better: int
    b_better: int
    equal: int
    """Ties, which the test ignores."""
    p: float
    """Two-sided p value of the binomial distribution."""

    @property
    def significant(self) -> bool:
        """Whether the systems differ at the 5 % level."""
        return self.p < 0.05


def mapsswe(a: Sequence[Sequence[Pair]], b: Sequence[Sequence[Pair]]) -> Mapsswe:
    """Compare alignments of the same references, one per utterance for each system."""
    errors = [segment for pair in zip(a, b, strict=True) for segment in segments(*pair)]
    differences = np.array([first - second for first, second in errors], dtype=np.float64)
    count = len(differences)
    mean = float(differences.mean()) if count else 0.0
    deviation = float(differences.std(ddof=1)) if count > 1 else 0.0
    z = mean / (deviation / math.sqrt(count)) if deviation else 0.0
    return Mapsswe(count, mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def segments(a: Sequence[Pair], b: Sequence[Pair]) -> list[tuple[int, int]]:
    """The errors of both systems in each segment with an error; `BOUNDARY_WORDS` right words end a segment.

    An insertion lies before the next reference word and separates the words around it, so that they are not
    consecutive. The end of the utterance also ends a segment.
    """
    counts: list[tuple[int, int]] = []
    right = BOUNDARY_WORDS
    for place, (first, second) in enumerate(zip(_errors(a), _errors(b), strict=True)):
        if first or second:
            before = counts.pop() if right < BOUNDARY_WORDS else (0, 0)
            counts.append((before[0] + first, before[1] + second))
            right = 0
        elif place % 2:
            right += 1
    return counts


def _errors(pairs: Sequence[Pair]) -> list[int]:
    """Alternately the insertions before a reference word, and 1 if that word is wrong; last, insertions at the end."""
    errors = [0]
    for pair in pairs:
        if pair.kind == "insertion":
            errors[-1] += 1
        else:
            errors += [int(pair.kind != "hit"), 0]
    return errors


def sign_test(errors_a: Sequence[int], errors_b: Sequence[int]) -> SignTest:
    """Compare the numbers of errors of both systems in the same utterances."""
    a_better = sum(first < second for first, second in zip(errors_a, errors_b, strict=True))
    b_better = sum(first > second for first, second in zip(errors_a, errors_b, strict=True))
    unequal = a_better + b_better
    tail = binomial = 1
    for count in range(min(a_better, b_better)):
        binomial = binomial * (unequal - count) // (count + 1)
        tail += binomial
    return SignTest(a_better, b_better, len(errors_a) - unequal, min(1.0, 2 * tail / 2**unequal))
