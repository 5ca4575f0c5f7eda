"""The alignment of letters and phones, against a sum over all alignments."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest

from asr.pronunciation.alignment import ITERATIONS, PRIOR, align
from asr.pronunciation.dictionary import Phones


def all_alignments(word: str, phones: Phones) -> list[list[Phones]]:
    found = []
    for sizes in itertools.product(range(len(PRIOR)), repeat=len(word)):
        if sum(sizes) == len(phones):
            ends = list(itertools.accumulate(sizes))
            found.append([phones[end - size : end] for size, end in zip(sizes, ends, strict=True)])
    return found


def probability_of(word: str, alignment: list[Phones], table: dict[tuple[str, Phones], float]) -> float:
    return math.prod(table[pair] for pair in zip(word, alignment, strict=True))


def test_the_likeliest_alignment_is_that_of_a_sum_over_all() -> None:
    random = np.random.default_rng(3)
    words = ["".join(random.choice(list("abcd"), random.integers(1, 6))) for _ in range(30)]
    phones = [tuple(random.choice(["X", "Y", "Z"], random.integers(1, len(word) + 2)).tolist()) for word in words]

    def groups_of(size: int) -> set[Phones]:
        return {p[i : i + size] for p in phones for i in range(len(p) - size + 1)}

    table = {
        (letter, group): PRIOR[size] / len(groups_of(size))
        for letter in "abcd"
        for size in range(len(PRIOR))
        for group in groups_of(size)
    }
    for _ in range(ITERATIONS):
        counts = defaultdict[tuple[str, Phones], float](float)
        for word, pronunciation in zip(words, phones, strict=True):
            alignments = all_alignments(word, pronunciation)
            weights = [probability_of(word, alignment, table) for alignment in alignments]
            for alignment, weight in zip(alignments, weights, strict=True):
                for pair in zip(word, alignment, strict=True):
                    counts[pair] += weight / sum(weights)
        totals = {letter: sum(count for (other, _), count in counts.items() if other == letter) for letter in "abcd"}
        table = {(letter, group): counts[letter, group] / totals[letter] for letter, group in table}

    for word, pronunciation, alignment in zip(words, phones, align(words, phones), strict=True):
        assert tuple(itertools.chain(*alignment)) == pronunciation
        best = max(probability_of(word, other, table) for other in all_alignments(word, pronunciation))
        assert probability_of(word, alignment, table) == pytest.approx(best, rel=1e-6)


def test_silent_letters_and_letters_with_two_phones_are_found() -> None:
    words, phones = ["tax", "at", "hat", "ax"], [("T", "A", "K", "S"), ("A", "T"), ("A", "T"), ("A", "K", "S")]
    assert align(words, phones) == [
        [("T",), ("A",), ("K", "S")],
        [("A",), ("T",)],
        [(), ("A",), ("T",)],
        [("A",), ("K", "S")],
    ]


def test_words_that_cannot_be_aligned_get_nothing() -> None:
    words = ["a", "a", "a" * 2000]
    assert align(words, [("A",), ("A", "A", "A"), ("B",) * 3000])[:2] == [[("A",)], []]
