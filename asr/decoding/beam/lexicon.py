"""Words as a trie in flat arrays, and what each token of a model adds to a word.

A letter is a number: its place in the model's sorted alphabet. Node 0 is the root, before any letter.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from asr.text import WORD_START, SubwordTokenizer, Tokenizer


class Spelling(NamedTuple):
    """What each of V tokens does to the text, whether it is a character or a piece of a word."""

    ends_word: np.ndarray
    """Whether the word before the token is over. Shape: (V,)"""
    first: np.ndarray
    """Token v adds `letters[first[v] : first[v + 1]]`. Shape: (V + 1,)"""
    letters: np.ndarray


class Lexicon(NamedTuple):
    """Words that share their beginnings."""

    first: np.ndarray
    """The first child of each node; the others follow it, in the order of their letters. Shape: (N,)"""
    letters: np.ndarray
    """The letters that lead to children: bit l % 64 of column l // 64 stands for letter l. Shape: (N, L)"""
    word: np.ndarray
    """The word that is complete in a node, as its place in the list of words; else -1. Shape: (N,)"""
    parent: np.ndarray
    """The node one letter before. Shape: (N,)"""


def spelling(tokenizer: Tokenizer) -> Spelling:
    """How the tokens of a model spell words; the blank adds nothing."""
    if isinstance(tokenizer, SubwordTokenizer):
        mark, pieces = WORD_START, ["", *tokenizer.pieces]
    else:
        mark, pieces = " ", ["", *tokenizer.alphabet]
    letters, lengths = _letters([piece.removeprefix(mark) for piece in pieces], tokenizer.alphabet)
    first = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return Spelling(np.array([piece.startswith(mark) for piece in pieces]), first, letters)


def build(words: Sequence[str], alphabet: str) -> Lexicon:
    """The trie of the words that an alphabet can write; the others are left out. Of equal words the last one counts."""
    order = sorted(range(len(words)), key=words.__getitem__)
    letters, lengths = _letters([words[place] for place in order], alphabet)
    starts = np.cumsum(lengths) - lengths
    foreign = np.add.reduceat(np.r_[letters < 0, False], starts) if len(starts) else np.zeros(0)
    kept = (lengths > 0) & (foreign == 0)
    places, starts, lengths = np.array(order, np.int32)[kept], starts[kept], lengths[kept]

    node = np.zeros(len(places), np.int32)  # where each word stands after `depth` letters
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
    """For each node the first place in the list of a word at or below it, and one more than the last.

    Where the list is in order, all words between have the beginning that the node stands for. Shape: -> (N, 2), int32
    """
    beyond = np.iinfo(np.int32).max
    first = -best_below(lexicon, np.where(lexicon.word >= 0, -lexicon.word, -beyond))
    return np.stack([first, best_below(lexicon, lexicon.word) + 1], axis=1)


def best_below(lexicon: Lexicon, values: np.ndarray) -> np.ndarray:
    """The highest of the values of all nodes at or below a node. Shape: (N,) -> (N,)"""
    best = values.copy()
    edges = [0, 1]  # the nodes of one depth are neighbours, and all their children are the next depth
    while edges[-1] < len(best):
        edges.append(int(lexicon.first[edges[-1]]))
    for start, end in reversed(list(itertools.pairwise(edges))[1:]):
        np.maximum.at(best, lexicon.parent[start:end], best[start:end])
    return best


def _letters(words: Sequence[str], alphabet: str) -> tuple[np.ndarray, np.ndarray]:
    """The letters of all words, one after the other, -1 for one outside the alphabet; and the words' lengths."""
    known = np.array(sorted(map(ord, alphabet)), np.uint32)
    codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
    numbers = np.searchsorted(known, codes).clip(max=len(known) - 1)
    numbers = np.where(known[numbers] == codes, numbers, -1)
    return numbers.astype(np.int32), np.array([len(word) for word in words], np.int64)
