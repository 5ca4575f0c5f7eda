"""Atomic writes, recursive listings, and transparent gzip, bzip2 and xz compression."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write `path` atomically: open a temporary file that replaces it if the block succeeds and is deleted otherwise.

    Symbolic links are followed and the permissions of an existing file are kept. Pipes and devices are written to
    directly.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        with target.open("wb") as file:
            yield file
        return
    temporary = target.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the path that the user knows; a write to a full disk has none
        raise
    finally:
        temporary.unlink(missing_ok=True)


def below(folder: Path) -> list[Path]:
    """List all files in a folder and its subfolders, sorted; links to folders are followed, each folder once.

    Hidden files and folders, whose names begin with a dot, are skipped.
    """
    files, seen = [], set[str]()
    for path, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        files += [file for name in names if not name.startswith(".") and (file := Path(path, name)).is_file()]
    return sorted(files)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """Open a file for reading, decompressed if its first bytes are those of gzip, bzip2 or xz.

    Reading a damaged file raises EOFError, zlib.error, lzma.LZMAError or gzip.BadGzipFile, an OSError without `errno`.
    """
    import bz2
    import gzip
    import lzma

    start = file.read(6)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.open(file))
    if start[:3] == b"BZh":
        return cast("IO[bytes]", bz2.open(file))
    if start == b"\xfd7zXZ\x00":
        return cast("IO[bytes]", lzma.open(file))
    return file


@contextlib.contextmanager
def compressed(file: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed with gzip for the suffix `.gz` and with xz for `.xz`, else as is."""
    import gzip
    import lzma

    if suffix == ".gz":
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
            yield cast("IO[bytes]", packed)
    elif suffix == ".xz":
        with lzma.open(file, "wb", preset=1) as packed:
            yield cast("IO[bytes]", packed)
    else:
        yield file
