"""Written text as labelled words: what follows each word, and how it is written; and back again."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from asr.text import ENGLISH, normalise
from asr.transcript.words import ABBREVIATIONS

MARKS = ("", ",", ".", "?", "!")
"""What follows a word."""
ENDS = frozenset(".?!")
"""Marks that end a sentence."""
CASES = ("lower", "Capital", "CAPITALS")
"""How a word is written."""
LOWER, CAPITAL, CAPITALS = range(3)

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*['\u2019]?|['\u2019][^\W_]+(?:['\u2019][^\W_]+)*")
"""A written word: letters and digits, with apostrophes inside and at one edge."""
PAUSE = re.compile(r"[,;:\u2014\u2013()]|--| - ")
"""What is written where a comma would do: the colon, the semicolon, dashes and brackets."""
ELLIPSIS = re.compile(r"\.\s?\.\s?\.|\u2026")
"""Three points, which end a sentence only where a capital follows."""


@dataclass(frozen=True, slots=True)
class LabelledWord:
    """A word as it is spoken, the number of its mark in `MARKS` and of its case in `CASES`."""

    text: str
    mark: int
    case: int


def parse(line: str, alphabet: str = ENGLISH) -> list[LabelledWord]:
    """Split written text into its words as the recogniser would write them, each with its labels.

    Quotation marks are ignored; semicolons, colons, dashes and brackets count as commas. The point of an abbreviation
    or initial is no mark. A hyphen separates words. Words of characters outside the alphabet are returned with them.
    """
    found: list[LabelledWord] = []
    matches = list(WORD.finditer(line))
    for number, match in enumerate(matches):
        written = match.group()
        words, case = _spoken(written, alphabet)
        following = matches[number + 1].start() if number + 1 < len(matches) else len(line)
        after = line[match.end() : following]
        next_letter = line[following : following + 1].lstrip("'\u2019")
        mark = _mark(written, after, next_letter)
        if not words:  # a quotation mark
            continue
        found += [LabelledWord(word, 0, case) for word in words[:-1]]
        found.append(LabelledWord(words[-1], MARKS.index(mark), case))
    return found


@functools.lru_cache(maxsize=1 << 17)
def _spoken(written: str, alphabet: str) -> tuple[tuple[str, ...], int]:
    """The words that a written word is spoken as (none of a quotation mark), and its case."""
    return tuple(normalise(written, alphabet).split()), case_of(written)


def _mark(written: str, after: str, next_letter: str) -> str:
    """The mark after a word, from all that is written up to the next one."""
    if after == " ":
        return ""
    for mark in "?!":
        if mark in after:
            return mark
    if ELLIPSIS.search(after):
        return "," if next_letter.islower() else "."
    if "." in after:
        is_initial = len(written) == 1 and written not in ("I", "a")
        is_short = is_initial or written.lower() in ABBREVIATIONS
        if next_letter and (is_short or not after[after.index(".") + 1 :]):  # as in "p.m." or "example.com"
            return ","[: "," in after]
        return "."
    return "," if PAUSE.search(after) else ""


def case_of(written: str) -> int:
    """The case of a written word: its number in `CASES`. A single capital, such as "I", is a `CAPITAL`."""
    letters = [character for character in re.sub(r"['\u2019]s$", "", written) if character.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return CAPITALS
    return CAPITAL if letters and letters[0].isupper() else LOWER


def write(word: str, mark: int, case: int) -> str:
    """Write a spoken word in a case, with the mark after it."""
    text = word
    if case == CAPITAL:
        first = next((position for position, character in enumerate(word) if character.isalpha()), 0)
        text = word[:first] + word[first : first + 1].upper() + word[first + 1 :]
    elif case == CAPITALS:
        stem, ending = (word[:-2], word[-2:]) if word.endswith("'s") else (word, "")
        text = stem.upper() + ending
    return text + MARKS[mark]


def write_all(words: Sequence[LabelledWord]) -> str:
    """Labelled words as text; `parse` reads the same labels from it."""
    return " ".join(write(word.text, word.mark, word.case) for word in words)
