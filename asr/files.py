"""Atomic writes, recursive listings, and transparent gzip, bzip2 and xz compression."""

import contextlib
import functools
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

TEMPORARY = re.compile(r"\.asr-[0-9a-f]{16}\.tmp")
"""Names of the temporary files of `replacing`."""
ORPHAN_S = 1.0
"""Age from which on a temporary file that no process holds is an orphan."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write `path` atomically: open a temporary file that replaces it if the block succeeds and is deleted otherwise.

    What was written is on the disk before it replaces the file, so that a power failure leaves the old file or the new
    one. Temporary files that killed processes left in the same folder are deleted. Symbolic links are followed and the
    permissions of an existing file are kept. Pipes and devices are written to directly.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        with target.open("wb") as file:
            yield file
        return
    _remove_orphans_once(target.parent)
    temporary = target.with_name(f".asr-{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("wb") as file:
            _hold(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the path that the user knows; a write to a full disk has none
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_orphans(folder: Path) -> None:
    """Delete temporary files of `replacing` whose processes were killed: those on which nobody has a lock."""
    with contextlib.suppress(OSError):  # no such folder, or no permission: nothing that could be deleted
        for entry in os.scandir(folder):
            if TEMPORARY.fullmatch(entry.name) and time.time() - entry.stat().st_mtime >= ORPHAN_S:
                with Path(entry.path).open("r+b") as file:
                    if _hold(file):
                        Path(entry.path).unlink(missing_ok=True)


@functools.cache
def _remove_orphans_once(folder: Path) -> None:
    remove_orphans(folder)


def _hold(file: IO[bytes]) -> bool:
    """Lock a file until it is closed or the process ends; False if another process has, or where there are no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


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


@contextlib.contextmanager
def decompressed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Read a file decompressed if its first bytes are those of gzip, bzip2 or xz.

    Raises:
        OSError: it cannot be read; without `errno`: it cannot be unpacked. `reason_of` says why.
    """
    import bz2
    import gzip
    import lzma
    import zlib

    start = file.read(6)
    file.seek(0)
    content: Any = file
    if start[:2] == b"\x1f\x8b":
        content = gzip.GzipFile(fileobj=file)
    elif start[:3] == b"BZh":
        content = bz2.BZ2File(file)
    elif start == b"\xfd7zXZ\x00":
        content = lzma.LZMAFile(file)  # noqa: SIM115 - what it reads is closed by the caller
    try:
        yield content
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise OSError(str(error)) from error


def reason_of(error: OSError) -> str:
    """Why a file cannot be read, and what to do if it is damaged: the end of a sentence."""
    if error.errno is not None:
        return f"cannot be read: {error.strerror}."
    return f"cannot be unpacked ({error}): it is damaged or incomplete; download it again."


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
