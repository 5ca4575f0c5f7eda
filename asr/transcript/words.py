"""Recognised words with times and confidence, and the interface of a transcript that writers rely on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

PAUSE_MS = 700
"""Minimum pause between words that ends a phrase, and so a subtitle cue."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, which contains no white space; `confidence` is in [0, 1].

    `channel` is the number of its channel, from 1; None if the channels were mixed.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    channel: int | None = None


class TimedText(Protocol):
    """The interface of a `Transcript` that writers rely on."""

    @property
    def words(self) -> tuple[Word, ...]:
        """In order of time; with several channels, grouped into turns."""
        ...

    @property
    def duration_s(self) -> float:
        """Duration of the recording."""
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
        """The words joined by spaces."""
        ...

    @property
    def confidence(self) -> float | None:
        """Mean word confidence; None without words."""
        ...


def to_ms(seconds: float) -> int:
    """Convert to integer milliseconds."""
    return round(1000 * seconds)


def label(channel: int | None) -> str:
    """Prefix of the words of a channel, such as "1: "; empty if the channels were mixed."""
    return "" if channel is None else f"{channel}: "


def turns(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Split words at pauses of `PAUSE_MS`, and where the channel changes."""
    for _, of_channel in groupby(words, key=lambda word: word.channel):
        yield from phrases(of_channel)


def phrases(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Split the words of one channel at pauses of `PAUSE_MS`."""
    phrase: list[Word] = []
    for word in words:
        if phrase and to_ms(word.start_s) - to_ms(phrase[-1].end_s) >= PAUSE_MS:
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase
