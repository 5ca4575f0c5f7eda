"""Recognised words with times and confidence, and the interface of a transcript that writers rely on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

PAUSE_MS = 700
"""Minimum pause between words that ends a phrase, and so a subtitle cue."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, which contains no white space; `confidence` is in [0, 1].

    In readable text, `text` is the word as it is written, with its capitals and the mark after it, and `spoken` are the
    recognised words that it stands for: of "25%", the words "twenty five per cent", each with its times.

    `channel` is the number of its channel, from 1; None if the channels were mixed.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    channel: int | None = None
    ends_sentence: bool = False
    """Whether a sentence or a line ends here, where the text is known to have such."""
    spoken: tuple["Word", ...] = ()
    """The words as they were recognised; empty where `text` is one of them."""


ABBREVIATIONS = frozenset(
    [
        "capt",
        "dr",
        "etc",
        "gen",
        "hon",
        "jr",
        "lt",
        "messrs",
        "mr",
        "mrs",
        "ms",
        "mt",
        "no",
        "prof",
        "rev",
        "sen",
        "sr",
        "st",
        "vol",
        "vs",
    ]
)
"""Words, without their full stop, that do not end a sentence with it."""


def ends_sentence(word: str) -> bool:
    """Whether a written word ends a sentence, by its punctuation; `Mr.` and initials do not."""
    bare = word.rstrip("\"')]}\u2019\u201d\u00bb")
    if not bare.endswith((".", "!", "?", "\u2026")):
        return False
    letters = bare.rstrip(".").lower()
    return not bare.endswith(".") or (letters not in ABBREVIATIONS and not (len(letters) == 1 and letters.isalpha()))


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
    def spoken(self) -> tuple[Word, ...]:
        """The words as they were recognised."""
        ...

    @property
    def confidence(self) -> float | None:
        """Mean word confidence; None without words."""
        ...


def to_ms(seconds: float) -> int:
    """Convert to integer milliseconds."""
    return round(1000 * seconds)


def on_channel(word: Word, channel: int) -> Word:
    """The same word as one of a channel, and likewise the spoken ones that it stands for."""
    spoken = tuple(replace(one, channel=channel) for one in word.spoken)
    return replace(word, channel=channel, spoken=spoken)


def label(channel: int | None) -> str:
    """Prefix of the words of a channel, such as "1: "; empty if the channels were mixed."""
    return "" if channel is None else f"{channel}: "


def sentences(words: Iterable[Word]) -> list[list[Word]]:
    """Split words where a sentence ends; nothing if that is not known."""
    found: list[list[Word]] = [[]]
    for word in words:
        found[-1].append(word)
        if word.ends_sentence:
            found.append([])
    found = [sentence for sentence in found if sentence]
    return found if any(sentence[-1].ends_sentence for sentence in found) else []


def turns(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Split words at pauses of `PAUSE_MS`, and where a sentence ends or the channel changes."""
    for _, of_channel in groupby(words, key=lambda word: word.channel):
        yield from phrases(of_channel)


def phrases(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Split the words of one channel at pauses of `PAUSE_MS`, and where a sentence ends."""
    phrase: list[Word] = []
    for word in words:
        if phrase and (phrase[-1].ends_sentence or to_ms(word.start_s) - to_ms(phrase[-1].end_s) >= PAUSE_MS):
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase
