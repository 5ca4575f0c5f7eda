"""Pronunciations of words, in the format of the CMU Pronouncing Dictionary: one word and its phones per line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr.errors import DataError
from asr.files import decompressed, reason_of

BOUNDARY = 1
"""Token of the boundary between two words; 0 is the CTC blank."""
MAX_BYTES = 1 << 28
"""Largest dictionary, decompressed."""


@dataclass(frozen=True)
class Pronunciations:
    """Words as phone tokens: the first pronunciation of each word, without stress."""

    words: Mapping[str, tuple[int, ...]]
    size: int
    """Number of phones, blank and boundary included."""

    def encode(self, text: str) -> list[int]:
        """Phone tokens of a normalised text with a boundary between words; empty if a word is unknown."""
        phones: list[int] = []
        for word in text.split():
            if word not in self.words:
                return []
            phones += [BOUNDARY] * bool(phones)
            phones += self.words[word]
        return phones


def load(path: Path) -> Pronunciations:
    """Read a dictionary, plain or compressed (.gz, .xz).

    A line is `word PH1 PH2 ...`; `word(2)` is an alternative pronunciation and skipped, `;;;` starts a comment.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or has no line with a word and its phones.
    """
    try:
        with path.open("rb") as file, decompressed(file) as content:
            data = content.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"The pronunciations '{path}' {reason_of(error)}") from None
    try:
        lines = data[:MAX_BYTES].decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"The pronunciations '{path}' are not UTF-8 ({error.reason}): save them as UTF-8.") from None
    if len(data) > MAX_BYTES:
        raise DataError(
            f"The pronunciations '{path}' are larger than {MAX_BYTES >> 20} MiB: give a smaller dictionary."
        )
    pronunciations: dict[str, list[str]] = {}
    for line in lines:
        word, *phones = line.split() or [";;;"]
        if phones and not word.startswith(";;;") and not word.endswith(")"):
            pronunciations.setdefault(word.lower(), [re.sub(r"\d+$", "", phone) for phone in phones])
    if not pronunciations:
        raise DataError(
            f"The file '{path}' has no line with a word and its phones: give a pronunciation dictionary like CMUdict."
        )
    names = sorted({phone for phones in pronunciations.values() for phone in phones})
    numbers = {name: number for number, name in enumerate(names, start=BOUNDARY + 1)}
    words = {word: tuple(numbers[phone] for phone in phones) for word, phones in pronunciations.items()}
    return Pronunciations(words, len(names) + BOUNDARY + 1)
