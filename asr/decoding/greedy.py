"""Best-path CTC decoding: the likeliest token of every frame, repeats merged, blanks dropped (Graves et al. 2006)."""

from dataclasses import dataclass

import numpy as np

from asr.text import BLANK


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a decoder found, and where."""

    number: int
    start: int
    """First frame in which it is the likeliest."""
    end: int
    """One past the last such frame."""
    log_prob: float
    """Its highest log-probability in those frames."""


def greedy(log_probs: np.ndarray) -> list[Token]:
    """The tokens of the best path. Shape: log_probs (T, V), natural logarithm."""
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
