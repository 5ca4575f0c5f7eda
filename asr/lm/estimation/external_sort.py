"""Sorts more n-grams than memory holds: sorted blocks on disk, merged a piece of each at a time."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

Record = np.ndarray
"""A structured array with the field `words`, shape (K, order), uint32, and others that are carried along."""


class Sorter:
    """Takes n-grams in any order, and gives them back sorted by the words in the given columns."""

    def __init__(
        self, folder: Path, columns: Sequence[int], vocabulary_size: int, block: int, sums: bool = False
    ) -> None:
        """`columns`: most significant first, all of them. `block`: records held in memory. `sums`: records with the
        same words become one, whose `count` is the sum."""
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.columns, self.block, self.sums = columns, block, sums
        self.bits = max(int(vocabulary_size - 1).bit_length(), 1)
        self.dtype = np.dtype(np.void)
        self.pending: list[Record] = []
        self.runs: list[Path] = []

    def add(self, records: Record) -> None:
        """Take records; writes a sorted run to disk when there are enough."""
        self.dtype = records.dtype
        self.pending.append(records)
        if sum(map(len, self.pending)) >= self.block:
            self._write()

    def _write(self) -> None:
        if not self.pending:
            return
        path = self.folder / str(len(self.runs))
        self._sorted(self.pending).tofile(path)
        self.runs.append(path)
        self.pending = []

    def __iter__(self) -> Iterator[Record]:
        """All records in order, once, in pieces; n-grams that are equal in all columns are in one piece."""
        if self.runs:
            self._write()
            yield from self._merged()
        elif self.pending:
            yield self._sorted(self.pending)
            self.pending = []

    def _merged(self) -> Iterator[Record]:
        dtype = self.dtype
        share = max(self.block // len(self.runs), 1)
        offsets = [0] * len(self.runs)
        buffers = [np.empty(0, dtype)] * len(self.runs)
        keys = [self._keys(buffer) for buffer in buffers]
        unread = set(range(len(self.runs)))
        while True:
            for index in [index for index in unread if not len(buffers[index])]:
                buffers[index] = np.fromfile(self.runs[index], dtype, share, offset=offsets[index] * dtype.itemsize)
                keys[index] = self._keys(buffers[index])
                offsets[index] += len(buffers[index])
                if len(buffers[index]) < share:
                    unread.discard(index)
            if not any(map(len, buffers)):
                break
            # What is not read yet comes after the last record of its run that is.
            last = min((tuple(keys[index][:, -1].tolist()) for index in unread), default=None)
            cuts = [
                len(buffer) if last is None else up_to(key, last) for buffer, key in zip(buffers, keys, strict=True)
            ]
            yield self._sorted([buffer[:cut] for buffer, cut in zip(buffers, cuts, strict=True)])
            buffers = [buffer[cut:] for buffer, cut in zip(buffers, cuts, strict=True)]
            keys = [key[:, cut:] for key, cut in zip(keys, cuts, strict=True)]
        shutil.rmtree(self.folder)

    def _keys(self, records: Record) -> np.ndarray:
        return keys_of(records["words"], self.columns, self.bits)

    def _sorted(self, parts: Sequence[Record]) -> Record:
        records = np.concatenate(parts)
        keys = self._keys(records)
        ranks = np.argsort(keys[0]) if len(keys) == 1 else np.lexsort(keys[::-1])
        records, keys = records[ranks], keys[:, ranks]
        if self.sums and len(records):
            first = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
            counts = np.add.reduceat(records["count"], first)
            records = records[first]
            records["count"] = counts
        return records


def keys_of(words: np.ndarray, columns: Sequence[int], bits: int) -> np.ndarray:
    """Pack word numbers of `bits` bits into as few 64-bit numbers as they need, the first ones most significant.

    Shape: words (K, order) -> (C, K), uint64
    """
    each = 64 // bits
    packed = []
    for first in range(0, len(columns), each):
        key = np.zeros(len(words), np.uint64)
        for column in columns[first : first + each]:
            key = key << np.uint64(bits) | words[:, column]
        packed.append(key)
    return np.stack(packed)


def up_to(keys: np.ndarray, bound: Sequence[int]) -> int:
    """How many sorted keys are not above a bound. Shape: keys (C, K)"""
    low, high = 0, keys.shape[1]
    for key, value in zip(keys, bound, strict=True):
        part, number = key[low:high], np.uint64(value)
        low, high = low + int(np.searchsorted(part, number)), low + int(np.searchsorted(part, number, "right"))
    return high


def whole_groups(pieces: Iterator[Record] | Sorter, columns: Sequence[int]) -> Iterator[Record]:
    """The same sorted records, in pieces that never part two which agree in the columns."""
    rest: Record | None = None
    for piece in pieces:
        records = piece if rest is None else np.concatenate([rest, piece])
        changes = np.flatnonzero(changed(records["words"], columns))
        cut = int(changes[-1]) if len(changes) else 0
        if cut:
            yield records[:cut]
        rest = records[cut:]
    if rest is not None and len(rest):
        yield rest


def changed(words: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Where an n-gram differs from the one before it in some column. Shape: words (K, order) -> (K,), bool"""
    differs = np.zeros(len(words), bool)
    differs[:1] = True
    for column in columns:
        differs[1:] |= words[1:, column] != words[:-1, column]
    return differs
