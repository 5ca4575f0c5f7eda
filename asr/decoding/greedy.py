"""Best-path CTC decoding: the likeliest token of every frame, repeats merged, blanks dropped (Graves et al. 2006)."""

from dataclasses import dataclass

import numpy as np

from asr.decoding.protocol import Token
from asr.text import BLANK


def greedy(log_probs: np.ndarray) -> list[Token]:
    """Decode the best path. Shape: log_probs (T, V), natural logarithm."""
    if len(log_probs) == 0:
        return []
    best = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.r_[True, best[1:] != best[:-1]])
    ends = np.r_[starts[1:], len(best)]
    return [
        Token(int(best[start]), int(start), int(end), float(log_probs[start:end, best[start]].max()))
        for start, end in zip(starts, ends, strict=True)
        if best[start] != BLANK
    ]


@dataclass(frozen=True)
class GreedySearch:
    """`greedy` as a `Search`."""

    def start(self) -> "GreedyStream":
        """Begin an utterance."""
        return GreedyStream()


class GreedyStream:
    """Greedy decoding of one utterance that comes in chunks."""

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames. Shape: (T, V)"""
        self._chunks.append(log_probs)

    def best(self) -> list[Token]:
        """The tokens of the best path so far."""
        return greedy(np.concatenate(self._chunks)) if self._chunks else []

    def agreed(self, margin: float) -> int:
        """The number of tokens so far: there is only one text."""
        return len(self.best())

    def commit(self, count: int) -> None:
        """Do nothing: there is only one text."""

    def finish(self) -> list[Token]:
        """The same as `best`: the end of the utterance changes nothing."""
        return self.best()


GREEDY = GreedySearch()
