"""A stream for the C libraries behind the decoders: seekable, of known size, and never raising."""

import io
import os
from typing import IO, Any

from asr.errors import AudioError


class View(io.RawIOBase):
    """A seekable view of a stream from a given position to its end.

    The decoders read through callbacks, out of which no exception can propagate: Python would print a traceback in the
    middle of the output. So a seek to a negative position returns -1, as in C, and a read error is stored in `failure`
    and looks like the end of the stream.
    """

    def __init__(self, raw: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self.size = size
        """Number of bytes."""
        self.failure: Exception | None = None
        self.defect: AudioError | None = None
        """What is wrong with the file although its audio can be read, to be raised after reading it."""
        self._overrides: dict[int, bytes] = {}
        self._raw, self._start, self._position = raw, start, 0

    def skip(self, count: int) -> None:
        """Move the start of the view `count` bytes forward, but not past its end."""
        count = min(count, self.size)
        self._start, self.size, self._position = self._start + count, self.size - count, 0

    def override(self, position: int, data: bytes) -> None:
        """Let the view contain other bytes at a position than the file."""
        self._overrides[position] = data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if position < 0:
            return -1
        self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        size, done = min(len(buffer), max(0, self.size - self._position)), 0
        try:
            self._raw.seek(self._start + self._position)
            while done < size and (chunk := self._raw.read(size - done)):
                buffer[done : done + len(chunk)] = chunk
                done += len(chunk)
        except Exception as error:
            self.failure = self.failure or error
        for position, data in self._overrides.items():
            first, last = max(position, self._position), min(position + len(data), self._position + done)
            if first < last:
                buffer[first - self._position : last - self._position] = data[first - position : last - position]
        self._position += done
        return done
