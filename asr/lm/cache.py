"""Cache of n-gram models in the user's cache folder, such as those unpacked from model files: made once, then mapped
into memory."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs

from asr.errors import AsrError
from asr.lm import packed
from asr.lm.ngram import Ngram

MAX_AGE_S = 30 * 24 * 3600
"""Files that have not been opened for this long are deleted."""


class Order(NamedTuple):
    """An order of a model's words that suits a search."""

    source: bytes
    """What it depends on beside the words."""
    numbers: Callable[[Sequence[str]], Sequence[int]]
    """Sorted words -> their numbers in the new order."""


def _is_ours(path: Path) -> bool:
    """Whether a file, if it is there, and its folder belong to this user and nobody else may write them."""
    for place in (path.parent, path):
        try:
            status = place.stat()
        except OSError:
            continue
        if not hasattr(os, "getuid"):
            continue
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return False
    return True


def open_unpacked(data: bytes, where: str, order: Order | None = None) -> Ngram:
    """Open the contents of a packed file, memory-mapped if they can be cached; `where` names them in error messages.

    Raises:
        ModelError: the contents are truncated or damaged.
    """

    def unpack() -> Ngram:
        ngram = packed.loads(data, where)
        return ngram if order is None else ngram.in_order(order.numbers(ngram.words))

    return made_once(data + (b"" if order is None else order.source), unpack)


def is_made(source: bytes) -> bool:
    """Whether `made_once` has what was made of `source`."""
    return _place(hashlib.sha256(source).hexdigest()).exists()


def _place(digest: str) -> Path:
    return platformdirs.user_cache_path("asr") / f"{digest[:32]}.ngram"


def made_once(source: bytes, make: Callable[[], Ngram]) -> Ngram:
    """What `make` makes of `source`, memory-mapped if it can be cached. Raises what `make` raises."""
    digest = hashlib.sha256(source).hexdigest()
    path = _place(digest)
    if not _is_ours(path):
        return make()
    try:
        os.utime(path)
        return packed.load(path, source=digest)
    except (OSError, AsrError):
        ngram = make()  # not cached yet, or damaged
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        packed.save(ngram, path, source=digest)
        for file in path.parent.glob("*.ngram"):
            if time.time() - file.stat().st_mtime > MAX_AGE_S:
                file.unlink()
        return packed.load(path, source=digest)
    except OSError:  # no home folder, disk full or no permission: make it every time
        return ngram
