"""Where sound comes from: a path, standard input, bytes or a stream, each as a stream that can be searched.

One that cannot be (a pipe, a terminal) is kept whole, in memory up to 16 MiB and in a temporary file beyond. If it has
no end it is refused: after 1 MiB if no sound begins like that, else after 4 GiB, the most that a WAV file can hold.
"""

import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from asr.audio.decoders import FORMATS_HINT, may_begin_sound
from asr.audio.streams import View
from asr.errors import AudioError

Source = str | os.PathLike | bytes | IO[bytes]

MEMORY_BYTES = 2**24
"""What is kept of a stream lies in memory up to this size."""

HEAD_BYTES = 2**20
"""So much of a stream must be able to begin a sound. FFmpeg looks no further either."""

MAX_KEPT_BYTES = 2**32
"""The most that a stream may hold which cannot be searched. A file may hold more."""


class Kept(tempfile.SpooledTemporaryFile[bytes]):
    """What a stream held that could not be searched."""

    def __init__(self, title: str) -> None:
        super().__init__(MEMORY_BYTES)
        self.title = title


def name_of(source: Source) -> str:
    """What messages call a source."""
    if isinstance(source, Kept):
        return source.title
    if isinstance(source, str | os.PathLike):
        return "standard input" if source == "-" else f"'{os.fspath(source)}'"
    return "the given bytes" if isinstance(source, bytes) else "the given stream"


def kept(source: Source) -> Source:
    """The source itself or, if it could be read only once, what it holds: to be read several times, and closed then.

    Raises:
        AudioError: it cannot be opened or read, or is a stream that has no end.
    """
    with ExitStack() as stack:
        stream = _stream(source, stack)
        return source if isinstance(source, bytes) or _span(stream) else _read_whole(name_of(source), stream)


@contextmanager
def searchable(source: Source) -> Iterator[View]:
    """The source from where it stands to its end. A given stream stays open, and is put back where that is possible.

    Raises:
        AudioError: as `kept`.
    """
    with ExitStack() as stack:
        stream = _stream(source, stack)
        span = _span(stream)
        if span is None:
            stream = stack.enter_context(_read_whole(name_of(source), stream))
            span = _span(stream) or (0, 0)
        begin, end = span
        stack.callback(stream.seek, begin)
        yield View(stream, begin, end - begin)


def _stream(source: Source, stack: ExitStack) -> IO[bytes]:
    """A binary stream over the source. Files are opened, and closed with the stack."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source == "-" and sys.stdin is None:
        raise AudioError("Standard input is closed: give the path of a sound file.")
    if isinstance(source, str | os.PathLike):
        return sys.stdin.buffer if source == "-" else stack.enter_context(_file(source))
    return source


def _file(path: str | os.PathLike) -> IO[bytes]:
    name = name_of(path)
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name} is a folder: give the path of a sound file.")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise AudioError(f"{name} is a device, not a file: give the path of a sound file.")
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise AudioError(f"{name} does not exist: give the path of a sound file.") from error
    except PermissionError as error:
        raise AudioError(f"{name} may not be read: ask its owner for permission to read it.") from error
    except (OSError, ValueError) as error:
        raise AudioError(
            f"{name} cannot be opened ({getattr(error, 'strerror', None) or error}): give the path of a sound file."
        ) from error


def _span(stream: IO[bytes]) -> tuple[int, int] | None:
    """Where a stream stands and where it ends; None if it has to be read to find out, as devices and pipes."""
    try:
        if not stream.seekable():
            return None
        begin = stream.tell()
        stream.seek(0, os.SEEK_END)
        end = stream.tell()
        stream.seek(begin)
    except (AttributeError, OSError, ValueError):
        return None
    return (begin, end) if begin < end else None


def _read_whole(name: str, stream: IO[bytes]) -> Kept:
    """Read a stream to its end."""
    with ExitStack() as stack:
        whole = stack.enter_context(Kept(name))
        size, is_checked = 0, False
        try:
            while piece := stream.read(HEAD_BYTES):
                whole.write(piece)
                size += len(piece)
                if size > MAX_KEPT_BYTES:
                    raise AudioError(
                        f"{name} goes on after {MAX_KEPT_BYTES / 2**30:g} GiB, the most that is taken from a pipe or "
                        "device: save the sound as a file, and give its path."
                    )
                if size >= HEAD_BYTES and not is_checked:
                    whole.seek(0)
                    if not may_begin_sound(whole.read(HEAD_BYTES)):
                        raise AudioError(f"{name} is not a sound file, or is damaged: {FORMATS_HINT}.")
                    whole.seek(0, os.SEEK_END)
                    is_checked = True
        except OSError as error:
            raise AudioError(
                f"{name} cannot be read to its end, or not be kept ({error.strerror or error}): save the sound as a "
                "file, and give its path."
            ) from error
        whole.seek(0)
        stack.pop_all()
        return whole
