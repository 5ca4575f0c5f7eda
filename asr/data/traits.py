"""Traits of speakers, in the same form for all corpora, so that errors can be counted by group."""

from collections.abc import Mapping
from typing import TypedDict


class Traits(TypedDict, total=False):
    """The traits of a speaker; each may be missing."""

    gender: str
    age: str
    accent: str


TRAITS = ("gender", "age", "accent")
"""The names of the traits."""

AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
"""Common Voice's names of decades, from 10 years; it writes "fourties"."""

GENDERS = {"f": "female", "m": "male", "female_feminine": "female", "male_masculine": "male"}
"""Alternative names; the long ones are Common Voice's."""


def of(row: Mapping[str, object]) -> Traits:
    """Traits in a row of any corpus, as keyword arguments of `Utterance`; values of other types are dropped.

    Alternative names of genders become female or male, and an age in years or in Common Voice's words becomes its
    decade, "20-29"; other values are unchanged.
    """
    traits = Traits()
    if gender := _gender(row.get("gender")):
        traits["gender"] = gender
    if age := _age(row.get("age")):
        traits["age"] = age
    if accent := _text(row.get("accent")):
        traits["accent"] = accent
    return traits


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if not "\ud800" <= c <= "\udfff").strip()  # unpaired surrogates cannot be encoded


def _gender(value: object) -> str:
    text = _text(value).lower()
    return GENDERS.get(text, text)


def _age(value: object) -> str:
    text = _text(value).lower().replace("fourties", "forties")
    if text in AGES:
        decade = 10 * (AGES.index(text) + 1)
    elif isinstance(value, float | int) and 0 <= value < 150:
        decade = int(value) // 10 * 10
    elif text.isascii() and text.isdecimal() and len(text) <= 3:
        decade = int(text) // 10 * 10
    else:
        return text
    return f"{decade}-{decade + 9}"
