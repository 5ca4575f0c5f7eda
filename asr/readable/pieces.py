"""The letters of a word as numbers: its whole form and its groups of three letters, hashed to rows of a table.

No list of words is needed: a frequent word has rows of its own, and a rare one those of its parts, in any alphabet
(Bojanowski et al. 2017, "Enriching word vectors with subword information").
"""

import functools
import zlib

import numpy as np

MAX_PIECES = 16
"""Rows of a word; of longer words the groups at the end do not count."""
GROUP = 3
"""Letters of a group."""


@functools.lru_cache(maxsize=1 << 17)
def pieces(word: str, rows: int) -> tuple[int, ...]:
    """The rows of a word in a table: 1 to `rows` - 1, as row 0 stands for nothing."""
    marked = f"<{word}>"
    groups = [marked[first : first + GROUP] for first in range(len(marked) - GROUP + 1)]
    parts = dict.fromkeys([f"={word}", *groups])
    return tuple(1 + zlib.crc32(part.encode()) % (rows - 1) for part in parts)[:MAX_PIECES]


def as_rows(words: list[str], rows: int) -> np.ndarray:
    """The rows of words, padded with 0. Shape: T words -> (T, MAX_PIECES) int64"""
    table = np.zeros((len(words), MAX_PIECES), dtype=np.int64)
    for number, word in enumerate(words):
        of_word = pieces(word, rows)
        table[number, : len(of_word)] = of_word
    return table
