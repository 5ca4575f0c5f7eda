"""Reads text for language models: one sentence per line, words separated by white space, plain or compressed."""

import codecs
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from asr.errors import DataError
from asr.files import decompressed, reason_of
from asr.lm.ngram import BEGIN, END, UNKNOWN
from asr.text import ENGLISH, normalise

BLOCK = 1 << 22
"""Number of bytes read at a time."""
MAX_LINE = 1 << 24
"""Longest line in bytes; compressed, it can have a thousand times the size of its file."""
SPECIAL_WORDS = {mark.encode() for mark in (BEGIN, END, UNKNOWN)}

Share = Callable[[float], None]
"""Progress callback; takes the share of the work that is done, from 0 to 1."""


def blocks(path: Path, share: Share = lambda share: None) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, whole lines) of a text file: plain, gzip or xz.

    Raises:
        DataError: the file cannot be read, is damaged, is not UTF-8, or contains a special word such as `<s>`; names
            file and line.
    """
    try:
        size = max(path.stat().st_size, 1)
        with path.open("rb") as file, decompressed(file) as text:
            number, rest, data = 1, b"", b"-"
            while data:
                data = text.read(BLOCK)
                block = (rest + data).removeprefix(codecs.BOM_UTF8) if number == 1 else rest + data
                cut = block.rfind(b"\n") + 1 if data else len(block)
                block, rest = block[:cut], block[cut:]
                if len(rest) > MAX_LINE:
                    line = number + block.count(b"\n")
                    raise DataError(
                        f"{path}, line {line} is longer than {MAX_LINE >> 20} MiB: give a text with a sentence per "
                        "line."
                    )
                _check(path, number, block)
                share(file.tell() / size)
                yield number, block
                number += block.count(b"\n")
    except OSError as error:
        raise DataError(f"{path} {reason_of(error)}") from error


def lines(paths: Iterable[Path], share: Share = lambda share: None) -> Iterator[tuple[str, str]]:
    """Yield (file and line number, line) of text files: plain, gzip or xz.

    Raises:
        DataError: as `blocks`.
    """
    paths = list(paths)
    for index, path in enumerate(paths):
        for first, block in blocks(path, lambda fraction, index=index: share((index + fraction) / len(paths))):
            rows = block.decode().removesuffix("\n").split("\n") if block else []
            for number, line in enumerate(rows, start=first):
                yield f"{path}, line {number}", line


def _check(path: Path, first: int, block: bytes) -> None:
    """Raise DataError for text that is not UTF-8 or contains a special word of language models."""
    try:
        block.decode()
    except UnicodeDecodeError as error:
        line = first + block.count(b"\n", 0, error.start)
        raise DataError(
            f"{path}, line {line}: the byte 0x{block[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from error
    if not any(mark in block for mark in SPECIAL_WORDS):
        return
    for number, line in enumerate(block.split(b"\n"), start=first):
        if special := SPECIAL_WORDS.intersection(line.split()):
            raise DataError(
                f"{path}, line {number}: the text contains `{special.pop().decode()}`, a special word of language "
                "models; remove it."
            )


def words_of(token: bytes, normalised: bool) -> list[bytes]:
    """The words of a string without white space: itself, or its normalised form, which may be several words."""
    return [word.encode() for word in normalise(token.decode(), ENGLISH).split()] if normalised else [token]


def count_words(paths: Sequence[Path], normalised: bool, share: Share = lambda share: None) -> dict[bytes, int]:
    """Count the words, in order of first appearance."""
    tokens: Counter[bytes] = Counter()
    for index, path in enumerate(paths):
        for _, block in blocks(path, lambda fraction, index=index: share((index + fraction) / len(paths))):
            tokens.update(block.split())
    counts: dict[bytes, int] = {}
    for token, count in tokens.items():
        for word in words_of(token, normalised):
            counts[word] = counts.get(word, 0) + count
    return counts


class Encoder(dict[bytes, tuple[int, ...]]):
    """Maps a string between white space to the numbers of its words; filled on demand."""

    def __init__(self, vocabulary: Mapping[bytes, int], normalised: bool) -> None:
        super().__init__()
        self.vocabulary, self.normalised = vocabulary, normalised
        self.unknown, self.end = vocabulary[UNKNOWN.encode()], vocabulary[END.encode()]
        self[END.encode()] = (self.end,)

    def __missing__(self, token: bytes) -> tuple[int, ...]:
        words = words_of(token, self.normalised)
        numbers = self[token] = tuple(self.vocabulary.get(word, self.unknown) for word in words)
        return numbers

    def sentences(self, block: bytes) -> np.ndarray:
        """The word numbers of whole lines, with a sentence end after each line that has words.

        Shape: -> (T,), int32
        """
        tokens = (block + b"\n").replace(b"\n", b" </s> ").split()
        numbers = np.fromiter(itertools.chain.from_iterable(map(self.__getitem__, tokens)), np.int32)
        ends = numbers == self.end
        return numbers[~(ends & np.r_[True, ends[:-1]])]


def read_vocabulary(path: Path, normalised: bool) -> set[bytes]:
    """Read a word list: one word per line, optionally followed by a count.

    Raises:
        DataError: the file cannot be read, has no words, or has a line with more than a word and a count.
    """
    words: set[bytes] = set()
    for first, block in blocks(path):
        for number, line in enumerate(block.split(b"\n"), start=first):
            word, *rest = line.split() or [b""]
            if rest and not (len(rest) == 1 and rest[0].isdigit()):
                raise DataError(
                    f"{path}, line {number}: expected one word, optionally with a count, got {line.decode().strip()!r}."
                )
            words.update(words_of(word, normalised) if word else ())
    if not words:
        raise DataError(f"{path} has no words; give one word per line.")
    return words


def encode_all(
    paths: Iterable[Path], encoder: Encoder, share: Share = lambda share: None
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield (file, word numbers of whole sentences) block by block, as `Encoder.sentences` returns them."""
    paths = list(paths)
    for index, path in enumerate(paths):
        for _, block in blocks(path, lambda fraction, index=index: share((index + fraction) / len(paths))):
            yield path, encoder.sentences(block)
