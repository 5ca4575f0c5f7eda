"""Do two systems differ on the same utterances by more than chance? MAPSSWE and the sign test.

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
"""So many words, right in both systems one after another, end a segment: errors do not reach across them."""

CRITICAL_Z = 1.96
"""SCTK's threshold: beyond it, on either side, chance alone would go in 5 % of comparisons."""


@dataclass(frozen=True, slots=True)
class Mapsswe:
    """The matched-pairs sentence-segment word error test."""

    segments: int
    """The stretches in which at least one system has an error."""
    mean: float
    """The errors of A less those of B, per segment; negative where A is better."""
    deviation: float
    """The standard deviation of that, estimated with n - 1; 0 for fewer than two segments."""
    z: float
    """`mean` over its standard error; 0 where the segments do not vary."""
    p: float
    """The chance, both tails, of so large a z if the systems were equal. The normal law wants some 50 segments."""

    @property
    def significant(self) -> bool:
        """Whether SCTK says that the systems differ."""
        return abs(self.z) > CRITICAL_Z


@dataclass(frozen=True, slots=True)
class SignTest:
    """In how many utterances one system has fewer word errors than the other, whatever by how many."""

    a_better: int
    b_better: int
    equal: int
    """Left out: they say nothing of the direction."""
    p: float
    """The chance, both tails, of a split as uneven if a coin decided each utterance that is not equal."""

    @property
    def significant(self) -> bool:
        """At the level of 5 %."""
        return self.p < 0.05


def mapsswe(a: Sequence[Sequence[Pair]], b: Sequence[Sequence[Pair]]) -> Mapsswe:
    """Test alignments of the same references, one of each system for each utterance."""
    errors = [segment for pair in zip(a, b, strict=True) for segment in segments(*pair)]
    gaps = np.array([first - second for first, second in errors], dtype=np.float64)
    count = len(gaps)
    mean = float(gaps.mean()) if count else 0.0
    deviation = float(gaps.std(ddof=1)) if count > 1 else 0.0
    z = mean / (deviation / math.sqrt(count)) if deviation else 0.0
    return Mapsswe(count, mean, deviation, z, math.erfc(abs(z) / math.sqrt(2)))


def segments(a: Sequence[Pair], b: Sequence[Pair]) -> list[tuple[int, int]]:
    """The errors of both systems in each stretch that holds an error and ends with `BOUNDARY_WORDS` right words.

    An insertion stands before the next reference word and keeps its neighbours from being one after another. The end
    of the utterance ends a segment, too.
    """
    found: list[tuple[int, int]] = []
    right = BOUNDARY_WORDS
    for place, (first, second) in enumerate(zip(_errors(a), _errors(b), strict=True)):
        if first or second:
            before = found.pop() if right < BOUNDARY_WORDS else (0, 0)
            found.append((before[0] + first, before[1] + second))
            right = 0
        elif place % 2:
            right += 1
    return found


def _errors(pairs: Sequence[Pair]) -> list[int]:
    """In turn: the words inserted before a reference word, and 1 if that word is wrong; last, those after the end."""
    errors = [0]
    for pair in pairs:
        if pair.kind == "insertion":
            errors[-1] += 1
        else:
            errors += [int(pair.kind != "hit"), 0]
    return errors


def sign_test(errors_a: Sequence[int], errors_b: Sequence[int]) -> SignTest:
    """Test the errors of both systems in the same utterances."""
    a_better = sum(first < second for first, second in zip(errors_a, errors_b, strict=True))
    b_better = sum(first > second for first, second in zip(errors_a, errors_b, strict=True))
    unequal = a_better + b_better
    tail = binomial = 1
    for count in range(min(a_better, b_better)):
        binomial = binomial * (unequal - count) // (count + 1)
        tail += binomial
    return SignTest(a_better, b_better, len(errors_a) - unequal, min(1.0, 2 * tail / 2**unequal))
