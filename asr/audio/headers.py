"""What the header of a sound file promises, compared with what is there.

libsndfile cuts some files without a word: an MP3 whose header does not count its frames, a chained Ogg, a WAV whose
size was never filled in. Here they are told apart, and a broken promise is an error. Placeholder sizes, which a program
leaves when it writes into a pipe, promise nothing.
"""

import math
import os
import re
import struct

from asr.audio.streams import View
from asr.errors import AudioError

SLACK_BYTES = 64
"""Uncompressed data may lack this much: some programs count the header as data."""

UNKNOWN_BYTES = (
    range(1),  # GStreamer, and a recorder that was stopped before it could fill in the size
    range(0x7F00_0000, 0x7F00_0100),  # SoX into a pipe, AIFF
    range(0x7FFF_F000, 0x8000_0001),  # SoX, arecord into a pipe, WAV
    range(0xFFFF_F000, 0x1_0000_0000),  # FFmpeg into a pipe, WAV; AU's own word for "unknown"
)
"""Sizes that stand in headers when the writer did not know the size."""

CHUNKED = {b"RIFF": "<4sI", b"RF64": "<4sI", b"RIFX": ">4sI", b"FORM": ">4sI", b"caff": ">4sq"}
"""Formats made of chunks -> how a chunk begins: name and size."""


def cut_off(name: str, what: str) -> AudioError:
    """The error for a sound of which the end is missing."""
    return AudioError(f"{name} is cut off: {what}; copy, download or record it again.")


def leave_out_id3(stream: View) -> None:
    """Leave out ID3v2 tags at the beginning (https://id3.org/id3v2.4.0-structure, 3.1)."""
    while (head := stream.read(10))[:3] == b"ID3" and len(head) == 10:
        stream.leave_out(10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
    stream.seek(0)


def is_whole_in_libsndfile(name: str, stream: View) -> bool:
    """Compare what the header promises with what is there.

    Returns:
        False if libsndfile, should it know the format, would leave out some of the sound.

    Raises:
        AudioError: there is less than was promised.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(32)
    stream.seek(0)
    if head[:4] == b"OggS":
        return _check_ogg(name, stream, size)
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        return _check_mpeg(name, stream, size)
    if head[:2] == b"\xf0\x7e":  # a MIDI sample dump, about which libsndfile writes on standard output
        return False
    promised, held = None, 0
    if head[:4] == b".snd" and len(head) >= 12:
        offset, promised = struct.unpack(">II", head[4:12])
        held = size - offset
    elif head[:4] == b"NIST":
        promised, held = _nist_bytes(stream, size)
    elif head[:4] in CHUNKED:
        promised, held = _chunk_bytes(stream, size)
    if promised is None:
        return True
    if _is_unknown(promised):
        riff = int.from_bytes(head[4:8], "little")
        return not (promised == 0 and head[:4] == b"RIFF" and (_is_unknown(riff) or 8 + riff < size))
    if promised > held + SLACK_BYTES:
        raise cut_off(name, f"its header promises {promised} bytes of sound, but {max(held, 0)} are there")
    return True


def _is_unknown(size: int) -> bool:
    return size < 0 or any(size in sizes for sizes in UNKNOWN_BYTES)


def _chunk_bytes(stream: View, size: int) -> tuple[int | None, int]:
    """Bytes of sound (promised, there) in a file of the RIFF family: WAV, RF64, AIFF, CAF."""
    kind = stream.read(4)
    begin = CHUNKED[kind]
    stream.seek(8 if kind == b"caff" else 12)
    long_size = None
    for _ in range(1000):
        head = stream.read(struct.calcsize(begin))
        if len(head) < struct.calcsize(begin):
            break
        chunk, length = struct.unpack(begin, head)
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
    """Bytes of sound (promised, there) in a NIST SPHERE file that is not compressed."""
    text = stream.read(1024).decode("latin-1")
    header = re.match(r"NIST_1A\s+(\d+)\s", text)
    counts = [re.search(rf"^{key} -i (\d+)", text, re.M) for key in ("sample_count", "channel_count", "sample_n_bytes")]
    if header is None or "shorten" in text:
        return None, 0
    return math.prod(int(count[1]) if count else 0 for count in counts), size - int(header[1])


def _check_ogg(name: str, stream: View, size: int) -> bool:
    """See that the last page is whole and marked as the last (RFC 3533, 6)."""
    serial = stream.read(18)[14:18]
    stream.seek(max(0, size - 2 * 65_307))  # the longest page
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    length = 27 + sum(page[26 : 27 + page[26]]) if len(page) > 27 else math.inf
    if len(page) < length or not page[5] & 0x04:
        raise cut_off(name, "its last Ogg page does not end the stream")
    return page[14:18] == serial  # else several sounds one after the other; libsndfile reads the first


def _check_mpeg(name: str, stream: View, size: int) -> bool:
    """Compare the byte count in an MP3's Xing header with the file. Without one, libsndfile would guess the length."""
    xing = re.search(rb"(?:Xing|Info)\0\0\0(?=[\3\7\x0b\x0f])(.)(.{8})", stream.read(256), re.DOTALL)
    if xing is None:
        return False
    promised = struct.unpack(">4xI", xing[2])[0]
    if promised > size + SLACK_BYTES:
        raise cut_off(name, f"its header promises {promised} bytes of sound, but {size} are there")
    return size <= promised + 128  # an ID3v1 tag at the end is no sound; anything more may be
