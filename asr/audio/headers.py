"""Check the sizes in the header of an audio file against the file.

libsndfile silently truncates some files: an MP3 whose header does not count its frames, a chained Ogg, a WAV whose size
was never filled in. This module detects them, and raises an error if a file is shorter than its header states.
Placeholder sizes, which programs leave when they write to a pipe, are ignored.
"""

import math
import os
import re
import struct

from asr.audio.streams import View
from asr.errors import AudioError

SLACK_BYTES = 64
"""Tolerance for uncompressed data: some programs count the header as data."""

UNKNOWN_BYTES = (
    range(1),  # GStreamer, and recorders that were killed before they filled in the size
    range(0x7F00_0000, 0x7F00_0100),  # SoX to a pipe, AIFF
    range(0x7FFF_F000, 0x8000_0001),  # SoX, arecord to a pipe, WAV
    range(0xFFFF_F000, 0x1_0000_0000),  # FFmpeg to a pipe, WAV; AU's own value for "unknown"
)
"""Placeholders in headers whose writer did not know the size."""

CHUNKED = {b"RIFF": "<4sI", b"RF64": "<4sI", b"RIFX": ">4sI", b"FORM": ">4sI", b"caff": ">4sq"}
"""Chunked formats -> layout of a chunk header: name and size."""


def truncated(name: str, reason: str) -> AudioError:
    """Create the error for a file whose end is missing."""
    return AudioError(f"{name} is truncated: {reason}; copy, download or record it again.")


def truncated_after(name: str, expected_s: float, actual_s: float) -> AudioError:
    """Create the error for a file that is shorter than its header states."""
    return truncated(name, f"its header states {expected_s:.3f} s, but it ends after {actual_s:.3f} s")


def skip_id3(stream: View) -> None:
    """Skip ID3v2 tags at the beginning (https://id3.org/id3v2.4.0-structure, 3.1)."""
    while (head := stream.read(10))[:3] == b"ID3" and len(head) == 10:
        stream.skip(10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
    stream.seek(0)


def libsndfile_reads_all(name: str, stream: View) -> bool:
    """Check the size in the header against the file.

    Returns:
        False if libsndfile, should it know the format, would skip some of the audio.

    Raises:
        AudioError: the file is shorter than its header states.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(32)
    stream.seek(0)
    if head[:4] == b"OggS":
        return _check_ogg(name, stream, size)
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        return _check_mpeg(name, stream, size)
    if head[:2] == b"\xf0\x7e":  # a MIDI sample dump, for which libsndfile prints to standard output
        return False
    stated, actual = None, 0
    if head[:4] == b".snd" and len(head) >= 12:
        offset, stated = struct.unpack(">II", head[4:12])
        actual = size - offset
    elif head[:4] == b"NIST":
        stated, actual = _nist_bytes(stream, size)
    elif head[:4] in CHUNKED:
        stated, actual = _chunk_bytes(stream, size)
    if stated is None:
        return True
    if _is_placeholder(stated):
        riff = int.from_bytes(head[4:8], "little")
        return not (stated == 0 and head[:4] == b"RIFF" and (_is_placeholder(riff) or 8 + riff < size))
    if stated > actual + SLACK_BYTES:
        raise truncated(name, f"its header states {stated} bytes of audio, but it has {max(actual, 0)}")
    return True


def _is_placeholder(size: int) -> bool:
    return size < 0 or any(size in sizes for sizes in UNKNOWN_BYTES)


def _chunk_bytes(stream: View, size: int) -> tuple[int | None, int]:
    """Count the bytes of audio (stated, actual) in a file of the RIFF family: WAV, RF64, AIFF, CAF."""
    kind = stream.read(4)
    layout = CHUNKED[kind]
    stream.seek(8 if kind == b"caff" else 12)
    long_size = None
    for _ in range(1000):
        head = stream.read(struct.calcsize(layout))
        if len(head) < struct.calcsize(layout):
            break
        chunk, length = struct.unpack(layout, head)
        if chunk in (b"data", b"SSND"):
            return (length if long_size is None else long_size), size - stream.tell()
        if chunk == b"ds64":
            long_size = struct.unpack("<8xQ", stream.read(16).ljust(16, b"\0"))[0]
            length -= 16
        if length < 0:
            break
        stream.seek(length + (length % 2 if kind != b"caff" else 0), os.SEEK_CUR)
    return None, 0


def _nist_bytes(stream: View, size: int) -> tuple[int | None, int]:
    """Count the bytes of audio (stated, actual) in an uncompressed NIST SPHERE file."""
    text = stream.read(1024).decode("latin-1")
    header = re.match(r"NIST_1A\s+(\d+)\s", text)
    counts = [re.search(rf"^{key} -i (\d+)", text, re.M) for key in ("sample_count", "channel_count", "sample_n_bytes")]
    if header is None or "shorten" in text:
        return None, 0
    return math.prod(int(count[1]) if count else 0 for count in counts), size - int(header[1])


def _check_ogg(name: str, stream: View, size: int) -> bool:
    """Check that the last page is complete and marked as the last (RFC 3533, 6)."""
    serial = stream.read(18)[14:18]
    stream.seek(max(0, size - 2 * 65_307))  # twice the maximum page size
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    length = 27 + sum(page[26 : 27 + page[26]]) if len(page) > 27 else math.inf
    if len(page) < length or not page[5] & 0x04:
        raise truncated(name, "its last Ogg page does not end the stream")
    return page[14:18] == serial  # else a chained file, of which libsndfile reads only the first stream


def _check_mpeg(name: str, stream: View, size: int) -> bool:
    """Check the byte count in an MP3's Xing header. Without one, libsndfile would guess the length."""
    xing = re.search(rb"(?:Xing|Info)\0\0\0(?=[\3\7\x0b\x0f])(.)(.{8})", stream.read(256), re.DOTALL)
    if xing is None:
        return False
    stated = struct.unpack(">4xI", xing[2])[0]
    if stated > size + SLACK_BYTES:
        raise truncated(name, f"its header states {stated} bytes of audio, but it has {size}")
    return size <= stated + 128  # room for an ID3v1 tag at the end; anything longer may be audio
