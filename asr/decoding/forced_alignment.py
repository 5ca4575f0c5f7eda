"""CTC forced alignment: finds the frames of each token of a known text."""

import math
from collections.abc import Sequence

import numpy as np

from asr.decoding.protocol import Token
from asr.errors import DataError
from asr.text import BLANK

MEMORY_BYTES = 64 * 2**20
"""Memory limit for the backpointers of a long alignment."""


def best_path(log_probs: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The token of each frame, or blank, on the likeliest path for `tokens`.

    Shape: log_probs (T, V), natural logarithm -> (T,)

    Raises:
        DataError: there are fewer frames than tokens and the blanks between equal ones.
    """
    return _labels(_states(log_probs, tokens), tokens)


def align(log_probs: np.ndarray, tokens: Sequence[int]) -> list[Token]:
    """Align tokens with the frames of the likeliest path. For the output of `greedy` this returns it unchanged.

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
    """Collects the log-probs of an utterance that comes in chunks, to align the tokens of its text with them."""

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []

    def add(self, log_probs: np.ndarray) -> None:
        """Append the next frames. Shape: (T, V)"""
        self._chunks.append(log_probs)

    @property
    def log_probs(self) -> np.ndarray | None:
        """All frames; None before the first chunk. Shape: (T, V)"""
        return np.concatenate(self._chunks) if self._chunks else None

    def align(self, tokens: Sequence[int]) -> list[Token]:
        """Align tokens with the likeliest path; empty before the first chunk."""
        log_probs = self.log_probs
        return [] if log_probs is None else align(log_probs, tokens)


def _states(log_probs: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The state of each frame, non-decreasing; see `asr.decoding.viterbi`. Shape: (T, V) -> (T,)"""
    from asr.decoding import viterbi

    numbers = np.array(tokens, np.int64)
    needed = len(numbers) + int((numbers[1:] == numbers[:-1]).sum())
    if len(log_probs) < needed:
        raise DataError(
            f"The audio has {len(log_probs)} frames, but the text needs {needed}, one for each token and one between "
            "two equal tokens: the text does not belong to this audio, or the audio is cut off."
        )
    # At least sqrt(8 T) frames, where the moves of a block (1 byte each) equal the scores of all blocks (8 bytes each).
    block = max(1, MEMORY_BYTES // (2 * len(numbers) + 1), math.isqrt(8 * len(log_probs)))
    return viterbi.best_path(np.ascontiguousarray(log_probs, np.float32), numbers, block)


def _labels(states: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """Map states to tokens. Shape: (T,) -> (T,)"""
    labels = np.full(2 * len(tokens) + 1, BLANK)
    labels[1::2] = tokens
    return labels[states]
