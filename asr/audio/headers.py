"""Check the sizes in the header of an audio file against the file.

libsndfile silently truncates some files: an MP3 whose header does not count its frames, a chained Ogg, a WAV whose size
was never filled in. This module detects them, and files that are shorter than their header states. Placeholder sizes,
which programs leave when they write to a pipe, are ignored.
"""

import math
import os
import re
import struct

from asr.audio import ogg
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

UNKNOWN_SIZE = b"\xff\xff\xff\xff"
"""AU's size of audio that continues to the end of the file."""

SIZED = (b"RIFF", b"RIFX", b"FORM")
"""Chunked formats with sizes of 32 bits."""

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


def libsndfile_reads_all(name: str, stream: View) -> bool:  # noqa: PLR0911
    """Check the size in the header against the file.

    A file that is shorter than its header states gets a `defect`, which is raised when what is there has been read. In
    a WAV, AIFF or AU file that has more audio than its header states (the header was never updated, files were joined,
    or the size does not fit into its 32 bits), the stream's sizes are overridden so that all of it is read.

    Returns:
        False if libsndfile, should it know the format, would skip some of the audio.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(32)
    stream.seek(0)
    if head[:4] == b"OggS":
        return _check_ogg(name, stream, size) and not ogg.has_gap(stream)
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        return _check_mpeg(name, stream, size)
    if head[:2] == b"\xf0\x7e":  # a MIDI sample dump, for which libsndfile prints to standard output
        return False
    stated, actual = None, 0
    if head[:4] == b".snd" and len(head) >= 12:
        offset, stated = struct.unpack(">II", head[4:12])
        actual = size - offset
        if stated + SLACK_BYTES < actual and not _is_placeholder(stated):
            stream.override(8, UNKNOWN_SIZE)
            return True
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
        stream.defect = truncated(name, f"its header states {stated} bytes of audio, but it has {max(actual, 0)}")
    elif head[:4] in SIZED and stated + SLACK_BYTES < actual:
        _read_to_the_end(stream, size - actual, stated, size)
    return True


def _read_to_the_end(stream: View, start: int, stated: int, size: int) -> None:
    """Override the sizes of a WAV or AIFF file whose audio continues after its stated end.

    Other chunks may follow the audio; they are recognised by their names and lengths, all of which have to fit.
    """
    stream.seek(0)
    kind = stream.read(4)
    layout, end = CHUNKED[kind], start + stated + stated % 2
    while end + 8 <= size:
        stream.seek(end)
        chunk, length = struct.unpack(layout, stream.read(8))
        if chunk == kind or not chunk.isascii() or not chunk.decode().isprintable() or end + 8 + length > size + 1:
            break
        end += 8 + length + length % 2
    else:
        return  # nothing but chunks
    if start + stated + SLACK_BYTES < size and (size - end > SLACK_BYTES or chunk == kind):
        stream.override(start - 4, struct.pack(layout[0] + "I", min(size - start, 0xFFFF_FFFF)))
        stream.override(4, struct.pack(layout[0] + "I", min(size - 8, 0xFFFF_FFFF)))


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
    """Check that the last page is complete (RFC 3533, 6). Recorders may not have marked it as the last."""
    serial = stream.read(18)[14:18]
    stream.seek(max(0, size - 2 * 65_307))  # twice the maximum page size
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    length = 27 + sum(page[26 : 27 + page[26]]) if len(page) > 27 else math.inf
    if len(page) < length:
        stream.defect = truncated(name, "its last Ogg page is incomplete")
        return True
    if not page[5] & 0x04:  # libsndfile decodes nothing if no page is marked as the last
        return False
    return page[14:18] == serial  # else a chained file, of which libsndfile reads only the first stream


def _check_mpeg(name: str, stream: View, size: int) -> bool:
    """Check the byte count in an MP3's Xing header. Without one, libsndfile would guess the length."""
    xing = re.search(rb"(?:Xing|Info)\0\0\0(?=[\3\7\x0b\x0f])(.)(.{8})", stream.read(256), re.DOTALL)
    if xing is None:
        return False
    stated = struct.unpack(">4xI", xing[2])[0]
    if stated > size + SLACK_BYTES:
        stream.defect = truncated(name, f"its header states {stated} bytes of audio, but it has {size}")
        return False  # libmpg123 would print a warning
    return size <= stated + 128  # room for an ID3v1 tag at the end; anything longer may be audio
