"""The interface of all searches, which decodes files and live input alike."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class Token:
    """A decoded token and its position in the recording."""

    number: int
    start: int
    """First of its frames on the path."""
    end: int
    """One past its last frame."""
    log_prob: float
    """Its highest log-probability in these frames."""
    agreement: float | None = None
    """Probability of the texts with its word among the best ones of a search that ranks them again; None without."""
    fit: float = 1.0
    """How well the phones of its text fit the sound, as `forced_alignment.fit` measures it; 1 without phones."""


class Stream(Protocol):
    """The search of one utterance, whose log-probs come in chunks."""

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames, any number of them. Shape: (T, V), natural logarithm."""
        ...

    def best(self) -> list[Token]:
        """The tokens of the best text so far, in order of time; more may follow."""
        ...

    def agreed(self, margin: float) -> int:
        """The number of tokens with which all texts begin whose score is at most `margin` below the best one's."""
        ...

    def commit(self, count: int) -> None:
        """Drop the texts that do not begin with the first `count` tokens of `best()`, so that these never change."""
        ...

    def finish(self) -> list[Token]:
        """The tokens of the best text if the utterance ends here, in order of time."""
        ...


class Search(Protocol):
    """A search for the text of an utterance. Thread-safe."""

    def start(self) -> Stream:
        """Begin an utterance."""
        ...


def decode(search: Search, log_probs: np.ndarray) -> list[Token]:
    """Decode a whole utterance to the tokens of its best text. Shape: log_probs (T, V), natural logarithm."""
    stream = search.start()
    stream.feed(log_probs)
    return stream.finish()
