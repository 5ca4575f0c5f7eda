"""A stream as the C libraries behind the decoders want it: searchable, of a known size, and never raising."""

import io
import os
from typing import IO, Any


class View(io.RawIOBase):
    """A searchable stream from one position to its end.

    The decoders read through callbacks, and no exception gets out of those: Python would print a traceback in the
    middle of the work. So a seek to before the begin is refused with -1, as the operating system does, and an error
    on reading is kept in `failure` and looks like the end of the stream.
    """

    def __init__(self, raw: IO[bytes], begin: int, size: int) -> None:
        super().__init__()
        self.size = size
        """Number of bytes."""
        self.failure: Exception | None = None
        self._raw, self._begin, self._position = raw, begin, 0

    def leave_out(self, count: int) -> None:
        """Let the stream begin `count` bytes later, but not after its end."""
        count = min(count, self.size)
        self._begin, self.size, self._position = self._begin + count, self.size - count, 0

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
        wanted, done = min(len(buffer), max(0, self.size - self._position)), 0
        try:
            self._raw.seek(self._begin + self._position)
            while done < wanted and (piece := self._raw.read(wanted - done)):
                buffer[done : done + len(piece)] = piece
                done += len(piece)
        except Exception as error:
            self.failure = self.failure or error
        self._position += done
        return done
