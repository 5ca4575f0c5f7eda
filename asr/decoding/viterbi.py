"""Viterbi search for the likeliest path of a known text, compiled with numba."""

from typing import NamedTuple

import numpy as np

from asr.compiled import compiled, njit_noalloc
from asr.text import BLANK

SKIP = 3
"""The move of a path that leaves a word out; other moves are numbers of states."""


class Text(NamedTuple):
    """A text as states: state 2 i + 1 is token i, and state 2 i the blank before it; one more blank follows."""

    tokens: np.ndarray
    """Shape: (L,)"""
    filler_cost: np.ndarray
    """What a frame of sound that is not in the text costs in a state; infinite where that cannot be. Shape: (2 L +
    1,)"""
    skipped_from: np.ndarray
    """The state from which a word may be left out to get to this one; -1 for none. Shape: (2 L + 1,)"""
    skip_cost: np.ndarray
    """What that costs, as a log-probability. Shape: (2 L + 1,)"""


@njit_noalloc
def step(  # noqa: PLR0917
    before: np.ndarray, after: np.ndarray, row: np.ndarray, likeliest: float, text: Text, moves: np.ndarray
) -> None:
    """Advance by one frame: the best score of each state, and the move by which the path came to it.

    Shape: before, after, moves (2 L + 1,); row (V,); likeliest: the largest log-probability of a token
    """
    for state in range(len(after)):
        best, move = before[state], 0
        if state >= 1 and before[state - 1] > best:
            best, move = before[state - 1], 1
        if state % 2 == 1:
            token = text.tokens[state // 2]
            if state >= 3 and before[state - 2] > best and token != text.tokens[state // 2 - 1]:
                best, move = before[state - 2], 2
            emission = row[token]
        else:
            emission = row[BLANK]
            if text.filler_cost[state] < np.inf:
                emission = max(emission, likeliest - text.filler_cost[state])
                origin = text.skipped_from[state]
                if origin >= 0 and before[origin] - text.skip_cost[state] > best:
                    best, move = before[origin] - text.skip_cost[state], SKIP
        after[state], moves[state] = best + emission, move


@compiled
def best_path(log_probs: np.ndarray, likeliest: np.ndarray, text: Text, block: int) -> np.ndarray:
    """The state of each frame on the likeliest path (Viterbi 1967).

    Moves are stored for one block of `block` frames at a time; during the traceback they are recomputed from the scores
    at the start of each block. This needs `block` * (2 L + 1) bytes and T / `block` rows of scores, and a recording
    that fits into one block is processed only once. Shape: log_probs (T, V), likeliest (T,) -> (T,)
    """
    num_frames, num_states = len(log_probs), 2 * len(text.tokens) + 1
    num_blocks = -(-num_frames // block)
    scores = np.empty((num_blocks, num_states))
    before, after = np.full(num_states, -np.inf), np.empty(num_states)
    moves = np.empty((min(block, num_frames), num_states), np.int8)
    before[0] = 0.0
    for frame in range(num_frames):
        if frame % block == 0:
            scores[frame // block] = before
        step(before, after, log_probs[frame], likeliest[frame], text, moves[frame % block])
        before, after = after, before

    path = np.empty(num_frames, np.int64)
    state = num_states - 1
    if num_states > 1 and before[state] <= before[state - 1]:
        state -= 1
    for number in range(num_blocks - 1, -1, -1):
        first, last = number * block, min((number + 1) * block, num_frames)
        if number < num_blocks - 1:
            before[:] = scores[number]
            for frame in range(first, last):
                step(before, after, log_probs[frame], likeliest[frame], text, moves[frame - first])
                before, after = after, before
        for frame in range(last - 1, first - 1, -1):
            path[frame] = state
            move = moves[frame - first, state]
            state = text.skipped_from[state] if move == SKIP else state - move
    return path
