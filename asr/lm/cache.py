"""The language model inside a model file, unpacked once and kept in the user's cache folder, where it opens at once."""

import hashlib
import os
import time

import platformdirs

from asr.errors import AsrError
from asr.lm import packed
from asr.lm.ngram import Ngram

KEPT_S = 30 * 24 * 3600
"""What nobody has opened for so long is thrown away."""


def open_unpacked(data: bytes, where: str) -> Ngram:
    """Open the contents of a packed file, memory-mapped where they could be kept; `where` is what messages call them.

    Raises:
        ModelError: they are cut off or damaged.
    """
    kept = platformdirs.user_cache_path("asr") / f"{hashlib.sha256(data).hexdigest()[:32]}.ngram"
    try:
        os.utime(kept)
        return packed.load(kept)
    except (OSError, AsrError):
        ngram = packed.loads(data, where)  # not kept yet, or no longer whole
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed.save(ngram, kept)
        for file in kept.parent.glob("*.ngram"):
            if time.time() - file.stat().st_mtime > KEPT_S:
                file.unlink()
        return packed.load(kept)
    except OSError:  # no home, no room, or no right to write: then it is unpacked every time
        return ngram
