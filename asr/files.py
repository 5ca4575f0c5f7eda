"""Files that are whole or not there, and files that are compressed or not."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the name `path` when the block ends well, and vanishes when it does not.

    Links are followed, the permissions of a file that is replaced are kept, and a pipe or a device is written to.
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
            error.filename = str(path)  # the name that the user knows; a write to a full disk names none
        raise
    finally:
        temporary.unlink(missing_ok=True)


def below(folder: Path) -> list[Path]:
    """All files in a folder and the folders below it, sorted; links to folders are followed, each folder once.

    What is hidden, its name beginning with a dot, is passed over.
    """
    found, seen = [], set[str]()
    for path, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        real = os.path.realpath(path)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [file for name in names if not name.startswith(".") and (file := Path(path, name)).is_file()]
    return sorted(found)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """What a file holds: plain, or unpacked where its first bytes say gzip or xz.

    Reading a damaged one raises EOFError, zlib.error, lzma.LZMAError or gzip.BadGzipFile, an OSError without `errno`.
    """
    import gzip
    import lzma

    start = file.read(6)
    file.seek(0)
    if start[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.open(file))
    if start == b"\xfd7zXZ\x00":
        return cast("IO[bytes]", lzma.open(file))
    return file


@contextlib.contextmanager
def compressed(file: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    """Write to a file through gzip for the suffix `.gz`, through xz for `.xz`, else as it is."""
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
