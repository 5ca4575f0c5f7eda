"""CTC forced alignment: finds the frames of each token of a known text."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from asr.decoding.protocol import Token
from asr.errors import DataError
from asr.text import BLANK

MEMORY_BYTES = 64 * 2**20
"""Memory limit for the backpointers of a long alignment."""

OUTER_COST, INNER_COST = 1.5, 3.0
"""What a frame of sound that is not in the text costs, as a log-probability, beyond its likeliest token: before the
first and after the last word, and between words."""

SKIP_COST = 6.0
"""What each token of a word costs that is not in the sound. All were tuned on a dev part of LibriSpeech with other
speech put before, after and into each utterance (`scripts/foreign_speech.py`)."""


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
    return _timed(_states(log_probs, tokens), log_probs, tokens)


def align_words(log_probs: np.ndarray, tokens: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[Token]:
    """Align the words of a text where the sound and the text need not be the same.

    Before and after each word there may be sound that is not in the text, such as an announcement, and a word may not
    be in the sound: then its tokens have no frames and the log-probability -inf.

    Shape: log_probs (T, V), natural logarithm

    Args:
        log_probs: of the recording.
        tokens: of the text.
        spans: of each word: its first token, and the first one after it.

    Raises:
        DataError: there are fewer frames than tokens and the blanks between equal ones.
    """
    return _timed(_states(log_probs, tokens, spans), log_probs, tokens)


def fit(log_probs: np.ndarray, tokens: Sequence[int]) -> float:
    """How probable the likeliest path for `tokens` is beside the likeliest path of all, per frame: above 0, at most 1.

    Of words of the right language little separates the two; of others, and of music, a free choice of tokens says much
    better what is to be heard. Shape: log_probs (T, V), natural logarithm; T of 0 fits all

    Raises:
        DataError: there are fewer frames than tokens and the blanks between equal ones.
    """
    if not len(log_probs):
        return 1.0
    path = best_path(log_probs, tokens)
    behind = log_probs.max(axis=1) - log_probs[np.arange(len(path)), path]
    return math.exp(-behind.mean(dtype=np.float64))


def _timed(states: np.ndarray, log_probs: np.ndarray, tokens: Sequence[int]) -> list[Token]:
    """The tokens with their frames, from the state of each frame."""
    starts = np.searchsorted(states, 2 * np.arange(len(tokens)) + 1)
    ends = np.searchsorted(states, 2 * np.arange(len(tokens)) + 1, side="right")
    return [
        Token(int(token), int(start), int(end), float(log_probs[start:end, token].max(initial=-math.inf)))
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


def _states(log_probs: np.ndarray, tokens: Sequence[int], spans: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    """The state of each frame, non-decreasing; see `asr.decoding.viterbi`. Shape: (T, V) -> (T,)"""
    from asr.decoding import viterbi

    numbers = np.array(tokens, np.int64)
    needed = frames_needed(tokens)
    if len(log_probs) < needed:
        raise DataError(
            f"The audio has {len(log_probs)} frames, but the text needs {needed}, one for each token and one between "
            "two equal tokens: the text does not belong to this audio, or the audio is cut off."
        )
    # At least sqrt(8 T) frames, where the moves of a block (1 byte each) equal the scores of all blocks (8 bytes each).
    block = max(1, MEMORY_BYTES // (2 * len(numbers) + 1), math.isqrt(8 * len(log_probs)))
    count = 2 * len(numbers) + 1
    filler_cost, skipped_from, skip_cost = np.full(count, np.inf), np.full(count, -1), np.zeros(count)
    for number, (first, last) in enumerate(spans):
        after = spans[number + 1][0] if number + 1 < len(spans) else last
        filler_cost[[2 * first, 2 * last]] = INNER_COST
        skipped_from[2 * after], skip_cost[2 * after] = 2 * first, SKIP_COST * (last - first)
    if spans:
        filler_cost[[0, -1]] = OUTER_COST
    text = viterbi.Text(numbers, filler_cost, skipped_from, skip_cost)
    log_probs = np.ascontiguousarray(log_probs, np.float32)
    likeliest = np.delete(log_probs, BLANK, axis=1).max(axis=1, initial=-np.inf)
    return viterbi.best_path(log_probs, likeliest.astype(np.float64), text, block)


def frames_needed(tokens: Sequence[int]) -> int:
    """The fewest frames that can carry tokens: one each, and a blank between two equal ones."""
    return len(tokens) + sum(one == other for one, other in itertools.pairwise(tokens))


def _labels(states: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """Map states to tokens. Shape: (T,) -> (T,)"""
    labels = np.full(2 * len(tokens) + 1, BLANK)
    labels[1::2] = tokens
    return labels[states]
