"""CTC forced alignment: where in the sound the tokens of a known text lie."""

import math
from collections.abc import Sequence

import numpy as np

from asr.decoding.protocol import Token
from asr.errors import DataError
from asr.text import BLANK

MEMORY_BYTES = 64 * 2**20
"""What the moves of a long alignment may take at a time."""


def best_path(log_probs: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The token of each frame on the likeliest path that reads `tokens`, blanks included.

    Shape: log_probs (T, V), natural logarithm -> (T,)

    Raises:
        DataError: there are fewer frames than tokens and the blanks between equal ones.
    """
    return _labels(_states(log_probs, tokens), tokens)


def align(log_probs: np.ndarray, tokens: Sequence[int]) -> list[Token]:
    """Where the likeliest path has each token. Of the tokens that `greedy` finds it is what `greedy` says.

    Shape: log_probs (T, V), natural logarithm

    Raises:
        DataError: there are fewer frames than tokens and the blanks between equal ones.
    """
    states = _states(log_probs, tokens)
    starts = np.searchsorted(states, 2 * np.arange(len(tokens)) + 1)
    ends = np.searchsorted(states, 2 * np.arange(len(tokens)) + 1, side="right")
    return [
        Token(int(token), int(start), int(end), float(log_probs[start:end, token].max()))
        for token, start, end in zip(tokens, starts, ends, strict=True)
    ]


class Frames:
    """The log-probs of an utterance that comes in parts, kept so that the tokens of its text can be placed in it."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []

    def add(self, log_probs: np.ndarray) -> None:
        """Append the next frames. Shape: (T, V)"""
        self._parts.append(log_probs)

    @property
    def log_probs(self) -> np.ndarray | None:
        """All frames; None before the first part. Shape: (T, V)"""
        return np.concatenate(self._parts) if self._parts else None

    def place(self, tokens: Sequence[int]) -> list[Token]:
        """Where the likeliest path has each token."""
        log_probs = self.log_probs
        return [] if log_probs is None else align(log_probs, tokens)


def _states(log_probs: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The state of each frame, see `asr.decoding.viterbi`; it never falls. Shape: (T, V) -> (T,)"""
    from asr.decoding import viterbi

    numbers = np.array(tokens, np.int64)
    needed = len(numbers) + int((numbers[1:] == numbers[:-1]).sum())
    if len(log_probs) < needed:
        raise DataError(
            f"The sound has {len(log_probs)} frames, and the text needs {needed}, one for each token and one between "
            "two equal ones: it is not the text of this sound, or the sound is cut off."
        )
    # At least so many that the moves of a block (1 byte each) take as much as a row of scores (8 bytes) of each block.
    block = max(1, MEMORY_BYTES // (2 * len(numbers) + 1), math.isqrt(8 * len(log_probs)))
    return viterbi.best_path(np.ascontiguousarray(log_probs, np.float32), numbers, block)


def _labels(states: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The tokens of states. Shape: (T,) -> (T,)"""
    labels = np.full(2 * len(tokens) + 1, BLANK)
    labels[1::2] = tokens
    return labels[states]
