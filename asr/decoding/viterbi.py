"""Viterbi search for the likeliest path of a known text, compiled with numba."""

import numpy as np

from asr.compiled import compiled, njit_noalloc
from asr.text import BLANK


@njit_noalloc
def step(before: np.ndarray, after: np.ndarray, row: np.ndarray, tokens: np.ndarray, moves: np.ndarray) -> None:
    """Advance by one frame: the best score of each state, and the number of states by which the path moved on.

    State 2 i + 1 is token i, and state 2 i the blank before it.
    Shape: before, after, moves (2 L + 1,); row (V,); tokens (L,)
    """
    for state in range(len(after)):
        best, move = before[state], 0
        if state >= 1 and before[state - 1] > best:
            best, move = before[state - 1], 1
        token = BLANK
        if state % 2 == 1:
            token = tokens[state // 2]
            if state >= 3 and before[state - 2] > best and token != tokens[state // 2 - 1]:
                best, move = before[state - 2], 2
        after[state], moves[state] = best + row[token], move


@compiled
def best_path(log_probs: np.ndarray, tokens: np.ndarray, block: int) -> np.ndarray:
    """The state of each frame on the likeliest path (Viterbi 1967), states as in `step`.

    Moves are stored for one block of `block` frames at a time; during the traceback they are recomputed from the scores
    at the start of each block. This needs `block` * (2 L + 1) bytes and T / `block` rows of scores, and a recording
    that fits into one block is processed only once. Shape: log_probs (T, V), tokens (L,) -> (T,)
    """
    num_frames, num_states = len(log_probs), 2 * len(tokens) + 1
    num_blocks = -(-num_frames // block)
    scores = np.empty((num_blocks, num_states))
    before, after = np.full(num_states, -np.inf), np.empty(num_states)
    moves = np.empty((min(block, num_frames), num_states), np.int8)
    before[0] = 0.0
    for frame in range(num_frames):
        if frame % block == 0:
            scores[frame // block] = before
        step(before, after, log_probs[frame], tokens, moves[frame % block])
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
                step(before, after, log_probs[frame], tokens, moves[frame - first])
                before, after = after, before
        for frame in range(last - 1, first - 1, -1):
            path[frame] = state
            state -= moves[frame - first, state]
    return path
