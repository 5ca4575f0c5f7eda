"""Sources of audio (a path, standard input, bytes or a stream), each opened as a seekable stream.

A source that is not seekable (a pipe, a terminal) is buffered, in memory up to 16 MiB and in a temporary file beyond.
An endless one is refused: after 1 MiB if it does not begin like audio, else after 4 GiB, the maximum size of a WAV.
"""

import io
import os
import select
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from asr.audio.decoders import FORMATS_HINT, may_be_audio
from asr.audio.streams import View
from asr.errors import ArgumentTypeError, AudioError

Source = str | os.PathLike | bytes | bytearray | memoryview | IO[bytes]

MEMORY_BYTES = 2**24
"""Buffered streams up to this size are held in memory."""

HEAD_BYTES = 2**20
"""Size of the prefix that must look like audio. FFmpeg probes no further either."""

MAX_BUFFERED_BYTES = 2**32
"""Maximum size of a source that is not seekable. Files may be larger."""

WRITER_S = 60
"""Time in which something must be written into a named pipe."""


class Buffer(tempfile.SpooledTemporaryFile[bytes]):
    """The content of a source that is not seekable."""

    def __init__(self, title: str) -> None:
        super().__init__(MEMORY_BYTES)
        self.title = title


def name_of(source: Source) -> str:
    """Name a source in messages."""
    if isinstance(source, Buffer):
        return source.title
    if isinstance(source, str | os.PathLike):
        return "standard input" if source == "-" else f"'{os.fspath(source)}'"
    return "the given bytes" if isinstance(source, bytes | bytearray | memoryview) else "the given stream"


def buffered(source: Source) -> Source:
    """Make a source readable several times: return it as is if it is seekable, else a buffer for the caller to close.

    Raises:
        AudioError: the source cannot be opened or read, or is endless.
    """
    with ExitStack() as stack:
        stream = _stream(source, stack)
        return (
            source
            if isinstance(source, bytes | bytearray | memoryview) or _span(stream)
            else _read_all(name_of(source), stream)
        )


@contextmanager
def seekable(source: Source) -> Iterator[View]:
    """Open a source from its current position to its end. A stream is left open, at its old position if possible.

    Raises:
        AudioError: as in `buffered`.
    """
    with ExitStack() as stack:
        stream = _stream(source, stack)
        span = _span(stream)
        if span is None:
            stream = stack.enter_context(_read_all(name_of(source), stream))
            span = _span(stream) or (0, 0)
        start, end = span
        stack.callback(stream.seek, start)
        yield View(stream, start, end - start)


def _stream(source: Source, stack: ExitStack) -> IO[bytes]:
    """Open a binary stream over the source. Files are closed with the stack."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if source == "-" and sys.stdin is None:
        raise AudioError("Standard input is closed: give the path of an audio file.")
    if isinstance(source, str | os.PathLike):
        return sys.stdin.buffer if source == "-" else stack.enter_context(_file(source))
    if not hasattr(source, "read"):
        raise ArgumentTypeError(
            f"Audio cannot be read from an object of type {type(source).__name__}: give a path, the bytes of a "
            "file, an "
            "open binary file, or samples as an array."
        )
    return source


def _file(path: str | os.PathLike) -> IO[bytes]:
    name = name_of(path)
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name} is a folder: give the path of an audio file.")
        if stat.S_ISFIFO(mode):
            return _named_pipe(path)
        if not stat.S_ISREG(mode):
            raise AudioError(f"{name} is a device, not a file: give the path of an audio file.")
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise AudioError(f"{name} does not exist: give the path of an audio file.") from error
    except PermissionError as error:
        raise AudioError(f"{name} may not be read: ask its owner for permission to read it.") from error
    except (OSError, ValueError) as error:
        raise AudioError(
            f"{name} cannot be opened ({getattr(error, 'strerror', None) or error}): give the path of an audio file."
        ) from error


def _named_pipe(path: str | os.PathLike) -> IO[bytes]:
    """Open a named pipe into which something is written; opening it as usual could wait for ever."""
    pipe = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: PTH123, SIM115 - a descriptor
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if not poll.poll(1000 * WRITER_S):
        pipe.close()
        raise AudioError(
            f"{name_of(path)} is a named pipe into which nothing was written for {WRITER_S} s: start the program that "
            "writes into it first."
        )
    os.set_blocking(pipe.fileno(), True)
    return pipe


def _span(stream: IO[bytes]) -> tuple[int, int] | None:
    """Return the position and the end of a stream; None if it is not seekable, like devices and pipes."""
    try:
        if not stream.seekable():
            return None
        start = stream.tell()
        stream.seek(0, os.SEEK_END)
        end = stream.tell()
        stream.seek(start)
    except (AttributeError, OSError, ValueError):
        return None
    return (start, end) if start < end else None


def _read_all(name: str, stream: IO[bytes]) -> Buffer:
    """Read a stream to its end."""
    with ExitStack() as stack:
        buffer = stack.enter_context(Buffer(name))
        size, is_checked = 0, False
        try:
            while chunk := stream.read(HEAD_BYTES):
                buffer.write(chunk)
                size += len(chunk)
                if size > MAX_BUFFERED_BYTES:
                    raise AudioError(
                        f"{name} is longer than {MAX_BUFFERED_BYTES / 2**30:g} GiB, the maximum for a pipe or device: "
                        "save the audio as a file, and give its path."
                    )
                if size >= HEAD_BYTES and not is_checked:
                    buffer.seek(0)
                    if not may_be_audio(buffer.read(HEAD_BYTES)):
                        raise AudioError(f"{name} is not an audio file, or is damaged: {FORMATS_HINT}.")
                    buffer.seek(0, os.SEEK_END)
                    is_checked = True
        except OSError as error:
            raise AudioError(
                f"{name} cannot be read to its end or buffered ({error.strerror or error}): save the audio as a file, "
                "and give its path."
            ) from error
        buffer.seek(0)
        stack.pop_all()
        return buffer
