"""Pronunciation dictionaries in the format of the CMU Pronouncing Dictionary: one word and its phones per line."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr.errors import DataError
from asr.files import decompressed, reason_of

MAX_BYTES = 1 << 28
"""Largest dictionary, decompressed."""
ALTERNATIVE = re.compile(r"(?<=.)\(\d+\)$")
"""The end of a word in a line with an alternative pronunciation."""

Phones = tuple[str, ...]
"""The names of the phones of one pronunciation, in order."""


@dataclass(frozen=True)
class Dictionary:
    """Words and their pronunciations."""

    words: Mapping[str, tuple[Phones, ...]]
    """Word in lower case -> its different pronunciations, without stress, in the order of the file."""

    @functools.cached_property
    def phones(self) -> tuple[str, ...]:
        """The sorted names of all phones that occur."""
        return tuple(sorted({phone for variants in self.words.values() for phones in variants for phone in phones}))


def load(path: Path) -> Dictionary:
    """Read a dictionary, plain or compressed (.gz, .xz).

    A line is `word PH1 PH2 ...`; `word(2)` is another pronunciation of `word`; `;;;` starts a comment, and so does ` #`
    after the phones.

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
    pronunciations: dict[str, list[Phones]] = {}
    for line in lines:
        word, *stressed = line.partition(" #")[0].split() or [";;;"]
        if stressed and not word.startswith(";;;"):
            phones = tuple(phone.rstrip("0123456789") or phone for phone in stressed)
            variants = pronunciations.setdefault(ALTERNATIVE.sub("", word.lower()), [])
            if phones not in variants:
                variants.append(phones)
    if not pronunciations:
        raise DataError(
            f"The file '{path}' has no line with a word and its phones: give a pronunciation dictionary like CMUdict."
        )
    return Dictionary({word: tuple(variants) for word, variants in pronunciations.items()})
