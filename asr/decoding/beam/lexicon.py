"""Lexicon: the words as a trie in flat arrays, and the letters that each token adds.

A letter is represented by its index in the model's sorted alphabet. Node 0 is the root, before any letter.
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


class Lexicon(NamedTuple):
    """A trie of words with N nodes."""

    first: np.ndarray
    """The first child of each node; the others follow it, in the order of their letters. Shape: (N,)"""
    letters: np.ndarray
    """Bit set of the letters that lead to children: letter l is bit l % 64 of column l // 64. Shape: (N, L)"""
    word: np.ndarray
    """The word that ends in a node, as its index in the list of words; else -1. Shape: (N,)"""
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
    return Spelling(np.array([piece.startswith(mark) for piece in pieces]), first, letters)


def build(words: Sequence[str], alphabet: str) -> Lexicon:
    """Build the trie of the words that the alphabet can spell; others are skipped. The last of equal words counts."""
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
    for nodes, numbers in ends:
        word[nodes] = numbers
    first = (np.searchsorted(parents[1:], np.arange(size)) + 1).astype(np.int32)
    column, bit = np.divmod(np.concatenate(letter), 64)
    bits = np.zeros((size, (len(alphabet) + 63) // 64), np.uint64)
    np.bitwise_or.at(bits, (parents[1:], column), np.uint64(1) << bit.astype(np.uint64))
    return Lexicon(first, bits, word, parents)


def words_below(lexicon: Lexicon) -> np.ndarray:
    """The range of words in each node's subtree: index of the first in the list, and one past the last.

    If the list is sorted, these are exactly the words that begin with the node's letters. Shape: -> (N, 2), int32
    """
    no_word = np.iinfo(np.int32).max
    first = -best_below(lexicon, np.where(lexicon.word >= 0, -lexicon.word, -no_word))
    return np.stack([first, best_below(lexicon, lexicon.word) + 1], axis=1)


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
