"""External merge sort for more n-grams than fit into memory: sorted runs on disk, merged block by block."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

Record = np.ndarray
"""A structured array with the field `words`, shape (K, order), uint32, and any other fields."""


class Sorter:
    """Collects n-grams in any order and yields them sorted by the words in the given columns."""

    def __init__(
        self, folder: Path, columns: Sequence[int], vocabulary_size: int, block: int, sums: bool = False
    ) -> None:
        """`columns`: all columns, most significant first. `block`: number of records held in memory. `sums`: merge
        records with the same words and sum their `count`."""
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.columns, self.block, self.sums = columns, block, sums
        self.bits = max(int(vocabulary_size - 1).bit_length(), 1)
        self.dtype = np.dtype(np.void)
        self.pending: list[Record] = []
        self.runs: list[Path] = []

    def add(self, records: Record) -> None:
        """Add records; writes a sorted run to disk when the block is full."""
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
        """Yield all records in sorted pieces, once; n-grams that are equal in all columns are in one piece."""
        if self.runs:
            self._write()
            yield from self._merged()
        elif self.pending:
            yield self._sorted(self.pending)
            self.pending = []

    def _merged(self) -> Iterator[Record]:
        dtype = self.dtype
        chunk = max(self.block // len(self.runs), 1)
        offsets = [0] * len(self.runs)
        buffers = [np.empty(0, dtype)] * len(self.runs)
        keys = [self._keys(buffer) for buffer in buffers]
        unread = set(range(len(self.runs)))
        while True:
            for index in [index for index in unread if not len(buffers[index])]:
                buffers[index] = np.fromfile(self.runs[index], dtype, chunk, offset=offsets[index] * dtype.itemsize)
                keys[index] = self._keys(buffers[index])
                offsets[index] += len(buffers[index])
                if len(buffers[index]) < chunk:
                    unread.discard(index)
            if not any(map(len, buffers)):
                break
            # Unread records come after the last record that was read from their run.
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

    def _sorted(self, batches: Sequence[Record]) -> Record:
        records = np.concatenate(batches)
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
    """Pack word numbers of `bits` bits into as few 64-bit keys as possible, the first ones most significant.

    Shape: words (K, order) -> (C, K), uint64
    """
    per_key = 64 // bits
    packed = []
    for first in range(0, len(columns), per_key):
        key = np.zeros(len(words), np.uint64)
        for column in columns[first : first + per_key]:
            key = key << np.uint64(bits) | words[:, column]
        packed.append(key)
    return np.stack(packed)


def up_to(keys: np.ndarray, bound: Sequence[int]) -> int:
    """The number of sorted keys less than or equal to a bound. Shape: keys (C, K)"""
    low, high = 0, keys.shape[1]
    for key, value in zip(keys, bound, strict=True):
        rest, number = key[low:high], np.uint64(value)
        low, high = low + int(np.searchsorted(rest, number)), low + int(np.searchsorted(rest, number, "right"))
    return high


def whole_groups(pieces: Iterator[Record] | Sorter, columns: Sequence[int]) -> Iterator[Record]:
    """Regroup sorted records into pieces that keep records with equal columns together."""
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
    """Whether each n-gram differs from the previous one in any of the columns. Shape: words (K, order) -> (K,), bool"""
    differs = np.zeros(len(words), bool)
    differs[:1] = True
    for column in columns:
        differs[1:] |= words[1:, column] != words[:-1, column]
    return differs
