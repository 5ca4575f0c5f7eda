"""How words are pronounced: the CMU Pronouncing Dictionary's format, one word and its phones a line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr.errors import DataError
from asr.files import decompressed

BOUNDARY = 1
"""Number of the boundary between two words; 0 is CTC's blank."""


@dataclass(frozen=True)
class Pronunciations:
    """Words as numbers of phones, the first pronunciation of each, without stress."""

    words: Mapping[str, tuple[int, ...]]
    size: int
    """Number of phones, blank and boundary included."""

    def encode(self, text: str) -> list[int]:
        """Phones of a normalised text, a boundary between two words; empty if it has a word that is not known."""
        phones: list[int] = []
        for word in text.split():
            if word not in self.words:
                return []
            phones += [BOUNDARY] * bool(phones)
            phones += self.words[word]
        return phones


def load(path: Path) -> Pronunciations:
    """Read a dictionary, plain or compressed (.gz, .xz).

    A line is `word PH1 PH2 ...`; `word(2)` is a further pronunciation and skipped, `;;;` begins a comment.

    Raises:
        DataError: it cannot be read, is not UTF-8, or has no line with a word and its phones.
    """
    try:
        with path.open("rb") as file:
            lines = decompressed(file).read().decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise DataError(f"Pronunciations '{path}' cannot be read ({error}): give a dictionary like CMUdict.") from None
    found: dict[str, list[str]] = {}
    for line in lines:
        word, *phones = line.split() or [";;;"]
        if phones and not word.startswith(";;;") and not word.endswith(")"):
            found.setdefault(word.lower(), [re.sub(r"\d+$", "", phone) for phone in phones])
    if not found:
        raise DataError(
            f"Pronunciations '{path}' has no line with a word and its phones: give a dictionary like CMUdict."
        )
    names = sorted({phone for phones in found.values() for phone in phones})
    numbers = {name: number for number, name in enumerate(names, start=BOUNDARY + 1)}
    words = {word: tuple(numbers[phone] for phone in phones) for word, phones in found.items()}
    return Pronunciations(words, len(names) + BOUNDARY + 1)
