"""The n-grams of a back-off language model as a trie in flat arrays.

Node 0 is the empty context and node w + 1 the 1-gram of word w. The nodes of order 2, 3, ... follow, each order sorted
by parent and word, so that the children of a node are contiguous. A state of the model is a node number: the longest
context that can still affect what follows. Histories with the same state give the same probabilities from there on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 1 << 20
"""Number of n-grams looked up at a time while a trie is built."""


class Trie(NamedTuple):
    """The arrays of a model with N nodes, of which the first C are below the highest order; read-only."""

    word: np.ndarray
    """The last word of each n-gram. Shape: (N,), int32; -1 for node 0."""
    log_prob: np.ndarray
    """Natural log-probability of that word given the others. Shape: (N,), float32; 0 for node 0."""
    suffix: np.ndarray
    """The node to back off to: the longest proper suffix that matters as a context. Shape: (N,), int32."""
    backoff: np.ndarray
    """Natural logarithm of the back-off weight. Shape: (C,), float32."""
    first_child: np.ndarray
    """The children of node c are first_child[c] to first_child[c + 1] - 1. Shape: (C + 1,), int32."""


class Level(NamedTuple):
    """The n-grams of one order in file order."""

    words: np.ndarray
    """Word numbers, oldest first. Shape: (K, order), int32."""
    log_prob: np.ndarray
    """Natural logarithm. Shape: (K,), float32."""
    backoff: np.ndarray
    """Natural logarithm. Shape: (K,), float32."""


class Misfit(Exception):
    """An n-gram that cannot be inserted: its order and index, and the reason."""

    def __init__(self, order: int, index: int, reason: str) -> None:
        super().__init__(reason)
        self.order, self.index, self.reason = order, index, reason


def bounds(trie: Trie, order: int) -> list[int]:
    """The first node of each order from 1 up, and the number of nodes."""
    firsts = [1]
    for _ in range(order - 1):
        firsts.append(int(trie.first_child[firsts[-1]]))
    return [*firsts, len(trie.word)]


def check(trie: Trie, num_words: int) -> None:
    """Raise ValueError where compiled code, which checks nothing, could leave the arrays or never come to an end.

    Suffixes and children have to lie within the arrays, a suffix before its node and children after it.
    """
    nodes, contexts = len(trie.word), len(trie.backoff)
    if not 0 < num_words < nodes or not num_words < contexts + num_words or contexts > nodes:
        raise ValueError("its arrays do not fit together")
    for name, array, dtype, length in (
        ("word", trie.word, np.int32, nodes),
        ("log_prob", trie.log_prob, np.float32, nodes),
        ("suffix", trie.suffix, np.int32, nodes),
        ("backoff", trie.backoff, np.float32, contexts),
        ("first_child", trie.first_child, np.int32, contexts + 1),
    ):
        if array.dtype != dtype or array.shape != (length,):
            raise ValueError(f"its array `{name}` has the wrong type or length")
    numbers = np.arange(nodes, dtype=np.int32)
    if trie.word[0] != -1 or (trie.word[1:] < 0).any() or (trie.word[1:] >= num_words).any():
        raise ValueError("a word number is out of range")
    if trie.suffix[0] != 0 or (trie.suffix < 0).any() or (trie.suffix[1:] >= numbers[1:]).any():
        raise ValueError("a suffix is out of range")
    first = trie.first_child
    is_inside = first[0] == 1 and first[-1] <= nodes and (first[1:] >= first[:-1]).all()
    if not is_inside or (first[:-1] <= numbers[:contexts]).any():
        raise ValueError("children are out of range")
    if not (np.isfinite(trie.log_prob).all() and np.isfinite(trie.backoff).all()):
        raise ValueError("a number is not finite")


def build(levels: Sequence[Level]) -> Trie:
    """Build the trie from n-grams of the orders 1, 2, ...; the 1-gram of word w must be the w-th.

    The suffix of an n-gram may be missing (as after SRILM's pruning): it then backs off to the next shorter one.

    Raises:
        Misfit: the context of an n-gram is missing, or an n-gram is a duplicate.
    """
    size = len(levels[0].words)
    keys = np.arange(size, dtype=np.int64)
    log_probs, backoffs = [np.zeros(1, np.float32), levels[0].log_prob], [np.zeros(1, np.float32)]
    below = levels[0].backoff
    for order, level in enumerate(levels[1:], start=2):
        node = level.words[:, 0] + np.int64(1)
        for column in range(1, order - 1):
            position = find(keys, node * size + level.words[:, column])
            if (position < 0).any():
                raise Misfit(order, int(np.flatnonzero(position < 0)[0]), "context")
            node = position + 1
        key = node * size + level.words[:, -1]
        ranks = np.argsort(key, kind="stable")
        key = key[ranks]
        if (same := key[1:] == key[:-1]).any():
            raise Misfit(order, int(ranks[1:][same].min()), "twice")
        keys = np.concatenate([keys, key])
        log_probs.append(level.log_prob[ranks])
        backoffs.append(below)
        below = level.backoff[ranks]
    return link(keys, size, np.concatenate(log_probs), np.concatenate(backoffs))


def link(keys: np.ndarray, size: int, log_prob: np.ndarray, backoff: np.ndarray) -> Trie:
    """Compute the children and suffixes of sorted nodes over a vocabulary of `size` words.

    The key of a node is its parent times `size` plus its last word. Shape: keys (N - 1,), int64, from node 1 on;
    log_prob (N,); backoff (C,)
    """
    word = np.empty(len(log_prob), np.int32)
    word[0], word[1:] = -1, keys % size
    first_child = (1 + np.searchsorted(keys, np.arange(len(backoff) + 1) * size)).astype(np.int32)

    longest = np.zeros(len(word), np.int32)  # the longest proper suffix in the trie
    first = 1 + size
    while first < len(word):
        last = int(first_child[min(first, len(backoff))])
        last = last if last > first else len(word)
        context = longest[keys[first - 1 : last - 1] // size]
        unsolved = np.arange(first, last)
        while len(unsolved):
            position = find(keys, context * np.int64(size) + word[unsolved])
            exists = position >= 0
            longest[unsolved[exists]] = position[exists] + 1
            unsolved, context = unsolved[~exists], longest[context[~exists]]
        first = last

    matters = np.zeros(len(word), bool)
    matters[: len(backoff)] = (np.diff(first_child) > 0) | (backoff != 0)
    suffix = longest
    while not (done := matters[suffix] | (suffix == 0)).all():
        suffix = np.where(done, suffix, longest[suffix])
    return frozen(Trie(word, log_prob, suffix, backoff, first_child))


def keys_of(trie: Trie, size: int) -> np.ndarray:
    """The keys of a trie, as in `link`. Shape: -> (N - 1,), int64"""
    parent = np.repeat(np.arange(len(trie.first_child) - 1), np.diff(trie.first_child))
    return parent * np.int64(size) + trie.word[1:]


def renumbered(keys: np.ndarray, counts: Sequence[int], rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The keys of the same trie after renumbering word w to `rank[w]`, and the old number of each node.

    Shape: keys (N - 1,), rank (size,) -> (N - 1,), (N,)
    """
    size = np.int64(len(rank))
    new_number, was = np.zeros(len(keys) + 1, np.int64), np.zeros(len(keys) + 1, np.int64)
    new_keys = np.empty_like(keys)
    first = 1
    for count in counts:
        nodes = slice(first, first + count)
        parent, word = np.divmod(keys[first - 1 : first - 1 + count], size)
        key = new_number[parent] * size + rank[word]
        in_order = np.argsort(key)
        new_keys[first - 1 : first - 1 + count] = key[in_order]
        was[nodes] = first + in_order
        new_number[was[nodes]] = np.arange(first, first + count)
        first += count
    return new_keys, was


def rearranged(trie: Trie, counts: Sequence[int], rank: np.ndarray) -> Trie:
    """The same trie after renumbering word w to `rank[w]`. Shape: rank (size,)"""
    keys, was = renumbered(keys_of(trie, len(rank)), counts, rank)
    now = np.empty(len(was), np.int32)
    now[was] = np.arange(len(was), dtype=np.int32)
    contexts = was[: len(trie.backoff)]
    children = np.diff(trie.first_child)[contexts]
    return frozen(
        Trie(
            word=np.r_[-1, keys % len(rank)].astype(np.int32),
            log_prob=trie.log_prob[was],
            suffix=now[trie.suffix[was]],
            backoff=trie.backoff[contexts],
            first_child=np.r_[1, 1 + np.cumsum(children)].astype(np.int32),
        )
    )


def frozen(trie: Trie) -> Trie:
    """Make the arrays read-only like memory-mapped ones, because numba treats the two as different types."""
    for array in trie:
        array.flags.writeable = False
    return trie


def find(keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Positions of queries in sorted keys, -1 if missing. Shape: keys (K,), queries (Q,) -> (Q,)"""
    if not len(keys):
        return np.full(len(queries), -1)
    position = np.empty(len(queries), np.int64)
    for first in range(0, len(queries), BLOCK):
        block = queries[first : first + BLOCK]
        ranks = np.argsort(block)  # searching in sorted order is several times faster on large arrays
        index = np.empty(len(block), np.int64)
        index[ranks] = np.searchsorted(keys, block[ranks])
        exists = keys[np.minimum(index, len(keys) - 1)] == block
        position[first : first + BLOCK] = np.where(exists, index, -1)
    return position
