"""From text to an ARPA file."""

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
"""Lines of the ARPA file that are written at a time."""


@dataclass(frozen=True)
class Order:
    """What was found of one order."""

    counted: int
    """Different n-grams in the text."""
    kept: int
    """Of these, in the model."""
    discounts: tuple[float, float, float]
    """For counts of 1, of 2, and of 3 and more."""
    estimated: bool
    """Whether the discounts come from the text; else the text is too small or too regular, and they are fixed."""


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
    """Train an n-gram model on text files and write it as ARPA, packed where the name ends in .gz or .xz.

    As in KenLM's `lmplz`, an n-gram goes when the text has it no more often than `prune` says for its order (the last
    number holds for all higher orders), or when it has a word outside the vocabulary; counts and discounts come from
    the whole text, and what is pruned goes to the back-off weights. `vocabulary` is a list of words, `vocabulary_size`
    takes the most frequent ones, the earlier of two equal ones. `normalised` trains on what the recogniser would write.

    Raises:
        DataError: a text cannot be read, is not UTF-8 or holds a mark such as `<s>`; no word is left; `prune` falls,
            or does not begin with 0.
    """
    _check_prune(prune, order)
    counts = count_words(texts, normalised, lambda share: progress("words", share, 1.0))
    allowed = _allowed(texts, counts, vocabulary, vocabulary_size, normalised)
    words = [*(mark.encode() for mark in MARKS), *counts]
    encoder = Encoder({word: number for number, word in enumerate(words)}, normalised)

    with tempfile.TemporaryDirectory(prefix="asr-lm-") as folder, replacing(output) as file:
        allowed = np.r_[[True] * len(MARKS), allowed]
        trainer = Trainer(words, allowed, order=order, prune=prune, folder=Path(folder), block=block)
        numbers = (part for _, part in encode_all(texts, encoder, lambda share: progress("n-grams", share, 1.0)))
        counted = trainer.count(numbers)
        adjusted = trainer.adjust(counted, lambda share: progress("adjusted counts", share, 1.0))
        found = [discounts(trainer.histogram[n]) for n in range(1, order + 1)]
        amounts = [np.r_[0.0, amount] for amount, _ in found]
        tables = [trainer.unigram_table(amounts[0])]
        for n in range(2, order + 1):
            progress("probabilities", n - 2, order - 1)
            tables.append(trainer.interpolate(tables, *trainer.discount(n, adjusted[n - 2], amounts[n - 1])))
        with compressed(file, output.suffix) as arpa:
            _write(arpa, trainer, tables, progress)
    return [Order(trainer.counted[n], trainer.kept[n], *found[n - 1]) for n in range(1, order + 1)]


def _check_prune(prune: Sequence[int], order: int) -> None:
    shown = " ".join(map(str, prune))
    if not prune:
        raise DataError("--prune has no number: give one for each order, such as 0 0 1.")
    if len(prune) > order:
        raise DataError(f"--prune {shown} has {len(prune)} numbers; a model of order {order} takes at most {order}.")
    if prune[0] != 0:
        raise DataError(f"--prune {shown} has to begin with 0: to have fewer words, give --vocabulary-size.")
    if list(prune) != sorted(prune):
        raise DataError(f"--prune {shown} must not fall: an n-gram stays only where the shorter ones in it stay.")


def _allowed(
    texts: Sequence[Path], counts: dict[bytes, int], vocabulary: Path | None, size: int | None, normalised: bool
) -> np.ndarray:
    """Which of the text's words are in the vocabulary. Shape: (words,), bool"""
    if not counts:
        raise DataError(f"{', '.join(map(str, texts))}: there is no word to learn from; give text, a sentence a line.")
    if vocabulary is not None:
        listed = read_vocabulary(vocabulary, normalised)
        allowed = np.array([word in listed for word in counts])
        if not allowed.any():
            raise DataError(f"{vocabulary} has no word that the text has: compare capitals, or give --normalise.")
        return allowed
    allowed = np.ones(len(counts), bool)
    if size is not None:
        allowed[np.argsort([-count for count in counts.values()], kind="stable")[size:]] = False
    return allowed


def _write(file: IO[bytes], trainer: Trainer, tables: Sequence[Table], progress: Progress) -> None:
    words = [word.decode() for word in trainer.words]
    head = [f"ngram {order}={trainer.kept[order]}\n" for order in range(1, len(tables) + 1)]
    file.write(f"\\data\\\n{''.join(head)}".encode())
    written, total = 0, sum(trainer.kept)
    for order in range(1, len(tables) + 1):
        file.write(f"\n\\{order}-grams:\n".encode())
        for numbers, log_prob, log_backoff in trainer.ngrams(tables, order):
            for first in range(0, len(numbers), LINES):
                part = slice(first, first + LINES)
                lines = _lines(words, numbers[part], log_prob[part], log_backoff[part] if order < len(tables) else None)
                file.write("".join(lines).encode())
                written += len(numbers[part])
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
