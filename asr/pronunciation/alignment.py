"""Alignment of the letters of words with their phones: each letter has 0, 1 or 2 of them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.compiled import compiled
from asr.pronunciation.dictionary import Phones

ITERATIONS = 8
"""Of expectation maximisation."""
PRIOR = (0.2, 0.75, 0.05)
"""Initial probability that a letter has 0, 1 or 2 phones."""
MAX_PHONES = len(PRIOR) - 1
"""Of one letter."""


class _Words(NamedTuple):
    """W words in flat arrays: the numbers of their T letters, and of the groups of phones that a letter can have."""

    letters: np.ndarray
    """Shape: (T,), int32"""
    letter_starts: np.ndarray
    """Shape: (W + 1,), int64"""
    groups: np.ndarray
    """The groups of 0, 1, ... phones from each position on, the end of a word included. Shape: (S, MAX_PHONES + 1)"""
    phone_starts: np.ndarray
    """The first position of each word. Shape: (W + 1,), int64"""


def align(words: Sequence[str], pronunciations: Sequence[Phones]) -> list[list[Phones]]:
    """The most likely phones of each letter of each word.

    The probability of the phones given the letter is estimated from the same words by expectation maximisation over all
    alignments. A word that cannot be aligned, such as one with too many phones, gets an empty list.
    """
    alphabet = {letter: number for number, letter in enumerate(sorted(set().union(*words)))}
    groups: dict[Phones, int] = {(): 0}
    numbers = [
        [groups.setdefault(phones[first : first + size], len(groups)) for size in range(MAX_PHONES + 1)]
        for phones in pronunciations
        for first in range(len(phones) + 1)
    ]
    arrays = _Words(
        letters=np.array([alphabet[letter] for word in words for letter in word], np.int32),
        letter_starts=np.cumsum([0, *map(len, words)]),
        groups=np.array(numbers, np.int32),
        phone_starts=np.cumsum([0, *(len(phones) + 1 for phones in pronunciations)]),
    )

    sizes = np.array([len(group) for group in groups])
    prior = (np.array(PRIOR) / np.maximum(np.bincount(sizes, minlength=len(PRIOR)), 1))[sizes]
    probability = np.tile(prior, (len(alphabet), 1))
    for _ in range(ITERATIONS):
        counts = np.zeros_like(probability)
        _expect(arrays, probability, counts)
        probability = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)

    with np.errstate(divide="ignore"):
        log_prob = np.log(probability)
    number_phones = np.zeros(len(arrays.letters), np.int32)
    aligned = np.zeros(len(words), np.bool_)
    _choose(arrays, log_prob, number_phones, aligned)
    return [
        _split(phones, number_phones[first:last].tolist()) if is_aligned else []
        for phones, is_aligned, (first, last) in zip(
            pronunciations, aligned, itertools.pairwise(arrays.letter_starts.tolist()), strict=True
        )
    ]


def _split(phones: Phones, sizes: Sequence[int]) -> list[Phones]:
    ends = itertools.accumulate(sizes)
    return [phones[end - size : end] for size, end in zip(sizes, ends, strict=True)]


@compiled
def _expect(words: _Words, probability: np.ndarray, counts: np.ndarray) -> None:
    """Add how often each letter is expected to have each group of phones, by the forward-backward algorithm.

    Words whose probability is 0 in double precision are skipped.

    Shape: probability and counts (letters of the alphabet, groups)
    """
    for word in range(len(words.letter_starts) - 1):
        first, start = words.letter_starts[word], words.phone_starts[word]
        N, M = words.letter_starts[word + 1] - first, words.phone_starts[word + 1] - start - 1
        forward, backward = np.zeros((N + 1, M + 1)), np.zeros((N + 1, M + 1))
        forward[0, 0] = backward[N, M] = 1.0
        for i in range(N):
            row = probability[words.letters[first + i]]
            for j in range(M + 1):
                if forward[i, j] > 0:
                    for size in range(min(MAX_PHONES, M - j) + 1):
                        forward[i + 1, j + size] += forward[i, j] * row[words.groups[start + j, size]]
        total = forward[N, M]
        if total <= 0:
            continue
        for i in range(N - 1, -1, -1):
            letter = words.letters[first + i]
            for j in range(M + 1):
                if forward[i, j] > 0:
                    for size in range(min(MAX_PHONES, M - j) + 1):
                        group = words.groups[start + j, size]
                        share = backward[i + 1, j + size] * probability[letter, group]
                        backward[i, j] += share
                        counts[letter, group] += forward[i, j] * share / total


@compiled
def _choose(words: _Words, log_prob: np.ndarray, number_phones: np.ndarray, aligned: np.ndarray) -> None:
    """Number of phones of each letter in the most likely alignment (Viterbi), and which words have one.

    Shape: log_prob (letters of the alphabet, groups); number_phones (T,); aligned (W,), bool
    """
    for word in range(len(words.letter_starts) - 1):
        first, start = words.letter_starts[word], words.phone_starts[word]
        N, M = words.letter_starts[word + 1] - first, words.phone_starts[word + 1] - start - 1
        best, last = np.full((N + 1, M + 1), -np.inf), np.zeros((N + 1, M + 1), np.int32)
        best[0, 0] = 0.0
        for i in range(N):
            row = log_prob[words.letters[first + i]]
            for j in range(M + 1):
                if best[i, j] > -np.inf:
                    for size in range(min(MAX_PHONES, M - j) + 1):
                        score = best[i, j] + row[words.groups[start + j, size]]
                        if score > best[i + 1, j + size]:
                            best[i + 1, j + size], last[i + 1, j + size] = score, size
        aligned[word] = best[N, M] > -np.inf
        if aligned[word]:
            j = M
            for i in range(N, 0, -1):
                number_phones[first + i - 1] = last[i, j]
                j -= last[i, j]
