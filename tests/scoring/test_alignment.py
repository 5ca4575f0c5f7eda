"""Alignments compared with sclite pair for pair, with jiwer, and with the cost of every possible alignment."""

import random
from collections import Counter
from functools import cache
from pathlib import Path

import jiwer
import pytest
import sctk
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import DataError
from asr.scoring import alignment
from asr.scoring.alignment import Pair, Rule, align

COSTS = {"fewest": (1, 1), "sclite": (4, 3)}
"""Cost of a substitution, and of a deletion or insertion."""

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


def kinds(pairs: tuple[Pair, ...]) -> str:
    return "".join(pair.kind[0].upper() for pair in pairs)


def random_pairs(count: int) -> list[tuple[list[str], list[str]]]:
    """Short texts of few words, so that many alignments tie and words repeat; some empty."""
    dice = random.Random(0)
    pairs = []
    for _ in range(count):
        vocabulary = dice.choice(["ab", "abc", "abcdefgh"])
        pairs.append((dice.choices(vocabulary, k=dice.randint(0, 12)), dice.choices(vocabulary, k=dice.randint(0, 12))))
    return pairs


def noisy(words: list[str], dice: random.Random) -> list[str]:
    replacements = [dice.choices([[word], [], [dice.choice(words)], [word, "uh"]], [7, 1, 1, 1])[0] for word in words]
    return [word for replacement in replacements for word in replacement]


@sctk.needs_sctk
def test_sclite_pair_for_pair(tmp_path: Path) -> None:
    pairs = random_pairs(2_000)
    assert any(not reference and hypothesis for reference, hypothesis in pairs)
    assert any(reference and not hypothesis for reference, hypothesis in pairs)
    got = [align(reference, hypothesis, "sclite") for reference, hypothesis in pairs]
    sgml = sctk.sclite([reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs], tmp_path)
    assert got == sctk.alignments(sgml)
    # The two rules differ: in many of these cases `sclite` counts more errors than necessary.
    fewest = [align(reference, hypothesis) for reference, hypothesis in pairs]
    assert sum(kinds(a) != kinds(b) for a, b in zip(got, fewest, strict=True)) > 500


@sctk.needs_sctk
def test_sclite_on_long_texts(tmp_path: Path) -> None:
    dice = random.Random(1)
    references = [dice.choices(["one", "two", "three", "four", "five", "six", "seven"], k=400) for _ in range(5)]
    hypotheses = [noisy(words, dice) for words in references]
    got = [align(*pair, "sclite") for pair in zip(references, hypotheses, strict=True)]
    assert got == sctk.alignments(sctk.sclite(references, hypotheses, tmp_path))


def test_fewest_counts_equal_jiwers() -> None:
    for reference, hypothesis in random_pairs(300):
        output = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
        counts = Counter(kinds(align(reference, hypothesis)))
        assert counts == Counter(H=output.hits, S=output.substitutions, D=output.deletions, I=output.insertions)


@pytest.mark.parametrize("rule", ["fewest", "sclite"])
@settings(deadline=None)
@given(reference=WORDS, hypothesis=WORDS)
def test_an_alignment_is_complete_and_optimal(rule: Rule, reference: list[str], hypothesis: list[str]) -> None:
    substitution, gap = COSTS[rule]

    @cache
    def cheapest(i: int, j: int) -> int:
        if not i or not j:
            return gap * (i + j)
        paired = cheapest(i - 1, j - 1) + substitution * (reference[i - 1] != hypothesis[j - 1])
        return min(paired, cheapest(i - 1, j) + gap, cheapest(i, j - 1) + gap)

    pairs = align(reference, hypothesis, rule)
    assert [pair.reference for pair in pairs if pair.reference is not None] == reference
    assert [pair.hypothesis for pair in pairs if pair.hypothesis is not None] == hypothesis
    for pair in pairs:
        by_words = {
            "hit": pair.reference == pair.hypothesis,
            "substitution": None not in pair and pair.reference != pair.hypothesis,
            "deletion": pair.hypothesis is None,
            "insertion": pair.reference is None,
        }
        assert [kind for kind, holds in by_words.items() if holds] == [pair.kind]
    cost = sum({"hit": 0, "substitution": substitution}.get(pair.kind, gap) for pair in pairs)
    assert cost == cheapest(len(reference), len(hypothesis))


@pytest.mark.parametrize(
    ("reference", "hypothesis", "fewest", "sclite"),
    [
        ("", "", "", ""),
        ("a b", "", "DD", "DD"),
        ("", "a b", "II", "II"),
        ("a b c", "a b c", "HHH", "HHH"),
        ("p q r one two", "one two s t u", "SSSSS", "DDDHHIII"),
        ("a", "b c", "IS", "IS"),
        ("a b", "c", "SD", "DS"),
    ],
)
def test_by_hand(reference: str, hypothesis: str, fewest: str, sclite: str) -> None:
    assert kinds(align(reference.split(), hypothesis.split())) == fewest
    assert kinds(align(reference.split(), hypothesis.split(), "sclite")) == sclite


def test_too_long_for_sclite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 6)
    assert len(align(["a"] * 2, ["b"] * 3, "sclite")) == 3
    with pytest.raises(
        DataError, match="An utterance with 2 reference and 4 hypothesis words is too long for the rule `sclite`"
    ):
        align(["a"] * 2, ["b"] * 4, "sclite")
    assert len(align(["a"] * 2, ["b"] * 4)) == 4
