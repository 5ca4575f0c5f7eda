"""What every search answers, so that files and live input are decoded alike by any of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text, and where the recording has it."""

    number: int
    start: int
    """First frame in which it is the likeliest."""
    end: int
    """One past the last such frame."""
    log_prob: float
    """Its highest log-probability in those frames."""


class Stream(Protocol):
    """The search of one utterance, whose log-probs come in parts."""

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames, any number of them. Shape: (T, V), natural logarithm."""
        ...

    def best(self) -> list[Token]:
        """The tokens of the best text so far, in order of time; more may follow."""
        ...

    def finish(self) -> list[Token]:
        """The tokens of the best text if the utterance ends here, in order of time."""
        ...


class Search(Protocol):
    """A search for the text of an utterance. Safe to use from several threads."""

    def start(self) -> Stream:
        """Begin an utterance."""
        ...


def decode(search: Search, log_probs: np.ndarray) -> list[Token]:
    """The tokens of the best text of a whole utterance. Shape: log_probs (T, V), natural logarithm."""
    stream = search.start()
    stream.feed(log_probs)
    return stream.finish()
