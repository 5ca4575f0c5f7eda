"""Pruning and recombination of the prefixes after each frame, compiled with numba."""

from typing import NamedTuple

import numpy as np

from asr.compiled import njit_noalloc
from asr.decoding.beam.rules import Record

PREFIX = np.dtype(
    [
        ("node", np.int32),
        ("token", np.int32),  # -1; while a frame is processed, the token that extends the node, if any
        ("blank", np.float64),  # log-probability of the paths that end in a blank
        ("other", np.float64),  # of the paths that end in the last token
        ("total", np.float64),  # of both
        ("score", np.float64),  # `total` plus the score of the text by the rules
        ("key", np.uint64),  # recombination key: a hash of everything that affects the scores of its continuations
    ]
)

MERGE = np.dtype(
    [
        ("node", np.int32),  # the prefix that was recombined into another, the winner
        ("next", np.int32),  # the previous merge with the same winner; 0: none
        ("difference", np.float64),  # CTC log-probability of its paths minus that of the winner's
    ]
)


class Pruning(NamedTuple):
    """Pruning limits; the fields are those of `asr.decoding.beam.options.BeamOptions`."""

    width: int
    threshold: float
    tokens: int
    token_threshold: float
    recombine: bool
    several: bool
    """Whether recombined prefixes are recorded for n-best lists."""


class Beam(NamedTuple):
    """The state of the search between two frames."""

    counts: np.ndarray
    """Number of prefixes in the beam, of nodes in the tree, of used entries of `merges`. Shape: (3,)"""
    prefixes: Record
    """Of type PREFIX; only the first `counts[0]` are valid. Shape: (width,)"""
    merges: Record
    """Of type MERGE, from index 1 on. Shape: (M,)"""


@njit_noalloc
def nth_highest(values: np.ndarray, n: int) -> float:
    """The n-th highest value (Hoare's quickselect); reorders the values."""
    low, high, wanted = 0, len(values) - 1, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@njit_noalloc
def lowest(prefixes: Record) -> float:
    """The lowest score."""
    score = np.inf
    for place in range(len(prefixes)):
        score = min(score, prefixes[place].score)
    return score


@njit_noalloc
def highest(prefixes: Record) -> float:
    """The highest score."""
    score = -np.inf
    for place in range(len(prefixes)):
        score = max(score, prefixes[place].score)
    return score


@njit_noalloc
def keep_best(prefixes: Record, count: int, width: int, scratch: np.ndarray) -> int:
    """Move the `width` best of `count` prefixes to the front, keeping their order; ties go to the first ones."""
    if count <= width:
        return count
    for place in range(count):
        scratch[place] = prefixes[place].score
    cut = nth_highest(scratch[:count], width)
    ties = width
    for place in range(count):
        ties -= prefixes[place].score > cut
    num_kept = 0
    for place in range(count):
        score = prefixes[place].score
        if score > cut or (score == cut and ties > 0):
            ties -= score == cut
            prefixes[num_kept] = prefixes[place]
            num_kept += 1
    return num_kept


@njit_noalloc
def best_per_key(prefixes: Record, count: int, table: np.ndarray, best: np.ndarray) -> None:
    """Set `best` for each of `count` prefixes to the index of the best one with the same recombination key.

    `table` is scratch space: a hash table of indices with linear probing. Shape: (2^n,), 2^n > count
    """
    table[:] = -1
    mask = np.uint64(len(table) - 1)
    for place in range(count):
        new = prefixes[place]
        slot = new.key & mask
        while table[slot] >= 0 and prefixes[table[slot]].key != new.key:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0 or prefixes[table[slot]].score < new.score:
            table[slot] = place
        best[place] = slot
    for place in range(count):
        best[place] = table[best[place]]


@njit_noalloc
def record_merge(beam: Beam, nodes: Record, winner: Record, loser: Record) -> None:
    """Record in the tree that a prefix was recombined into a better one with the same key."""
    merges, node = beam.merges, nodes[winner.node]
    difference = loser.total - winner.total
    place = node.merged
    while place != 0:
        if merges[place].node == loser.node:
            merges[place].difference = max(merges[place].difference, difference)
            return
        place = merges[place].next
    place = beam.counts[2]
    beam.counts[2] += 1
    merges[place].node, merges[place].next, merges[place].difference = loser.node, node.merged, difference
    node.merged = place
