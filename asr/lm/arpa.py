"""Reads n-gram models in ARPA format: plain, gzip, bzip2 or xz."""

import codecs
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from asr.errors import DataError
from asr.files import decompressed, reason_of
from asr.lm.ngram import BEGIN, END, UNKNOWN, Ngram
from asr.lm.trie import Level, Misfit, build

BLOCK = 1 << 22
"""Number of bytes parsed at a time."""
MAX_LINE = 1 << 20
"""Longest line in bytes."""
MAX_ORDER = 20
"""Highest order of the n-grams."""
NO_UNKNOWN = -100.0
"""log10 probability of `<unk>` for a model without it, as in KenLM, and of what has the log-probability -inf."""
IS_SPACE = np.isin(np.arange(256), list(b" \t\n\r\v\f"))
"""Whether `bytes.split` splits at a byte. Shape: (256,)"""


def read(path: Path | str) -> Ngram:
    """Read an ARPA file.

    `<UNK>` is read as `<unk>`; a model without either gets one with negligible probability. Text before the header is
    skipped.

    Raises:
        DataError: the file cannot be read, is truncated, is not an ARPA file, has wrong counts in its header, or has an
            n-gram that is malformed, a duplicate, or without its context. The message names file and line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, decompressed(file) as text:
            return _parse(path, text)
    except OSError as error:
        raise DataError(f"{path} {reason_of(error)}") from error


def _parse(path: Path, file: IO[bytes]) -> Ngram:
    blocks = _blocks(path, file)
    counts, pending = _counts(path, blocks)
    words: dict[bytes, int] = {}
    levels: list[Level] = []
    lines: list[np.ndarray] = []
    for order, count in enumerate([*counts, None], start=1):
        marker = b"\\end\\" if count is None else b"\\%d-grams:" % order
        if pending is None:
            raise DataError(f"{path} ends before `{marker.decode()}`: it is incomplete; download it again.")
        number, line = pending
        if line.strip() != marker:
            raise DataError(
                f"{path}, line {number}: expected `{marker.decode()}`, got {_quoted(line)}; "
                "the sections of an ARPA file must be in order, one for each count in its header."
            )
        if count is None:
            break
        pending, pieces = _section(path, blocks, order=order, highest=len(counts), words=words)
        lines.append(np.concatenate([numbers for numbers, _ in pieces]))
        levels.append(Level(*map(np.concatenate, zip(*(level for _, level in pieces), strict=True))))
        pieces.clear()
        actual = len(levels[-1].log_prob)
        if actual != count and pending is not None:
            raise DataError(
                f"{path}, line {pending[0]}: the section has {actual:,} {order}-grams, but the header of the file says "
                f"{count:,}: the file is damaged, or its header is wrong."
            )
    for word, verb in ((BEGIN, "begins"), (END, "ends")):
        if word.encode() not in words:
            raise DataError(f"{path} has no 1-gram `{word}`, with which every sentence {verb}.")
    if UNKNOWN.encode() not in words and b"<UNK>" in words:
        words = {(UNKNOWN.encode() if word == b"<UNK>" else word): number for word, number in words.items()}
    if UNKNOWN.encode() not in words:
        words[UNKNOWN.encode()] = len(words)
        extra = (
            np.array([[len(words) - 1]], np.int32),
            np.array([NO_UNKNOWN * math.log(10)], np.float32),
            np.array([0], np.float32),
        )
        levels[0] = Level(*map(np.concatenate, zip(levels[0], extra, strict=True)))
    names = sorted(words)
    rank = np.empty(len(words), np.int32)
    rank[[words[name] for name in names]] = np.arange(len(words), dtype=np.int32)
    levels = [Level(rank[level.words], level.log_prob, level.backoff) for level in levels]
    in_order = np.argsort(levels[0].words[:, 0])
    levels[0] = Level(*(column[in_order] for column in levels[0]))
    try:
        trie = build(levels)
    except Misfit as misfit:
        ids = levels[misfit.order - 1].words[misfit.index]
        gram = " ".join(names[number].decode() for number in ids)
        where = f"{path}, line {lines[misfit.order - 1][misfit.index]}"
        if misfit.reason == "twice":
            raise DataError(f'{where}: duplicate {misfit.order}-gram "{gram}"; keep one.') from None
        raise DataError(
            f'{where}: the {misfit.order}-gram "{gram}" lacks its context, the {misfit.order - 1}-gram '
            f'"{gram.rpartition(" ")[0]}", whose back-off weight is needed.'
        ) from None
    return Ngram(len(counts), [name.decode() for name in names], trie)


def _blocks(path: Path, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, bytes): each marker (a line that begins with a backslash) on its own, and blocks
    of whole lines between markers."""
    number, rest = 1, b""
    while True:
        data = file.read(BLOCK)
        block = rest + data if rest or number > 1 else data.removeprefix(codecs.BOM_UTF8)
        cut = block.rfind(b"\n") + 1 if data else len(block)
        block, rest = block[:cut], block[cut:]
        if len(rest) > MAX_LINE:
            line = number + block.count(b"\n")
            raise DataError(f"{path}, line {line} is longer than {MAX_LINE >> 20} MiB: it is not an ARPA file.")
        start = 0
        while start < len(block):
            if block[start] == ord("\\"):
                end = (block.find(b"\n", start) + 1) or len(block)
            else:
                end = (block.find(b"\n\\", start) + 1) or len(block)
            piece = block[start:end]
            yield number, piece
            number += piece.count(b"\n")
            start = end
        if not data:
            return


def _counts(path: Path, blocks: Iterator[tuple[int, bytes]]) -> tuple[list[int], tuple[int, bytes] | None]:
    """Read the header: the number of n-grams of each order, and the marker that follows (None: end of file)."""
    while (block := next(blocks, None)) and block[1].strip() != b"\\data\\":
        pass
    counts: list[int] = []
    pending = None
    for first, block in blocks:
        if block.startswith(b"\\"):
            pending = first, block
            break
        for number, line in enumerate(block.split(b"\n"), start=first):
            if not line.strip():
                continue
            match = re.fullmatch(rb"ngram\s+(\d{1,9})\s*=\s*(\d{1,9})\s*", line)
            if match is None or int(match[1]) != len(counts) + 1:
                raise DataError(
                    f"{path}, line {number}: expected `ngram {len(counts) + 1}=` and a count, got {_quoted(line)}."
                )
            counts.append(int(match[2]))
    if len(counts) > MAX_ORDER:
        raise DataError(f"{path} has n-grams of up to {len(counts)} words; it may have up to {MAX_ORDER}.")
    if not counts:
        raise DataError(f"{path} has no `\\data\\` section with counts: it is not an ARPA file, or it is incomplete.")
    return counts, pending


def _section(
    path: Path, blocks: Iterator[tuple[int, bytes]], *, order: int, highest: int, words: dict[bytes, int]
) -> tuple[tuple[int, bytes] | None, list[tuple[np.ndarray, Level]]]:
    """Read the n-grams of one order with their line numbers, and the marker that follows (None: end of file)."""
    empty = Level(np.empty((0, order), np.int32), np.empty(0, np.float32), np.empty(0, np.float32))
    pieces = [(np.empty(0, np.int32), empty)]
    for first, block in blocks:
        if block.startswith(b"\\"):
            return (first, block), pieces
        pieces.append(_lines(path, first, block, order=order, highest=highest, words=words))
    return None, pieces


def _lines(
    path: Path, first: int, block: bytes, *, order: int, highest: int, words: dict[bytes, int]
) -> tuple[np.ndarray, Level]:
    """Parse a block of whole lines at once to line numbers and n-grams; adds 1-grams to `words`."""
    codes = np.frombuffer(block, np.uint8)
    space = IS_SPACE[codes]
    begins = np.flatnonzero(~space & np.r_[True, space[:-1]])
    edges = np.r_[0, np.searchsorted(begins, np.flatnonzero(codes == ord("\n"))), len(begins)]
    length = np.diff(edges)
    filled = np.flatnonzero(length)
    start, length = edges[filled], length[filled]
    tokens = np.array([*block.split(), None], dtype=object)
    try:
        if not np.isin(length, [order + 1, order + 2]).all():
            raise ValueError  # noqa: TRY301
        log_prob = _numbers(tokens[start])
        weighted = length == order + 2
        backoff = np.zeros(len(start))
        backoff[weighted] = _numbers(tokens[start[weighted] + order + 1])
        if order == highest and backoff.any():
            raise ValueError  # noqa: TRY301
        log_prob[np.isneginf(log_prob)] = NO_UNKNOWN
        if (log_prob > 0).any() or not (np.isfinite(log_prob) & np.isfinite(backoff)).all():
            raise ValueError  # noqa: TRY301
        if order == 1:
            new = dict(zip(tokens[start + 1], range(len(words), len(words) + len(start)), strict=True))
            b"".join(new).decode()
            if len(new) < len(start) or not words.keys().isdisjoint(new):
                raise ValueError  # noqa: TRY301
            words.update(new)
        numbers = [_ids(tokens[start + 1 + column], words) for column in range(order)]
    except (ValueError, KeyError):
        _report_bad_line(path, first, block, order=order, highest=highest, words=words)
    scale = math.log(10)
    return (first + filled).astype(np.int32), Level(
        np.stack(numbers, axis=1), (log_prob * scale).astype(np.float32), (backoff * scale).astype(np.float32)
    )


def _numbers(tokens: np.ndarray) -> np.ndarray:
    return np.fromiter(map(float, tokens), np.float64, len(tokens))


def _ids(tokens: np.ndarray, words: dict[bytes, int]) -> np.ndarray:
    return np.fromiter(map(words.__getitem__, tokens), np.int32, len(tokens))


def _report_bad_line(  # noqa: PLR0912
    path: Path, first: int, block: bytes, *, order: int, highest: int, words: dict[bytes, int]
) -> NoReturn:
    """Raise DataError for the first invalid line of a block: the same rules as `_lines`, line by line."""
    seen = set(words)
    for number, line in enumerate(block.split(b"\n"), start=first):
        fields = line.split()
        if not fields:
            continue
        where = f"{path}, line {number}"
        if len(fields) not in (order + 1, order + 2):
            raise DataError(
                f"{where}: expected a log-probability and {order} word{'s' if order > 1 else ''}"
                f"{', then optionally a back-off weight' if order < highest else ''}, got {_quoted(line)}."
            )
        for name, field in (("log-probability", fields[0]), ("back-off weight", (*fields, b"0")[order + 1])):
            try:
                value = float(field)
            except ValueError:
                value = math.nan
            if value == -math.inf and name == "log-probability":
                continue
            if order == highest and name == "back-off weight" and value != 0:
                raise DataError(
                    f"{where}: the back-off weight {_quoted(field)} must be 0 or left out, because no longer n-gram "
                    "can "
                    "back off to this one."
                )
            if not math.isfinite(value):
                raise DataError(f"{where}: the {name} {_quoted(field)} must be a finite number.")
            if value > 0 and name == "log-probability":
                raise DataError(f"{where}: the log-probability {_quoted(field)} must be 0 or less.")
        for word in fields[1 : order + 1]:
            try:
                word.decode()
            except UnicodeDecodeError:
                raise DataError(f"{where}: the word {_quoted(word)} is not UTF-8; save the file as UTF-8.") from None
            if order == 1 and word in seen:
                raise DataError(f"{where}: duplicate 1-gram {_quoted(word)}; keep one.")
            if order > 1 and word not in words:
                raise DataError(f"{where}: the word {_quoted(word)} is not among the 1-grams.")
            seen.add(word)
    raise AssertionError("all lines are well formed")


def _quoted(text: bytes) -> str:
    return repr(text.strip().decode(errors="backslashreplace")[:80])
