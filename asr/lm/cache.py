"""Cache of language models embedded in model files: unpacked once to the user's cache folder, then memory-mapped."""

import hashlib
import os
import time

import platformdirs

from asr.errors import AsrError
from asr.lm import packed
from asr.lm.ngram import Ngram

MAX_AGE_S = 30 * 24 * 3600
"""Files that have not been opened for this long are deleted."""


def open_unpacked(data: bytes, where: str) -> Ngram:
    """Open the contents of a packed file, memory-mapped if they can be cached; `where` names them in error messages.

    Raises:
        ModelError: the contents are truncated or damaged.
    """
    path = platformdirs.user_cache_path("asr") / f"{hashlib.sha256(data).hexdigest()[:32]}.ngram"
    try:
        os.utime(path)
        return packed.load(path)
    except (OSError, AsrError):
        ngram = packed.loads(data, where)  # not cached yet, or damaged
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        packed.save(ngram, path)
        for file in path.parent.glob("*.ngram"):
            if time.time() - file.stat().st_mtime > MAX_AGE_S:
                file.unlink()
        return packed.load(path)
    except OSError:  # no home folder, disk full or no permission: unpack every time
        return ngram
