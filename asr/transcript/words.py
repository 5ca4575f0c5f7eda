"""Recognised words with times and confidence, and what the writers of files need of a transcript."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

PAUSE_MS = 700
"""A silence between two words that ends a phrase, and so a cue of subtitles."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, without white space in it; `confidence` lies in [0, 1].

    `channel` is the number, from 1, of the one it was heard on; None where all channels were mixed.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    channel: int | None = None


class TimedText(Protocol):
    """The words of a recording and where they come from: a `Transcript`, as its writers see it."""

    @property
    def words(self) -> tuple[Word, ...]:
        """In order of time, of several channels in turns."""
        ...

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        ...

    @property
    def source(self) -> str | None:
        """Path of the recording."""
        ...

    @property
    def model(self) -> str | None:
        """Name of the model."""
        ...

    @property
    def text(self) -> str:
        """The words joined by one space."""
        ...

    @property
    def confidence(self) -> float | None:
        """Mean of the words' confidence; None without words."""
        ...


def to_ms(seconds: float) -> int:
    """Whole milliseconds."""
    return round(1000 * seconds)


def label(channel: int | None) -> str:
    """What stands before the words of a channel: "1: ", and nothing where channels were mixed."""
    return "" if channel is None else f"{channel}: "


def phrases(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Cut the words of one channel at pauses of `PAUSE_MS`."""
    phrase: list[Word] = []
    for word in words:
        if phrase and to_ms(word.start_s) - to_ms(phrase[-1].end_s) >= PAUSE_MS:
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase
