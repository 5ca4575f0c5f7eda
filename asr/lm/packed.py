"""Binary n-gram files in two forms: memory-mapped, which open instantly, or small, which are unpacked into memory.

    b"asr n-gram 1\\n"   a line of JSON   the arrays, each aligned to 64 bytes

The memory-mapped form stores the trie as it is. The small form omits what can be recomputed (the suffixes), rounds
log-probabilities and back-off weights to a quarter, numbers the words from the most frequent to the rarest, so that
most numbers are small, and compresses everything with xz.
"""

import io
import itertools
import json
import lzma
import mmap
import operator
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from asr.errors import ModelError
from asr.files import replacing
from asr.lm import arpa
from asr.lm.ngram import BEGIN, END, UNKNOWN, Ngram
from asr.lm.trie import Trie, check, frozen, keys_of, link, renumbered
from asr.models.metadata import integer, parse_object, reason_of

MAGIC = b"asr n-gram 1\n"
ALIGNMENT = 64
STEPS = 4
"""Steps per unit to which the small form rounds natural logarithms: an error of at most 13 % of a probability.

Beside steps of a sixteenth that costs two thousandths of the perplexity and saves a seventh of the size.
"""

Form = Literal["mapped", "small"]


MAX_HEADER_BYTES = 1 << 16
"""Longest header."""
MAX_UNPACKED_BYTES = 1 << 30
"""Most that the arrays of the small form may take when unpacked."""
DTYPES = frozenset(("|u1", "<i2", "<i4", "<u4", "<f4"))
"""Types of arrays."""


def load(path: Path | str, source: str = "") -> Ngram:
    """Open an n-gram model: a packed file, or an ARPA file (plain, gzip, bzip2 or xz).

    Args:
        path: the file.
        source: what a packed file must say that it was made from, if given.

    Raises:
        DataError: the file cannot be read, or is neither a packed file nor a valid ARPA file.
        ModelError: a packed file is truncated or damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _read(str(path), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), source)
    except OSError:
        pass  # the ARPA reader fails in the same way, with a proper error message
    return arpa.read(path)


def loads(data: bytes, where: str) -> Ngram:
    """Open the contents of a packed file; `where` names it in error messages.

    Raises:
        ModelError: the contents are truncated or damaged.
    """
    if not data.startswith(MAGIC):
        raise ModelError(f"{where} is not a packed n-gram model: create one with `asr lm pack`.")
    return _read(where, data)


def save(ngram: Ngram, path: Path, form: Form = "mapped", source: str = "") -> None:
    """Write a packed file atomically; `small` is a tenth of the size, slower to open, and rounded.

    `source` names what it was made from, for `load`; without it the words have to be sorted.
    """
    with replacing(path) as file:
        _write(ngram, file, form, source)


def dumps(ngram: Ngram, form: Form = "small") -> bytes:
    """Serialize to the contents of a packed file."""
    file = io.BytesIO()
    _write(ngram, file, form)
    return file.getvalue()


def _write(ngram: Ngram, file: IO[bytes], form: Form, source: str = "") -> None:
    words, columns = (ngram.words, ngram.trie._asdict()) if form == "mapped" else _shrink(ngram)
    arrays = {"words": np.frombuffer("\n".join(words).encode(), np.uint8)} | columns
    if form == "mapped":
        contents = {name: array.data.cast("B") for name, array in arrays.items()}
    else:
        contents = {name: lzma.compress(_planes(array), preset=9) for name, array in arrays.items()}
    header: dict[str, Any] = {"order": ngram.order, "counts": ngram.counts, "form": form, "steps": STEPS}
    header |= {"source": source} if source else {}
    header["arrays"] = [
        {"name": name, "dtype": array.dtype.str, "items": len(array), "bytes": len(contents[name])}
        for name, array in arrays.items()
    ]
    file.write(MAGIC + json.dumps(header).encode() + b"\n")
    for content in contents.values():
        file.write(bytes(-file.tell() % ALIGNMENT))
        file.write(content)


def _read(where: str, data: bytes | mmap.mmap, source: str = "") -> Ngram:
    try:
        return _parse(data, source)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, MemoryError, lzma.LZMAError) as error:
        raise ModelError(
            f"{where} is a damaged n-gram model ({reason_of(error)}): pack it again with `asr lm pack`."
        ) from error


def _parse(data: bytes | mmap.mmap, source: str) -> Ngram:
    """Read a packed file, and check it as a whole. Raises the errors that `_read` names."""
    end = data.find(b"\n", len(MAGIC), len(MAGIC) + MAX_HEADER_BYTES) + 1
    header = parse_object(bytes(data[len(MAGIC) : end]).decode(), "header")
    if source and header.get("source") != source:
        raise ValueError("it was made from something else")
    order = integer(header["order"], "order", 1, arpa.MAX_ORDER)
    counts = [integer(count, "counts", 0, 2**31 - 2) for count in header["counts"]]
    if len(counts) != order:
        raise ValueError("its counts do not fit its order")
    is_small = header["form"] == "small"
    arrays = _arrays(header["arrays"], data, end, is_small=is_small)
    words = bytes(arrays.pop("words")).decode().split("\n")
    if is_small:
        words, trie = _expand(words, counts, integer(header["steps"], "steps", 1, 1 << 16), arrays)
    else:
        trie = frozen(Trie(**arrays))
    if not source and any(map(operator.ge, words, words[1:])):  # one that we have made may have another order
        raise ValueError("its words are not sorted")
    if missing := {BEGIN, END, UNKNOWN}.difference(words):
        raise ValueError(f"it lacks the word `{min(missing)}`")
    check(trie, len(words))
    ngram = Ngram(order, words, trie)
    if ngram.counts != counts:
        raise ValueError("its counts do not fit its arrays")
    return ngram


def _arrays(
    entries: list[dict[str, Any]], data: bytes | mmap.mmap, start: int, *, is_small: bool
) -> dict[str, np.ndarray]:
    """Read the arrays behind the header, which ends at `start`, and nothing else."""
    arrays, unpacked = {}, 0
    for entry in entries:
        start += -start % ALIGNMENT
        if entry["dtype"] not in DTYPES:
            raise ValueError("an array has an unknown type")
        dtype, items = np.dtype(entry["dtype"]), integer(entry["items"], "items", 0, 2**31 - 1)
        integer(entry["bytes"], "bytes", 0, len(data))
        if is_small:
            unpacked += items * dtype.itemsize
            if unpacked > MAX_UNPACKED_BYTES:
                raise ValueError(f"it would take more than {MAX_UNPACKED_BYTES >> 20} MB unpacked")
            content = _decompressed(data[start : start + entry["bytes"]], items * dtype.itemsize)
            arrays[entry["name"]] = _unplanes(content, dtype, items)
        else:
            arrays[entry["name"]] = np.frombuffer(data, dtype, items, start)
        start += entry["bytes"]
    if start != len(data):
        raise ValueError(f"{len(data):,} bytes instead of {start:,}")
    return arrays


def _decompressed(data: bytes, size: int) -> bytes:
    """Decompress xz data that must have a certain size, without ever unpacking more."""
    decompressor = lzma.LZMADecompressor(memlimit=MAX_UNPACKED_BYTES)
    content = decompressor.decompress(data, max_length=size + 1)
    if len(content) != size:
        raise ValueError(f"{len(content):,} bytes instead of {size:,}")
    return content


def _shrink(ngram: Ngram) -> tuple[list[str], dict[str, np.ndarray]]:
    """Convert to the small form: the words, and the arrays of each order."""
    size, counts, trie = len(ngram.words), ngram.counts, ngram.trie
    arrays: dict[str, np.ndarray] = {}
    frequent = np.argsort(-_rounded(trie.log_prob[1 : size + 1]), kind="stable")
    keys, was = renumbered(keys_of(trie, size), counts, np.argsort(frequent))
    parents = keys // size
    edges = np.cumsum([1, *counts])
    for order, (first, last) in enumerate(itertools.pairwise(edges), start=1):
        nodes = was[first:last]
        arrays[f"log_prob{order}"] = _rounded(trie.log_prob[nodes])
        if order < ngram.order:
            arrays[f"backoff{order}"] = _rounded(trie.backoff[nodes])
            children = parents[last - 1 : edges[order + 1] - 1]
            arrays[f"children{order}"] = np.bincount(children - first, minlength=last - first).astype(np.uint32)
        if order > 1:
            word = keys[first - 1 : last - 1] % size
            parent = parents[first - 1 : last - 1]
            is_first_child = np.r_[True, parent[1:] != parent[:-1]]
            arrays[f"gap{order}"] = np.where(is_first_child, word, np.diff(word, prepend=0)).astype(np.uint32)
    return [str(ngram.words[number]) for number in frequent], arrays


def _expand(words: list[str], counts: list[int], steps: int, arrays: dict[str, np.ndarray]) -> tuple[list[str], Trie]:
    """Restore the sorted words and the trie from the small form."""
    size = counts[0]
    if len(words) != size:
        raise ValueError(f"{len(words):,} words instead of {size:,}")
    keys = [np.arange(size, dtype=np.int64)]
    first = 1
    for order, count in enumerate(counts[1:], start=2):
        children = arrays[f"children{order - 1}"].astype(np.int64)
        if children.sum() != count:  # before as many are allocated
            raise ValueError(f"{children.sum():,} {order}-grams instead of {count:,}")
        parent = np.repeat(np.arange(first, first + len(children)), children)
        total = np.cumsum(arrays[f"gap{order}"], dtype=np.int64)
        before = np.r_[0, total][np.cumsum(children) - children]  # sum of the gaps of all previous parents
        if len(total) != count or len(children) != counts[order - 2]:
            raise ValueError(f"{len(total):,} {order}-grams instead of {count:,}")
        word = total - np.repeat(before, children)
        key = parent * size + word
        if (word < 0).any() or (word >= size).any() or (key[1:] <= key[:-1]).any():  # `link` would search for ever
            raise ValueError(f"its {order}-grams are not in order")
        keys.append(key)
        first += len(children)
    root = np.zeros(1, np.float32)
    log_prob = [arrays[f"log_prob{order}"] / np.float32(steps) for order in range(1, len(counts) + 1)]
    backoff = [arrays[f"backoff{order}"] / np.float32(steps) for order in range(1, len(counts))]
    in_order = sorted(range(size), key=words.__getitem__)
    new_keys, was = renumbered(np.concatenate(keys), counts, np.argsort(in_order))
    backoffs = np.concatenate([root, *backoff])
    trie = link(new_keys, size, np.concatenate([root, *log_prob])[was], backoffs[was[: len(backoffs)]])
    return [words[number] for number in in_order], trie


def _rounded(values: np.ndarray) -> np.ndarray:
    """In steps, within what 16 bits hold."""
    least, most = np.array([-(2**15), 2**15 - 1], np.float32) / STEPS
    return np.rint(np.clip(values, least, most) * STEPS).astype(np.int16)


def _planes(array: np.ndarray) -> bytes:
    """Transpose to byte planes (all first bytes, then all second bytes, ...), which compress better."""
    return np.ascontiguousarray(array.view(np.uint8).reshape(len(array), array.itemsize).T).tobytes()


def _unplanes(content: bytes, dtype: np.dtype, items: int) -> np.ndarray:
    planes = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, items)
    return np.ascontiguousarray(planes.T).reshape(-1).view(dtype)
