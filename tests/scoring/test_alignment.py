"""Alignments against sclite pair for pair, against jiwer, and against the cost of every possible alignment."""

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
"""Of a substitution, and of a deletion or insertion."""

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
    heard = [dice.choices([[word], [], [dice.choice(words)], [word, "uh"]], [7, 1, 1, 1])[0] for word in words]
    return [word for one in heard for word in one]


@sctk.needs_sctk
def test_sclite_pair_for_pair(tmp_path: Path) -> None:
    pairs = random_pairs(2_000)
    assert any(not said and heard for said, heard in pairs)
    assert any(said and not heard for said, heard in pairs)
    got = [align(said, heard, "sclite") for said, heard in pairs]
    sgml = sctk.sclite([said for said, _ in pairs], [heard for _, heard in pairs], tmp_path)
    assert got == sctk.alignments(sgml)
    # And it is another rule: in many of these cases it counts more errors than there need to be.
    fewest = [align(said, heard) for said, heard in pairs]
    assert sum(kinds(one) != kinds(other) for one, other in zip(got, fewest, strict=True)) > 500


@sctk.needs_sctk
def test_sclite_on_long_texts(tmp_path: Path) -> None:
    dice = random.Random(1)
    said = [dice.choices(["one", "two", "three", "four", "five", "six", "seven"], k=400) for _ in range(5)]
    heard = [noisy(words, dice) for words in said]
    got = [align(*pair, "sclite") for pair in zip(said, heard, strict=True)]
    assert got == sctk.alignments(sctk.sclite(said, heard, tmp_path))


def test_fewest_as_jiwer() -> None:
    for said, heard in random_pairs(300):
        output = jiwer.process_words(" ".join(said), " ".join(heard))
        counts = Counter(kinds(align(said, heard)))
        assert counts == Counter(H=output.hits, S=output.substitutions, D=output.deletions, I=output.insertions)


@pytest.mark.parametrize("rule", ["fewest", "sclite"])
@settings(deadline=None)
@given(said=WORDS, heard=WORDS)
def test_an_alignment_is_whole_and_none_is_cheaper(rule: Rule, said: list[str], heard: list[str]) -> None:
    substitution, gap = COSTS[rule]

    @cache
    def cheapest(i: int, j: int) -> int:
        if not i or not j:
            return gap * (i + j)
        paired = cheapest(i - 1, j - 1) + substitution * (said[i - 1] != heard[j - 1])
        return min(paired, cheapest(i - 1, j) + gap, cheapest(i, j - 1) + gap)

    pairs = align(said, heard, rule)
    assert [pair.reference for pair in pairs if pair.reference is not None] == said
    assert [pair.hypothesis for pair in pairs if pair.hypothesis is not None] == heard
    for pair in pairs:
        by_words = {
            "hit": pair.reference == pair.hypothesis,
            "substitution": None not in pair and pair.reference != pair.hypothesis,
            "deletion": pair.hypothesis is None,
            "insertion": pair.reference is None,
        }
        assert [kind for kind, holds in by_words.items() if holds] == [pair.kind]
    cost = sum({"hit": 0, "substitution": substitution}.get(pair.kind, gap) for pair in pairs)
    assert cost == cheapest(len(said), len(heard))


@pytest.mark.parametrize(
    ("said", "heard", "fewest", "sclite"),
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
def test_by_hand(said: str, heard: str, fewest: str, sclite: str) -> None:
    assert kinds(align(said.split(), heard.split())) == fewest
    assert kinds(align(said.split(), heard.split(), "sclite")) == sclite


def test_too_long_for_sclite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 6)
    assert len(align(["a"] * 2, ["b"] * 3, "sclite")) == 3
    with pytest.raises(DataError, match="An utterance of 2 words beside 4 is too long for the alignment `sclite`"):
        align(["a"] * 2, ["b"] * 4, "sclite")
    assert len(align(["a"] * 2, ["b"] * 4)) == 4
