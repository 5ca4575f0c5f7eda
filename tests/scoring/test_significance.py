"""MAPSSWE compared with SCTK's sc_stats and by hand; the sign test compared with the binomial distribution."""

import random
from pathlib import Path

import pytest
import sctk
from scipy import stats

from asr.scoring.alignment import align
from asr.scoring.significance import Mapsswe, mapsswe, segments, sign_test


def noisy(words: list[str], dice: random.Random, vocabulary: str, rate: float) -> list[str]:
    outcomes = ([8 * (1 - rate), rate * 3, rate * 3, rate * 2], ["hit", "deletion", "substitution", "insertion"])
    noised: list[str] = []
    for word in words:
        (kind,) = dice.choices(outcomes[1], outcomes[0])
        other = dice.choice(vocabulary)
        noised += {"hit": [word], "deletion": [], "substitution": [other], "insertion": [word, other]}[kind]
    return noised


@sctk.needs_sctk
@pytest.mark.parametrize(
    ("seed", "vocabulary", "utterances", "rates"),
    [
        (0, "abcdefgh", 60, (0.1, 0.2)),
        (1, "abcdefgh", 60, (0.3, 0.1)),
        (2, "abc", 60, (0.2, 0.2)),
        (3, "abcdefghijklmnop", 100, (0.05, 0.08)),
        (4, "ab", 40, (0.5, 0.7)),
        (5, "abcdefgh", 5, (0.1, 0.3)),
        (6, "abcdefgh", 30, (0.0, 0.1)),
    ],
)
def test_mapsswe_is_that_of_sc_stats(
    tmp_path: Path, seed: int, vocabulary: str, utterances: int, rates: tuple[float, float]
) -> None:
    dice = random.Random(seed)
    references = [dice.choices(vocabulary, k=dice.randint(0, 25)) for _ in range(utterances)]
    systems = [[noisy(words, dice, vocabulary, rate) for words in references] for rate in rates]
    got = mapsswe(*([align(*pair, "sclite") for pair in zip(references, texts, strict=True)] for texts in systems))
    sgml = [sctk.sclite(references, texts, tmp_path, name) for name, texts in zip("ab", systems, strict=True)]
    count, mean, deviation, z, differ = sctk.mapsswe(*sgml)
    assert (got.segments, got.significant) == (count, differ)
    assert (got.mean, got.deviation, got.z) == pytest.approx((mean, deviation, z), abs=5.1e-4)  # it prints 3 places
    assert got.p == pytest.approx(2 * stats.norm.sf(abs(got.z)), abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "a", "b", "expected"),
    [
        ("a b c d e", "a b c d e", "a b c d e", []),
        ("a b c d e", "x b c d e", "a b c d x", [(1, 0), (0, 1)]),
        ("a b c d", "x b c d", "a b c x", [(1, 0), (0, 1)]),  # two right words between
        ("a b c", "x b c", "a b x", [(1, 1)]),  # only one
        ("a b c", "a b c d", "x a b c", [(0, 1), (1, 0)]),  # insertions at the ends
        ("a b c d", "x b c d", "a b u c x", [(1, 2)]),  # an insertion between the two right words
        ("a b c", "", "a b c", [(3, 0)]),
        ("", "u v", "w", [(2, 1)]),
    ],
)
def test_segments_by_hand(reference: str, a: str, b: str, expected: list[tuple[int, int]]) -> None:
    first, second = (align(reference.split(), hypothesis.split(), "sclite") for hypothesis in (a, b))
    assert segments(first, second) == expected
    assert segments(second, first) == [(in_b, in_a) for in_a, in_b in expected]


def test_without_variance_there_is_no_significance() -> None:
    right, wrong = align(["a"], ["a"]), align(["a"], ["b"])
    assert mapsswe([right], [right]) == Mapsswe(0, 0.0, 0.0, 0.0, 1.0)
    assert mapsswe([wrong], [right]) == Mapsswe(1, 1.0, 0.0, 0.0, 1.0)
    assert mapsswe([wrong] * 3, [right] * 3) == Mapsswe(3, 1.0, 0.0, 0.0, 1.0)  # as in sc_stats


def test_sign_test_against_the_binomial_distribution() -> None:
    dice = random.Random(0)
    for count in (1, 2, 7, 40, 3_000):
        a, b = ([dice.randint(0, 3) for _ in range(count)] for _ in range(2))
        got = sign_test(a, b)
        assert got.a_better + got.b_better + got.equal == count
        unequal = got.a_better + got.b_better
        assert got.p == pytest.approx(stats.binomtest(got.a_better, unequal).pvalue if unequal else 1.0)


def test_the_sign_test_of_many_utterances() -> None:
    got = sign_test([1] * 10_100 + [0] * 9_900, [0] * 10_100 + [1] * 9_900)
    assert got.p == pytest.approx(stats.binomtest(10_100, 20_000).pvalue)


def test_sign_test_by_hand() -> None:
    got = sign_test([0, 0, 0, 0, 0, 0, 5], [1, 1, 1, 1, 9, 1, 5])
    assert (got.a_better, got.b_better, got.equal, got.p) == (6, 0, 1, 2 / 64)
    assert got.significant
    assert not sign_test([0] * 5, [1] * 5).significant  # 2 / 32, the lowest p value of five utterances


@pytest.mark.parametrize(
    ("segments_", "deviation", "decides"), [(50, 0.1, True), (49, 0.1, False), (50, 0.0, False), (0, 0.0, False)]
)
def test_mapsswe_decides_with_enough_segments_that_vary(segments_: int, deviation: float, decides: bool) -> None:
    assert Mapsswe(segments_, 1.0, deviation, 9.0, 1e-9).decides is decides
