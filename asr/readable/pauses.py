"""The pause after a word as one of a few classes, of which 0 says that it is not known."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from asr.transcript.words import Word

EDGES_S = (0.12, 0.2, 0.32, 0.6, 1.0)
"""Seconds at which one class ends and the next begins."""
UNKNOWN = 0
CLASSES = len(EDGES_S) + 2


def pause_class(seconds: float) -> int:
    """The class of a pause: from 1, shorter than the first edge, to `CLASSES` - 1."""
    return 1 + bisect_right(EDGES_S, round(seconds, 3))


def pauses_after(words: Sequence[Word]) -> list[int]:
    """The class of the pause after each word; of the last one it is not known."""
    known = [pause_class(after.start_s - word.end_s) for word, after in pairwise(words)]
    return known + [UNKNOWN] * bool(words)
