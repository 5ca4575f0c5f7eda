"""Compiled pruning of a search: which prefixes are kept after a frame, and what is noted of the others (numba)."""

from typing import NamedTuple

import numpy as np

from asr.decoding.beam.rules import Record
from asr.decoding.compiled import njit_noalloc

PREFIX = np.dtype(
    [
        ("node", np.int32),
        ("token", np.int32),  # -1; while a frame is searched, the token that is to follow the node
        ("blank", np.float64),  # log-probability of the paths that end in a blank
        ("other", np.float64),  # of those that end in the last token
        ("total", np.float64),  # of both
        ("score", np.float64),  # `total` and what the rules add
        ("future", np.uint64),  # a hash of all that decides what it can still gain
    ]
)

MERGE = np.dtype(
    [
        ("node", np.int32),  # the prefix that was left out
        ("next", np.int32),  # the one before it that was left out for the same; 0: none
        ("lost", np.float64),  # by how much its paths are less likely than those of the prefix that was kept
    ]
)


class Pruning(NamedTuple):
    """How much is searched; the fields are those of `asr.decoding.beam.options.BeamOptions`."""

    width: int
    threshold: float
    tokens: int
    token_threshold: float
    recombine: bool
    several: bool
    """Whether what recombination leaves out is remembered."""


class Beam(NamedTuple):
    """The search state between two frames."""

    counts: np.ndarray
    """Prefixes in the beam, nodes in the tree, places of `merges` that are taken. Shape: (3,)"""
    prefixes: Record
    """Of type PREFIX; the first `counts[0]` count. Shape: (width,)"""
    merges: Record
    """Of type MERGE, from place 1 on. Shape: (M,)"""


@njit_noalloc
def nth_highest(values: np.ndarray, n: int) -> float:
    """The n-th highest value; the values are put in another order (Hoare's quickselect)."""
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
def keep_best(prefixes: Record, count: int, width: int, scratch: np.ndarray) -> int:
    """Move the `width` best of `count` prefixes to the front in their order, of equal ones the first."""
    if count <= width:
        return count
    for place in range(count):
        scratch[place] = prefixes[place].score
    cut = nth_highest(scratch[:count], width)
    ties = width
    for place in range(count):
        ties -= prefixes[place].score > cut
    kept = 0
    for place in range(count):
        score = prefixes[place].score
        if score > cut or (score == cut and ties > 0):
            ties -= score == cut
            prefixes[kept] = prefixes[place]
            kept += 1
    return kept


@njit_noalloc
def best_of_future(prefixes: Record, count: int, table: np.ndarray, best: np.ndarray) -> None:
    """For each of `count` prefixes, the place of the best among those that have its future.

    `table` is for this function alone: a hash table of places, open to the next free slot. Shape: (2^n,), 2^n > count
    """
    table[:] = -1
    mask = np.uint64(len(table) - 1)
    for place in range(count):
        new = prefixes[place]
        slot = new.future & mask
        while table[slot] >= 0 and prefixes[table[slot]].future != new.future:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0 or prefixes[table[slot]].score < new.score:
            table[slot] = place
        best[place] = slot
    for place in range(count):
        best[place] = table[best[place]]


@njit_noalloc
def remember(beam: Beam, nodes: Record, kept: Record, left_out: Record) -> None:
    """Note that a prefix, in the tree, was left out for another, which has the same future."""
    merges, winner = beam.merges, nodes[kept.node]
    lost = left_out.total - kept.total
    place = winner.merged
    while place != 0:
        if merges[place].node == left_out.node:
            merges[place].lost = max(merges[place].lost, lost)
            return
        place = merges[place].next
    place = beam.counts[2]
    beam.counts[2] += 1
    merges[place].node, merges[place].next, merges[place].lost = left_out.node, winner.merged, lost
    winner.merged = place
