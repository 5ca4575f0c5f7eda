"""The pronunciations of a fixed list of words, in a compact form that is embedded in model files."""

import lzma
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr.errors import ModelError
from asr.pronunciation.dictionary import Dictionary, Phones

if TYPE_CHECKING:
    from asr.pronunciation.letters_to_sounds import Converter

MAX_UNPACKED_BYTES = 1 << 26
"""Largest lexicon, decompressed: some two million words."""
MAX_MEMORY_BYTES = 1 << 25
"""Memory that decompression may take in addition; `PRESET` needs 9 MiB."""
PRESET = 6 | lzma.PRESET_EXTREME
FIRST = ord("0")
"""The character of phone 0 in the compact form; the next phones have the next characters."""
MAX_PHONES = 10_000

POSSESSIVE = "'s"
SIBILANTS = frozenset({"S", "Z", "SH", "CH", "JH", "ZH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH"})


@dataclass(frozen=True)
class Lexicon:
    """Words and their pronunciations."""

    phones: tuple[str, ...]
    """Names of the phones, sorted."""
    words: Mapping[str, tuple[Phones, ...]]
    """Word -> its different pronunciations, the most usual one first. Words and phones have no white space."""

    @classmethod
    def of_words(cls, words: Iterable[str], dictionary: Dictionary, converter: "Converter | None" = None) -> "Lexicon":
        """Pronunciations of words from a dictionary, and of those that it lacks by rule and from the converter.

        An English possessive is pronounced like its stem and the regular ending. Words without a pronunciation are
        skipped, such as those with digits.
        """
        pronunciations: dict[str, tuple[Phones, ...]] = {}
        for word in words:
            lower = word.lower()
            variants = dictionary.words.get(lower) or _possessives(lower, dictionary)
            if not variants and converter is not None and (phones := converter.pronounce(lower)):
                variants = (phones,)
            if variants:
                pronunciations[word] = variants
        used = {phone for variants in pronunciations.values() for phones in variants for phone in phones}
        return cls(tuple(sorted(used.union(dictionary.phones))), pronunciations)

    def in_order(self, words: Sequence[str]) -> list[int]:
        """The numbers of words in the order of their most usual pronunciations; those without one come first."""
        pronunciations = [self.words.get(word, ((),))[0] for word in words]
        return sorted(range(len(words)), key=pronunciations.__getitem__)

    def to_bytes(self) -> bytes:
        """Serialize; the order of the words is not kept. The same words give the same bytes."""
        assert len(self.phones) <= MAX_PHONES
        characters = {phone: chr(FIRST + number) for number, phone in enumerate(self.phones)}
        words = sorted(self.words)
        pronunciations = [
            "/".join("".join(map(characters.__getitem__, phones)) for phones in self.words[word]) for word in words
        ]
        text = "\n".join(map(" ".join, (self.phones, words, pronunciations)))
        return lzma.compress(text.encode(), preset=PRESET)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Lexicon":
        """Read what `to_bytes` has written.

        Raises:
            ModelError: the data are damaged or too large.
        """
        try:
            return _parse(data)
        except (ValueError, lzma.LZMAError) as error:
            raise ModelError(
                f"The pronunciations in the model are damaged ({error}): download or export the model again."
            ) from None


def _possessives(word: str, dictionary: Dictionary) -> tuple[Phones, ...]:
    """The pronunciations of an English possessive whose stem is in the dictionary."""
    stem = word.removesuffix(POSSESSIVE)
    if stem == word or not {"S", "Z", "AH"}.issubset(dictionary.phones):
        return ()
    return tuple((*phones, *_ending(phones[-1])) for phones in dictionary.words.get(stem, ()))


def _ending(last: str) -> Phones:
    """The pronunciation of 's after a phone."""
    if last in SIBILANTS:
        return ("AH", "Z")
    return ("S",) if last in VOICELESS else ("Z",)


def _parse(data: bytes) -> Lexicon:
    """Raises ValueError or LZMAError for damaged data."""
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_MEMORY_BYTES)
    content = decompressor.decompress(data, MAX_UNPACKED_BYTES)
    if not decompressor.eof:
        raise ValueError(f"truncated, or more than {MAX_UNPACKED_BYTES >> 20} MiB")
    if decompressor.unused_data:
        raise ValueError("followed by other data")
    lines = content.decode().split("\n")
    if len(lines) != 3:
        raise ValueError(f"{len(lines)} lines instead of 3")
    phones, words, pronunciations = (line.split(" ") if line else [] for line in lines)
    for what, names in (("phones", phones), ("words", words)):
        if not all(names) or any(map(operator.ge, names, names[1:])):
            raise ValueError(f"its {what} are not sorted")
    if len(words) != len(pronunciations):
        raise ValueError(f"{len(pronunciations):,} pronunciations of {len(words):,} words")
    if words and not all("/".join(pronunciations).split("/")):
        raise ValueError("a word has no phones")
    name_of = {chr(FIRST + number): phone for number, phone in enumerate(phones[:MAX_PHONES])}
    if not set(lines[2]) <= name_of.keys() | {" ", "/"}:
        raise ValueError("a word has an unknown phone")
    return Lexicon(
        tuple(phones),
        {
            word: tuple([tuple(map(name_of.__getitem__, phones)) for phones in variants.split("/")])
            for word, variants in zip(words, pronunciations, strict=True)
        },
    )
