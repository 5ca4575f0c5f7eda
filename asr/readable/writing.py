"""Spoken words as people write them: punctuation, capitals and numbers, as the words come.

The words are labelled in windows at fixed places, each with what was said before and what comes next, so that the
result does not depend on how the words arrive, and memory stays flat. A word is written once its stretch of text is
known up to the next mark, or `LONGEST` words without any. The end of a recording ends a sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asr.readable import numbers
from asr.readable.labels import CAPITAL, ENDS, LOWER, MARKS, write
from asr.readable.number_words import NUMBER_WORDS
from asr.readable.pauses import pauses_after
from asr.readable.punctuator import Punctuator
from asr.transcript.words import Word

STEP = 16
"""Words that are labelled at a time."""
BEFORE = 32
"""Words before them that are read once more."""
AHEAD = 16
"""Words after them that are needed."""
BONUS = 0.7
"""Added to the log-probabilities of marks: F1 is highest where a label is given from half of the F1 on as its
probability (Lipton, Elkan and Narayanaswamy 2014), which is less than one half."""
FOLLOWING = 8
"""Words after a mark between number words that are needed to see whether one number spans it."""
LONGEST = 40
"""Words without a mark after which a stretch of text is written all the same."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A spoken word with its labels."""

    word: Word
    mark: int
    case: int


@dataclass(frozen=True)
class Writing:
    """How spoken words are written. `start` begins a recording."""

    punctuator: Punctuator
    numbers: bool = True
    """Write numbers in digits."""
    spellings: Mapping[str, str] | None = None
    """Words in lower case -> their spelling with capitals, such as those of hot words."""

    def start(self) -> "Stream":
        """A new recording."""
        return Stream(self)

    def write(self, words: Sequence[Word]) -> list[Word]:
        """All words of a recording."""
        stream = self.start()
        return [*stream.feed(words), *stream.finish()]


class Stream:
    """The words of one recording on their way to written text."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._before: list[Word] = []
        self._pending: list[Word] = []
        self._labelled: list[Labelled] = []
        self._begins_sentence = True

    def feed(self, words: Sequence[Word]) -> list[Word]:
        """Take the next words; return the written words that are certain now, which may be none."""
        self._pending += words
        while len(self._pending) >= STEP + AHEAD:
            self._label(STEP)
        return list(self._written())

    def finish(self) -> list[Word]:
        """Return the rest of the written words."""
        while self._pending:
            self._label(min(STEP, len(self._pending)))
        return list(self._written(is_end=True))

    def _label(self, count: int) -> None:
        """Label the next words."""
        window = [*self._before, *self._pending[: count + AHEAD]]
        marks, cases = self._writing.punctuator.log_probs([word.text.lower() for word in window], pauses_after(window))
        for position, word in enumerate(self._pending[:count], start=len(self._before)):
            self._labelled.append(Labelled(word, _likeliest(marks[position]), int(cases[position].argmax())))
        if count == len(self._pending) and MARKS[self._labelled[-1].mark] not in ENDS:
            self._labelled[-1] = replace(self._labelled[-1], mark=_likeliest_end(marks[-1]))
        self._before = window[: len(self._before) + count][-BEFORE:]
        del self._pending[:count]

    def _written(self, *, is_end: bool = False) -> Iterator[Word]:
        """Write the stretches of text that are complete."""
        while (count := self._stretch(is_end)) and self._labelled:
            stretch, self._labelled = self._labelled[:count], self._labelled[count:]
            yield from self._write(stretch)

    def _stretch(self, is_end: bool) -> int:
        """Number of labelled words up to the next mark, or to a place that no number spans; 0 if it is not known."""
        for number, labelled in enumerate(self._labelled, start=1):
            is_in_number = _is_of_number(labelled.word.text)
            if labelled.mark and is_in_number and number + FOLLOWING > len(self._labelled) and not is_end:
                return 0
            if labelled.mark and is_in_number and self._spans(number):
                self._labelled[number - 1] = replace(labelled, mark=0)
            elif labelled.mark or (number > LONGEST and not is_in_number):
                return number
        return len(self._labelled) if is_end else 0

    def _spans(self, place: int) -> bool:
        """Whether a number would span the mark before a place: "nineteen forty. four" is one number."""
        texts = [labelled.word.text.lower() for labelled in self._labelled[: place + FOLLOWING]]
        is_before_number = place < len(texts) and _is_of_number(texts[place])
        return is_before_number and any(span.first < place < span.last for span in numbers.find(texts))

    def _write(self, stretch: Sequence[Labelled]) -> Iterator[Word]:
        """Write one stretch of text, with its numbers."""
        texts = [labelled.word.text.lower() for labelled in stretch]
        spans = {span.first: span for span in numbers.find(texts)} if self._writing.numbers else {}
        at = 0
        while at < len(stretch):
            last = spans[at].last if at in spans else at + 1
            mark = MARKS[stretch[last - 1].mark]
            if at in spans:
                text = spans[at].text
                text += "" if mark == "." and text.endswith(".") else mark
            else:
                text = self._spelled(stretch[at])
            self._begins_sentence = mark == "."
            yield _joined([labelled.word for labelled in stretch[at:last]], text, ends_sentence=mark in ENDS)
            at = last

    def _spelled(self, labelled: Labelled) -> str:
        """A word in its case, which is a capital after a full stop, or as it is listed."""
        word, spellings = labelled.word.text, self._writing.spellings or {}
        stem, ending = (word[:-2], "'s") if word.endswith("'s") else (word, "")
        if spelling := spellings.get(word.lower()):
            return spelling + MARKS[labelled.mark]
        if ending and (spelling := spellings.get(stem.lower())):
            return spelling + ending + MARKS[labelled.mark]
        case = CAPITAL if self._begins_sentence and labelled.case == LOWER else labelled.case
        return write(word, labelled.mark, case)


def _likeliest(log_probs: np.ndarray) -> int:
    """The likeliest mark. Shape: (len(MARKS),)"""
    others = 1 + int(log_probs[1:].argmax())
    return others if log_probs[others] + BONUS > log_probs[0] else 0


def _likeliest_end(log_probs: np.ndarray) -> int:
    """The likeliest mark at the end of a sentence. Shape: (len(MARKS),)"""
    return max((number for number, mark in enumerate(MARKS) if mark in ENDS), key=lambda number: log_probs[number])


def spellings(given: Sequence[str]) -> dict[str, str]:
    """The words of some phrases that have a capital letter, by their form in lower case."""
    words = [word for phrase in given for word in phrase.split()]
    return {word.lower(): word for word in words if word != word.lower()}


def _is_of_number(word: str) -> bool:
    return word in NUMBER_WORDS or len(word) == 1


def _joined(spoken: Sequence[Word], text: str, *, ends_sentence: bool) -> Word:
    """The written word that stands for some spoken ones."""
    confidence = sum(word.confidence for word in spoken) / len(spoken)
    return replace(
        spoken[0],
        text=text,
        end_s=spoken[-1].end_s,
        confidence=confidence,
        ends_sentence=ends_sentence,
        spoken=tuple(spoken),
    )
