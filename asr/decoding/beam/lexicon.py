"""Lexicon: the words as a trie in flat arrays, and the letters that each token adds.

A letter is represented by its index in the model's sorted alphabet. Node 0 is the root, before any letter. In a lexicon
of pronunciations the letters are phones: a word may be there several times, and several words may end in one node.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.text import WORD_START, SubwordTokenizer, Tokenizer


class Spelling(NamedTuple):
    """The spelling of each of V tokens, characters or subwords."""

    ends_word: np.ndarray
    """Whether the token ends the word before it. Shape: (V,)"""
    first: np.ndarray
    """Token v adds `letters[first[v] : first[v + 1]]`. Shape: (V + 1,)"""
    letters: np.ndarray
    choice: np.ndarray
    """Which of the homophones a token ends: 0 for the first, and for all other tokens. Shape: (V,)"""


class Lexicon(NamedTuple):
    """A trie of words with N nodes."""

    first: np.ndarray
    """The first child of each node; the others follow it, in the order of their letters. Shape: (N,)"""
    letters: np.ndarray
    """Bit set of the letters that lead to children: letter l is bit l % 64 of column l // 64. Shape: (N, L)"""
    word: np.ndarray
    """The word that ends in a node, as its index in the list of words; else -1. Shape: (N,)"""
    others_first: np.ndarray
    """Further words that end in node n: `others[others_first[n] : others_first[n + 1]]`. Shape: (N + 1,)"""
    others: np.ndarray
    parent: np.ndarray
    """The node without the last letter. Shape: (N,)"""


def spelling(tokenizer: Tokenizer) -> Spelling:
    """The letters of a model's tokens; the blank has none."""
    if isinstance(tokenizer, SubwordTokenizer):
        mark, pieces = WORD_START, ["", *tokenizer.pieces]
    else:
        mark, pieces = " ", ["", *tokenizer.alphabet]
    letters, lengths = _letters([piece.removeprefix(mark) for piece in pieces], tokenizer.alphabet)
    first = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    ends_word = np.array([piece.startswith(mark) for piece in pieces])
    return Spelling(ends_word, first, letters, np.zeros(len(pieces), np.int32))


def phone_spelling(phones: int, choices: int) -> Spelling:
    """The tokens of a head over phones: blank, boundary, phones, and a boundary more for each further choice.

    These stand for the boundary after another homophone, and do not exist in the head.
    """
    ends_word = np.array([False, True, *[False] * phones, *[True] * (choices - 1)])
    first = np.array([0, 0, *range(phones + 1), *[phones] * (choices - 1)], np.int32)
    choice = np.r_[np.zeros(phones + 2, np.int32), np.arange(1, choices, dtype=np.int32)]
    return Spelling(ends_word, first, np.arange(phones, dtype=np.int32), choice)


def build(words: Sequence[str], alphabet: str) -> Lexicon:
    """Build the trie of the words that the alphabet can spell; others are skipped.

    Of equal words the first is that of its node, and the others are further words.
    """
    order = sorted(range(len(words)), key=words.__getitem__)
    letters, lengths = _letters([words[place] for place in order], alphabet)
    starts = np.cumsum(lengths) - lengths
    num_unknown = np.add.reduceat(np.r_[letters < 0, False], starts) if len(starts) else np.zeros(0)
    can_spell = (lengths > 0) & (num_unknown == 0)
    places, starts, lengths = np.array(order, np.int32)[can_spell], starts[can_spell], lengths[can_spell]

    node = np.zeros(len(places), np.int32)  # of each word after `depth` letters
    letter, parent = [np.zeros(0, np.int32)], [np.zeros(1, np.int32)]
    size, ends = 1, []
    depth = 0
    while len(node):
        here = letters[starts + depth]
        is_new = np.r_[True, (node[1:] != node[:-1]) | (here[1:] != here[:-1])]
        letter.append(here[is_new])
        parent.append(node[is_new])
        node = (size - 1 + np.cumsum(is_new)).astype(np.int32)
        size += len(letter[-1])
        depth += 1
        ends.append((node[lengths == depth], places[lengths == depth]))
        longer = lengths > depth
        node, starts, lengths, places = node[longer], starts[longer], lengths[longer], places[longer]

    word, parents = np.full(size, -1, np.int32), np.concatenate(parent)
    nodes, numbers = (np.concatenate([end[part] for end in ends]) if ends else np.zeros(0, np.int32) for part in (0, 1))
    is_first = np.r_[True, nodes[1:] != nodes[:-1]][: len(nodes)]
    word[nodes[is_first]] = numbers[is_first]
    others_first = np.r_[0, np.cumsum(np.bincount(nodes[~is_first], minlength=size))].astype(np.int32)
    first = (np.searchsorted(parents[1:], np.arange(size)) + 1).astype(np.int32)
    column, bit = np.divmod(np.concatenate(letter), 64)
    bits = np.zeros((size, (len(alphabet) + 63) // 64), np.uint64)
    np.bitwise_or.at(bits, (parents[1:], column), np.uint64(1) << bit.astype(np.uint64))
    return Lexicon(first, bits, word, others_first, numbers[~is_first], parents)


def ends(lexicon: Lexicon) -> tuple[np.ndarray, np.ndarray]:
    """The nodes in which words end, and these words. Shape: -> (words,), (words,)"""
    first = np.flatnonzero(lexicon.word >= 0)
    others = np.repeat(np.arange(len(lexicon.word)), np.diff(lexicon.others_first))
    return np.r_[first, others], np.r_[lexicon.word[first], lexicon.others]


def words_below(lexicon: Lexicon, limit: int) -> np.ndarray:
    """The range of words in each node's subtree: index of the first in the list, and one past the last.

    If the list is sorted, these are exactly the words that begin with the node's letters. Words from number `limit` on
    do not count. Shape: -> (N, 2), int32
    """
    no_word = np.iinfo(np.int32).max
    nodes, words = ends(lexicon)
    nodes, words = nodes[words < limit], words[words < limit]
    lowest, highest = np.full(len(lexicon.word), -no_word), np.full(len(lexicon.word), -1)
    np.maximum.at(lowest, nodes, -words)
    np.maximum.at(highest, nodes, words)
    return np.stack([-best_below(lexicon, lowest), best_below(lexicon, highest) + 1], axis=1).astype(np.int32)


def best_below(lexicon: Lexicon, values: np.ndarray) -> np.ndarray:
    """The maximum of the values in each node's subtree. Shape: (N,) -> (N,)"""
    best = values.copy()
    edges = [0, 1]  # nodes are in breadth-first order: those of one depth, then all their children
    while edges[-1] < len(best):
        edges.append(int(lexicon.first[edges[-1]]))
    for start, end in reversed(list(itertools.pairwise(edges))[1:]):
        np.maximum.at(best, lexicon.parent[start:end], best[start:end])
    return best


def _letters(words: Sequence[str], alphabet: str) -> tuple[np.ndarray, np.ndarray]:
    """The concatenated letters of all words, -1 for characters outside the alphabet; and the words' lengths."""
    known = np.array(sorted(map(ord, alphabet)), np.uint32)
    codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
    numbers = np.searchsorted(known, codes).clip(max=len(known) - 1)
    numbers = np.where(known[numbers] == codes, numbers, -1)
    return numbers.astype(np.int32), np.array([len(word) for word in words], np.int64)
