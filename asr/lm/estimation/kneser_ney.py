"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999), for text larger than memory.

Every step reads sorted n-grams in pieces and passes its results to the next (Heafield et al. 2013):

1. count the n-grams of the highest order, in suffix order: sorted by the last word, then the one before it, ...;
2. compute adjusted counts of the lower orders: the number of different words before an n-gram, its left neighbours;
   n-grams that begin with `<s>`, which has no left neighbour, keep their count;
3. in context order, compute discounted probabilities and the probability mass left for backing off;
4. in suffix order again, interpolate with the order below.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from asr.lm.estimation.external_sort import Record, Sorter, changed, whole_groups
from asr.lm.ngram import BEGIN, END, UNKNOWN
from asr.lm.sentences import Share
from asr.lm.trie import find

BLOCK = 1 << 20
"""Number of n-grams sorted in memory at a time; all steps together need some 300 bytes for each."""
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts for a text too small or too regular to estimate them, as in KenLM's `--discount_fallback`."""
MARKS = (UNKNOWN, BEGIN, END)
"""The special words, the first ones of every vocabulary."""


class Table:
    """The n-grams of an order in suffix order, as columns on disk.

    The key of an n-gram is the row of its suffix in the order below, times the vocabulary's size, plus its first word.
    """

    def __init__(self, folder: Path, order: int) -> None:
        self.folder, self.order, self.rows = folder, order, 0

    def append(self, key: np.ndarray, probability: np.ndarray) -> None:
        """Append rows. Shape: key (K,), int64; probability (K,), float64"""
        columns = {"key": key, "probability": probability, "backoff": np.ones(len(key))}
        for name, column in columns.items():
            with self._path(name).open("ab") as file:
                column.tofile(file)
        self.rows += len(key)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}-{self.order}"

    def column(self, name: str) -> np.ndarray:
        """A column, memory-mapped."""
        dtype = np.int64 if name == "key" else np.float64
        return np.memmap(self._path(name), dtype, "r+") if self.rows else np.empty(0, dtype)


class Trainer:
    """Estimation of one model: vocabulary, settings, and a folder for data that does not fit into memory."""

    def __init__(
        self, words: Sequence[bytes], allowed: np.ndarray, *, order: int, prune: Sequence[int], folder: Path, block: int
    ) -> None:
        """`allowed`: words in the vocabulary, shape (V,), bool. `prune`: the highest count pruned for each order."""
        self.words, self.allowed, self.order, self.folder, self.block = words, allowed, order, folder, block
        self.prune = [*prune, *[prune[-1]] * order][:order]
        self.begin = MARKS.index(BEGIN)
        self.tokens = 0  # words and sentence ends
        self.unigrams = np.zeros(len(words), np.int64)  # adjusted counts
        self.histogram = np.zeros((order + 1, 5), np.int64)  # of adjusted counts up to 4, by order
        self.counted, self.kept = [0] * (order + 1), [0] * (order + 1)

    def sorter(self, columns: Sequence[int], sums: bool = False) -> Sorter:
        return Sorter(self.folder, columns, len(self.words), self.block, sums)

    def count(self, texts: Iterator[np.ndarray]) -> Sorter:
        """Step 1: n-grams of the highest order. `texts`: word numbers of whole sentences, each with its end."""
        counted = self.sorter(_suffix_order(self.order), sums=True)
        dtype = np.dtype([("words", np.uint32, (self.order,)), ("count", np.int64)])
        for numbers in texts:
            windows = _windows(numbers, self.order, self.begin, MARKS.index(END))
            self.tokens += len(windows)
            for first in range(0, len(windows), self.block):
                records = np.ones(len(windows[first : first + self.block]), dtype)
                records["words"] = windows[first : first + self.block]
                counted.add(records)
        return counted

    def adjust(self, counted: Sorter, share: Share) -> list[Sorter]:
        """Step 2: for each order from 2 up, n-grams with adjusted counts, to be read in context order."""
        done = 0
        adjusted = [self.sorter(_context_order(order)) for order in range(2, self.order + 1)]
        for piece in whole_groups(counted, _suffix_order(self.order)[:2]):
            words, count = piece["words"], piece["count"]
            done += int(count.sum())
            share(done / self.tokens)
            new = changed(words, [self.order - 1])
            for order in range(2, self.order + 1):
                head = self.order - order
                new = new | changed(words, [head])
                starts = np.flatnonzero(new)
                if order == 2:
                    self.unigrams += np.bincount(words[starts, -1], minlength=len(self.words))
                times = np.add.reduceat(count, starts)
                number = times
                if order < self.order:
                    neighbours = np.add.reduceat((new | changed(words, [head - 1])).astype(np.int64), starts)
                    number = np.where(words[starts, head] == self.begin, times, neighbours)
                # Sentences are padded with several `<s>`; only the last of them is a word.
                proper = words[starts, head + 1] != self.begin
                self._add_adjusted(adjusted[order - 2], words[starts[proper], head:], times[proper], number[proper])
        self.counted[1] = len(self.words)
        self.kept[1] = int(self.allowed.sum())
        self.histogram[1] = np.bincount(np.minimum(self.unigrams, 5), minlength=6)[:5]
        return adjusted

    def _add_adjusted(self, sorter: Sorter, words: np.ndarray, times: np.ndarray, number: np.ndarray) -> None:
        order = words.shape[1]
        dtype = np.dtype([("words", np.uint32, (order,)), ("count", np.int64), ("pruned", np.bool_)])
        records = np.empty(len(words), dtype)
        records["words"], records["count"] = words, number
        records["pruned"] = (times <= self.prune[order - 1]) | ~self.allowed[words].all(axis=1)
        self.histogram[order] += np.bincount(np.minimum(number, 5), minlength=6)[:5]
        self.counted[order] += len(records)
        self.kept[order] += int((~records["pruned"]).sum())
        sorter.add(records)

    def discount(self, order: int, adjusted: Sorter, amounts: np.ndarray) -> tuple[Sorter, Path]:
        """Step 3: the kept n-grams, to be read in suffix order, and a file with the left-over mass of each context.

        `amounts`: the discounts for counts of 0, 1, 2, and 3 or more.
        """
        kept_ngrams = self.sorter(_suffix_order(order))
        dtype = np.dtype([("words", np.uint32, (order,)), ("probability", np.float64), ("left", np.float64)])
        contexts = self.folder / f"contexts-{order}"
        with contexts.open("wb") as file:
            for piece in whole_groups(adjusted, _context_order(order)[:-1]):
                new = changed(piece["words"], range(order - 1))
                starts = np.flatnonzero(new)
                count, stays = piece["count"], ~piece["pruned"]
                taken = np.where(stays, amounts[np.minimum(count, 3)], count)
                total = np.add.reduceat(count, starts)
                left = np.add.reduceat(taken, starts) / total
                context = np.empty(len(starts), _context_dtype(order))
                context["words"], context["left"] = piece["words"][starts, :-1], left
                context.tofile(file)
                group = np.cumsum(new) - 1
                records = np.empty(int(stays.sum()), dtype)
                records["words"] = piece["words"][stays]
                records["probability"] = ((count - taken) / total[group])[stays]
                records["left"] = left[group][stays]
                kept_ngrams.add(records)
        return kept_ngrams, contexts

    def unigram_table(self, amounts: np.ndarray) -> Table:
        """The 1-grams, interpolated with the uniform distribution over all words but `<s>`, `<unk>` among them."""
        count = self.unigrams
        taken = np.where(self.allowed, amounts[np.minimum(count, 3)], count)
        left = taken.sum() / count.sum()
        table = Table(self.folder, 1)
        table.append(np.arange(len(count)), (count - taken) / count.sum() + left / (self.allowed.sum() - 1))
        table.column("probability")[self.begin] = 1
        return table

    def interpolate(self, tables: list[Table], kept_ngrams: Sorter, contexts: Path) -> Table:
        """Step 4, for the order above `tables`: its probabilities, and the back-off weights of the order below."""
        order = len(tables) + 1
        table, below = Table(self.folder, order), tables[-1]
        keys = [table.column("key") for table in tables]
        probability, backoff = below.column("probability"), below.column("backoff")
        for piece in kept_ngrams:
            suffix = self.rows(keys, piece["words"][:, 1:])
            assert (suffix >= 0).all(), "an n-gram is kept only if its suffix is"
            key = suffix * len(self.words) + piece["words"][:, 0]
            table.append(key, piece["probability"] + piece["left"] * probability[suffix])
        for piece in _pieces(contexts, _context_dtype(order), self.block):
            row = self.rows(keys, piece["words"])
            backoff[row[row >= 0]] = piece["left"][row >= 0]
        return table

    def rows(self, keys: Sequence[np.ndarray], words: np.ndarray) -> np.ndarray:
        """The row of each n-gram in its table, -1 if it was pruned. Shape: words (K, order) -> (K,)"""
        row = words[:, -1].astype(np.int64)
        for order in range(2, words.shape[1] + 1):
            row = find(keys[order - 1], row * len(self.words) + words[:, -order])
        return row

    def ngrams(self, tables: Sequence[Table], order: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield n-grams in pieces: words, log10 probability, log10 back-off weight. Shape: (K, order), (K,), (K,)"""
        keys = [table.column("key") for table in tables]
        probability, backoff = tables[order - 1].column("probability"), tables[order - 1].column("backoff")
        for first in range(0, tables[order - 1].rows, self.block):
            rows = np.arange(first, min(first + self.block, tables[order - 1].rows))
            stays = self.allowed[rows] if order == 1 else np.ones(len(rows), bool)
            log_prob, log_backoff = np.log10(probability[rows]), np.log10(backoff[rows])
            columns = []
            for below in range(order - 1, 0, -1):
                rows, word = np.divmod(keys[below][rows], len(self.words))
                columns.append(word)
            yield np.stack([*columns, rows], axis=1)[stays], log_prob[stays], log_backoff[stays]


def discounts(histogram: np.ndarray) -> tuple[tuple[float, float, float], bool]:
    """Discounts by Chen and Goodman's equation 26 from the numbers of n-grams with counts 1 to 4; and whether valid."""
    once, twice, thrice, four = (float(number) for number in histogram[1:5])
    if min(once, twice, thrice) == 0:
        return FALLBACK, False
    y = once / (once + 2 * twice)
    estimates = (1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice)
    if any(not 0 < amount <= limit for limit, amount in enumerate(estimates, start=1)):
        return FALLBACK, False  # a discount of 0 leaves no mass for backing off, whose logarithm is -inf
    return estimates, True


def _suffix_order(order: int) -> list[int]:
    return list(range(order))[::-1]


def _context_order(order: int) -> list[int]:
    return [*_suffix_order(order - 1), order - 1]


def _context_dtype(order: int) -> np.dtype:
    return np.dtype([("words", np.uint32, (order - 1,)), ("left", np.float64)])


def _windows(numbers: np.ndarray, order: int, begin: int, end: int) -> np.ndarray:
    """The n-gram that ends in each word and sentence end, padded with `<s>`. Shape: (T,) -> (T, order)"""
    if not len(numbers):
        return np.empty((0, order), numbers.dtype)
    starts = np.r_[0, np.flatnonzero(numbers == end)[:-1] + 1]
    padded = np.insert(numbers, np.repeat(starts, order - 1), begin)
    windows = np.lib.stride_tricks.sliding_window_view(padded, order)
    return windows[windows[:, -1] != begin]


def _pieces(path: Path, dtype: np.dtype, block: int) -> Iterator[Record]:
    with path.open("rb") as file:
        while len(piece := np.fromfile(file, dtype, block)):
            yield piece
