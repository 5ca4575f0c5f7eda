"""Live audio from a stream of bytes: WAV, whose header states rate and channels, or raw 16-bit samples."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.audio.rates import MAX_RATE, MIN_RATE
from asr.errors import AudioError

Read = Callable[[], bytes]
"""Returns the next bytes as soon as there are some; none at the end."""

MAX_HEADER_BYTES = 1 << 20
"""Of a WAV file before its samples."""
MAX_CHANNELS = 64
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
"""Format tags of WAV."""
OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"RF64": "RF64", b"\x1aE\xdf\xa3": "WebM or Matroska"}
"""First bytes -> format that is not read live."""


@dataclass(frozen=True)
class PcmFormat:
    """How bytes encode samples."""

    sample_rate: int = 16_000
    channels: int = 1
    kind: str = "i2"
    """NumPy's name of the type of a sample; `u1`, `i2`, `i3` (24 bits), `i4`, `f4` or `f8`, little-endian."""

    @property
    def frame_bytes(self) -> int:
        """Number of bytes of one sample of all channels."""
        return self.channels * int(self.kind[1])

    def decode(self, content: bytes) -> np.ndarray:
        """Convert whole frames of samples to floats, channels averaged. Shape: -> (S,)"""
        if self.kind == "i3":
            padded = np.zeros((len(content) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
            samples = padded.reshape(-1).view("<i4").astype(np.float32) / np.float32(2**31)
        else:
            samples = np.frombuffer(content, f"<{self.kind}").astype(np.float32)
            if self.kind == "u1":
                samples = (samples - 128) / np.float32(128)
            elif self.kind[0] == "i":
                samples /= np.float32(2 ** (8 * int(self.kind[1]) - 1))
        return samples.reshape(-1, self.channels).mean(axis=1, dtype=np.float32)


class PcmStream:
    """Samples of one channel from a stream of bytes. The header, if there is one, is read at once."""

    def __init__(self, read: Read, raw: PcmFormat, name: str) -> None:
        """Read the header; `raw` is the format of bytes without one, `name` names the stream in messages.

        Raises:
            AudioError: the stream is in a format that cannot be read live, or its header is damaged.
        """
        self._read, self._name = read, name
        self._buffer = b""
        self._ensure(12)
        for start, other in OTHERS.items():
            if self._buffer.startswith(start):
                raise AudioError(
                    f"{name} is {other}, but live audio must be WAV or raw 16-bit samples: convert it, such as with "
                    "`ffmpeg -i FILE -f wav -`, or transcribe the file with `asr transcribe`."
                )
        self.format = self._header() if self._buffer[:4] == b"RIFF" and self._buffer[8:12] == b"WAVE" else raw
        """How its samples are encoded."""

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples as they come, to the end of the stream. Shape of each: (S,)"""
        while True:
            whole = len(self._buffer) // self.format.frame_bytes * self.format.frame_bytes
            if whole:
                yield self.format.decode(self._buffer[:whole])
            more = self._read()
            if not more:
                return
            self._buffer = self._buffer[whole:] + more

    def _ensure(self, count: int) -> bool:
        """Buffer `count` bytes; return whether there are so many."""
        while len(self._buffer) < count and (more := self._read()):
            self._buffer += more
        return len(self._buffer) >= count

    def _header(self) -> PcmFormat:
        """Read the header of a WAV up to its samples. The sizes of a WAV that is being recorded mean nothing."""
        position, found = 12, None
        while position < MAX_HEADER_BYTES and self._ensure(position + 8):
            chunk, size = struct.unpack_from("<4sI", self._buffer, position)
            position += 8
            if chunk == b"data":
                self._buffer = self._buffer[position:]
                if found is None:
                    break
                return found
            if not self._ensure(min(position + size, MAX_HEADER_BYTES)):
                break
            if chunk == b"fmt " and size >= 16:
                found = self._parse(self._buffer[position : position + size])
            position += size + size % 2
        raise AudioError(f"{self._name} begins like a WAV, but has no complete header: record it again.")

    def _parse(self, chunk: bytes) -> PcmFormat:
        tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if tag == EXTENSIBLE and len(chunk) >= 26:
            (tag,) = struct.unpack_from("<H", chunk, 24)
        kinds: dict[Any, str] = {(PCM, 8): "u1", (FLOAT, 32): "f4", (FLOAT, 64): "f8"}
        kinds |= {(PCM, 8 * size): f"i{size}" for size in (2, 3, 4)}
        if (tag, bits) not in kinds or not 1 <= channels <= MAX_CHANNELS or not MIN_RATE <= rate <= MAX_RATE:
            raise AudioError(
                f"{self._name} is a WAV of the format {tag} with {bits} bits, {channels} channels and {rate} Hz, which "
                "is not read live: use 16-bit PCM."
            )
        return PcmFormat(rate, channels, kinds[tag, bits])
