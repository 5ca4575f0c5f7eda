"""Trains an n-gram model on text and writes an ARPA file."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from asr.errors import DataError
from asr.files import compressed, replacing
from asr.lm.estimation.kneser_ney import BLOCK, MARKS, Table, Trainer, discounts
from asr.lm.sentences import Encoder, count_words, encode_all, read_vocabulary
from asr.progress import Progress, silent

LINES = 1 << 18
"""Number of ARPA lines written at a time."""


@dataclass(frozen=True)
class Order:
    """Statistics of one order."""

    counted: int
    """Number of distinct n-grams in the text."""
    kept: int
    """Number of these in the model."""
    discounts: tuple[float, float, float]
    """For counts of 1, 2, and 3 or more."""
    estimated: bool
    """Whether the discounts were estimated; else the text is too small or too regular, and default values are used."""


def train(
    texts: Sequence[Path],
    output: Path,
    *,
    order: int = 3,
    prune: Sequence[int] = (0,),
    vocabulary: Path | None = None,
    vocabulary_size: int | None = None,
    normalised: bool = False,
    block: int = BLOCK,
    progress: Progress = silent,
) -> list[Order]:
    """Train an n-gram model on text files and write it as ARPA, compressed if the name ends in .gz or .xz.

    As in KenLM's `lmplz`, an n-gram is pruned if its count is at most the value of `prune` for its order (the last
    value applies to all higher orders) or if it contains a word outside the vocabulary. Counts and discounts are those
    of the whole text; the mass of pruned n-grams goes to the back-off weights. `vocabulary` is a word list;
    `vocabulary_size` takes the most frequent words, among equally frequent ones those that appear first. `normalised`
    normalises the text like the recogniser's output.

    Raises:
        DataError: a text cannot be read, is not UTF-8 or contains a special word such as `<s>`; no words are left;
            `prune` decreases or does not begin with 0.
    """
    _check_prune(prune, order)
    counts = count_words(texts, normalised, lambda share: progress("words", share, 1.0))
    allowed = _allowed(texts, counts, vocabulary, vocabulary_size, normalised)
    words = [*(mark.encode() for mark in MARKS), *counts]
    encoder = Encoder({word: number for number, word in enumerate(words)}, normalised)

    with tempfile.TemporaryDirectory(prefix="asr-lm-") as folder, replacing(output) as file:
        allowed = np.r_[[True] * len(MARKS), allowed]
        trainer = Trainer(words, allowed, order=order, prune=prune, folder=Path(folder), block=block)
        numbers = (block for _, block in encode_all(texts, encoder, lambda share: progress("n-grams", share, 1.0)))
        counted = trainer.count(numbers)
        adjusted = trainer.adjust(counted, lambda share: progress("adjusted counts", share, 1.0))
        estimates = [discounts(trainer.histogram[n]) for n in range(1, order + 1)]
        amounts = [np.r_[0.0, amount] for amount, _ in estimates]
        tables = [trainer.unigram_table(amounts[0])]
        for n in range(2, order + 1):
            progress("probabilities", n - 2, order - 1)
            tables.append(trainer.interpolate(tables, *trainer.discount(n, adjusted[n - 2], amounts[n - 1])))
        with compressed(file, output.suffix) as arpa:
            _write(arpa, trainer, tables, progress)
    return [Order(trainer.counted[n], trainer.kept[n], *estimates[n - 1]) for n in range(1, order + 1)]


def _check_prune(prune: Sequence[int], order: int) -> None:
    shown = " ".join(map(str, prune))
    if not prune:
        raise DataError("--prune has no number: give one for each order, such as 0 0 1.")
    if len(prune) > order:
        raise DataError(f"--prune {shown} has {len(prune)} numbers; a model of order {order} takes at most {order}.")
    if prune[0] != 0:
        raise DataError(f"--prune {shown} must begin with 0: to limit the number of words, give --vocabulary-size.")
    if list(prune) != sorted(prune):
        raise DataError(f"--prune {shown} must not decrease: an n-gram is kept only if the shorter ones in it are.")


def _allowed(
    texts: Sequence[Path], counts: dict[bytes, int], vocabulary: Path | None, size: int | None, normalised: bool
) -> np.ndarray:
    """Whether each word of the text is in the vocabulary. Shape: (words,), bool"""
    if not counts:
        raise DataError(
            f"{', '.join(map(str, texts))}: there are no words to train on; give text with one sentence per line."
        )
    if vocabulary is not None:
        listed = read_vocabulary(vocabulary, normalised)
        allowed = np.array([word in listed for word in counts])
        if not allowed.any():
            raise DataError(
                f"{vocabulary} shares no word with the text: check upper and lower case, or give --normalise."
            )
        return allowed
    allowed = np.ones(len(counts), bool)
    if size is not None:
        allowed[np.argsort([-count for count in counts.values()], kind="stable")[size:]] = False
    return allowed


def _write(file: IO[bytes], trainer: Trainer, tables: Sequence[Table], progress: Progress) -> None:
    words = [word.decode() for word in trainer.words]
    counts = [f"ngram {order}={trainer.kept[order]}\n" for order in range(1, len(tables) + 1)]
    file.write(f"\\data\\\n{''.join(counts)}".encode())
    written, total = 0, sum(trainer.kept)
    for order in range(1, len(tables) + 1):
        file.write(f"\n\\{order}-grams:\n".encode())
        for numbers, log_prob, log_backoff in trainer.ngrams(tables, order):
            for first in range(0, len(numbers), LINES):
                rows = slice(first, first + LINES)
                lines = _lines(words, numbers[rows], log_prob[rows], log_backoff[rows] if order < len(tables) else None)
                file.write("".join(lines).encode())
                written += len(numbers[rows])
                progress("writing", written, total)
    file.write(b"\n\\end\\\n")


def _lines(
    words: Sequence[str], numbers: np.ndarray, log_prob: np.ndarray, log_backoff: np.ndarray | None
) -> Iterator[str]:
    columns = [map(words.__getitem__, column.tolist()) for column in numbers.T]
    ngrams = map(" ".join, zip(*columns, strict=True))
    if log_backoff is None:
        return map("%.7g\t%s\n".__mod__, zip(log_prob.tolist(), ngrams, strict=True))
    return map("%.7g\t%s\t%.7g\n".__mod__, zip(log_prob.tolist(), ngrams, log_backoff.tolist(), strict=True))
