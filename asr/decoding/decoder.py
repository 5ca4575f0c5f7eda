"""Log-probs -> tokens with confidence, however they are searched for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asr.decoding.greedy import Token, greedy
from asr.text import BLANK

Search = Callable[[np.ndarray], list[Token]]
"""Finds the tokens in log-probs. Shape: (T, V) -> tokens in order of time"""


@dataclass(frozen=True)
class Decoder:
    """A search, and how its confidence is read. Safe to use from several threads."""

    search: Search = greedy
    temperature: float = 1.0
    """What log-probs are divided by before the confidence is read off them."""
    about: str = "greedy (best path), no language model"
    """For reports."""
    remark: str = ""
    """What the user should know, such as weights that were not tuned; empty for nothing."""

    def __call__(self, log_probs: np.ndarray) -> list[Token]:
        """The tokens of a recording. Shape: log_probs (T, V), natural logarithm."""
        return tempered(self.search(log_probs), log_probs, self.temperature)


def tempered(tokens: Sequence[Token], log_probs: np.ndarray, temperature: float) -> list[Token]:
    """The tokens with the probability they have when the log-probs are divided by a temperature.

    Above 1 it makes a model less sure of itself, below 1 surer; no text changes. Shape: log_probs (T, V)
    """
    if temperature == 1 or not tokens:
        return list(tokens)
    scaled = log_probs / np.float32(temperature)
    scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    return [replace(token, log_prob=float(scaled[token.start : token.end, token.number].max())) for token in tokens]


def in_pieces(search: Search, limit: int) -> Search:
    """The same search, of a recording of any length piece by piece, each of at most `limit` frames."""

    def search_all(log_probs: np.ndarray) -> list[Token]:
        return [
            replace(token, start=token.start + first, end=token.end + first)
            for first, last in pieces(log_probs, limit)
            for token in search(log_probs[first:last])
        ]

    return search_all


def pieces(log_probs: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Cut a recording where nothing is said: (first frame, one past the last) of each piece, in order.

    What fits into `limit` frames is one piece. From more, pieces are cut off in the middle of the longest stretch in
    which the blank is the likeliest token, or else at the likeliest blank, not before a third of `limit`.
    Shape: log_probs (T, V)
    """
    cuts = [0]
    while len(log_probs) - cuts[-1] > limit:
        low, high = cuts[-1] + max(1, limit // 3), cuts[-1] + limit + 1
        rows = log_probs[low:high]
        edges = np.diff(np.r_[False, rows.argmax(axis=1) == BLANK, False].astype(np.int8))
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        if len(starts):
            longest = int((ends - starts).argmax())
            cut = low + int(starts[longest] + ends[longest]) // 2
        else:
            cut = low + int(rows[:, BLANK].argmax())
        cuts.append(cut)
    return list(zip(cuts, [*cuts[1:], len(log_probs)], strict=True))
