"""What a corpus tells of its speakers, in one form whatever the corpus: so that errors can be counted by group."""

from collections.abc import Mapping
from typing import TypedDict


class Traits(TypedDict, total=False):
    """What is kept of a speaker."""

    gender: str
    age: str
    accent: str


TRAITS = ("gender", "age", "accent")
"""Their names."""

AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
"""Common Voice's decades, from 10 on; it writes "fourties"."""

GENDERS = {"f": "female", "m": "male", "female_feminine": "female", "male_masculine": "male"}
"""Other names, the long ones Common Voice's."""


def of(row: Mapping[str, object]) -> Traits:
    """The traits in a row of any corpus, as arguments of an `Utterance`; what is of no known form is not taken.

    Genders are female and male where that is meant, an age in years, or in Common Voice's words, becomes its decade,
    "20-29"; other genders, and an accent, stay as they are.
    """
    found = Traits()
    if gender := _gender(row.get("gender")):
        found["gender"] = gender
    if age := _age(row.get("age")):
        found["age"] = age
    if accent := _text(row.get("accent")):
        found["accent"] = accent
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if not "\ud800" <= c <= "\udfff").strip()  # half a surrogate pair cannot be written


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
