"""Read cardinal and ordinal numbers, and rows of digits, from words."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr.readable.number_words import (
    DIGITS,
    NUMBER_WORDS,
    ORDINALS,
    REPEATS,
    SCALES,
    TEENS,
    TENS,
    UNITS,
)

LONGEST = 20
"""Words of the longest number."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value, and the number of words that say it."""

    value: int
    count: int


def cardinal(words: Sequence[str], at: int) -> Number | None:
    """The longest cardinal number from word `at` on: "two thousand one hundred and five", "a hundred and one".

    A bare "a hundred" or "a million" is none, as it is seldom meant exactly.
    """
    if _word(words, at) == "zero":
        return Number(0, 1)
    total, position, limit = 0, at, max(SCALES.values()) * 1000
    with_article = False
    while True:
        start = position
        if position > at and _word(words, position) == "and":
            start += 1
        group = _below_thousand(words, start)
        if group is None and position == at and _word(words, at) in ("a", "an"):
            scale = _word(words, at + 1)
            group = Number(1, 1) if scale in SCALES or scale == "hundred" else None
            group = _hundreds(words, at, 1) if scale == "hundred" else group
            with_article = group is not None
        if group is None or (start > position and group.value >= 100):
            break
        scale = SCALES.get(_word(words, start + group.count), 1)
        if group.value * scale >= limit or (scale == 1 and group.value >= 1000 and position > at):
            break
        total += group.value * scale
        position = start + group.count + (scale > 1)
        if scale == 1:
            break
        limit = scale
    if position == at or (with_article and position == at + 2):
        return None
    return Number(total, position - at)


def _below_thousand(words: Sequence[str], at: int) -> Number | None:
    """One group of a number: "seven", "twenty five", "three hundred and one", also "fifteen hundred"."""
    small = below_hundred(words, at)
    if small and small.value % 10 and _word(words, at + small.count) == "hundred":
        return _hundreds(words, at, small.value, small.count)
    return small


def _hundreds(words: Sequence[str], at: int, hundreds: int, count: int = 1) -> Number:
    """What is said after "three hundred", with or without "and"."""
    position = at + count + 1
    rest = below_hundred(words, position + (_word(words, position) == "and"))
    if rest is None:
        return Number(100 * hundreds, position - at)
    position += (_word(words, position) == "and") + rest.count
    return Number(100 * hundreds + rest.value, position - at)


def below_hundred(words: Sequence[str], at: int) -> Number | None:
    """A number from 1 to 99."""
    word, after = _word(words, at), _word(words, at + 1)
    if word in TENS:
        return Number(TENS[word] + UNITS[after], 2) if after in UNITS else Number(TENS[word], 1)
    value = UNITS.get(word) or TEENS.get(word)
    return Number(value, 1) if value else None


def ordinal(words: Sequence[str], at: int) -> Number | None:
    """The ordinal number from word `at` on, which is a cardinal but for its last word: "two hundred and fifth"."""
    for end in range(at, min(at + LONGEST, len(words))):
        if words[end] in ORDINALS:
            as_cardinal = [*words[at:end], ORDINALS[words[end]]]
            found = cardinal(as_cardinal, 0)
            return Number(found.value, found.count) if found and found.count == len(as_cardinal) else None
        if words[end] not in NUMBER_WORDS:
            break
    return None


def digits(words: Sequence[str], at: int) -> tuple[str, int]:
    """Digits that are read one by one, with "double" and "triple", and the number of words."""
    found, position = "", at
    while True:
        word, after = _word(words, position), _word(words, position + 1)
        if word in REPEATS and after in DIGITS:
            found += str(DIGITS[after]) * REPEATS[word]
            position += 2
        elif word in DIGITS and not (word == "o" and not found):
            found += str(DIGITS[word])
            position += 1
        else:
            return found, position - at


def _word(words: Sequence[str], at: int) -> str:
    """The word at a position, or nothing beyond the ends."""
    return words[at] if 0 <= at < len(words) else ""
