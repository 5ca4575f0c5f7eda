"""Punctuated text as a punctuation model is trained on it: labelled words, cut into windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from asr.errors import DataError
from asr.lm.sentences import lines
from asr.readable.labels import parse
from asr.readable.pieces import as_rows
from asr.training.text import TextBatch


@dataclass(frozen=True)
class LabelledWindows(TextBatch):
    """Stretches of text. Shape: pieces (B, T, P), pauses, marks and cases (B, T), lengths (B,)"""

    pieces: Tensor
    pauses: Tensor
    marks: Tensor
    cases: Tensor
    lengths: Tensor
    names: tuple[str, ...]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in order."""
        return self.pieces, self.pauses, self.marks, self.cases, self.lengths


class LabelledLines:
    """The words of lines with their labels, behind one another in arrays.

    Lines with letters or digits outside the alphabet are skipped and counted, empty ones are ignored.
    """

    def __init__(self, paths: Sequence[Path], alphabet: str, rows: int) -> None:
        numbers: dict[str, int] = {}
        words, marks, cases, lengths = [], [], [], []
        self.skipped = 0
        self.first_skipped = ""
        known = set(alphabet)
        for where, line in lines(paths):
            labelled = parse(line, alphabet)
            if outside := {letter for word in labelled for letter in word.text} - known:
                self.skipped += 1
                self.first_skipped = self.first_skipped or f"{where}: {min(outside)!r} is outside the alphabet."
                continue
            if labelled:
                words.append(np.array([numbers.setdefault(w.text, len(numbers)) for w in labelled], dtype=np.int32))
                marks.append(np.array([word.mark for word in labelled], dtype=np.int8))
                cases.append(np.array([word.case for word in labelled], dtype=np.int8))
                lengths.append(len(labelled))
        if not words:
            raise DataError(f"{', '.join(map(str, paths))} hold no words: give text with a passage a line.")
        self.words, self.marks, self.cases = (np.concatenate(parts) for parts in (words, marks, cases))
        self.ends = np.cumsum(lengths)
        self.table = as_rows(list(numbers), rows)
        """Pieces of each different word. Shape: (V, P)"""

    @property
    def content(self) -> tuple[np.ndarray, ...]:
        """Words, labels, ends of lines, and the pieces of each word."""
        return self.words, self.marks, self.cases, self.ends, self.table

    def __len__(self) -> int:
        return len(self.ends)

    def at(self, index: int) -> np.ndarray:
        """The positions of a line's words. Shape: -> (T,)"""
        return np.arange(self.ends[index - 1] if index else 0, self.ends[index])
