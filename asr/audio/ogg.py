"""Find gaps in an Ogg Opus stream: libsndfile joins what is before and after them, so that later times would be
wrong."""

import os
import struct

from asr.audio.streams import View

GAP = 48 * 100
"""Missing samples at 48 kHz, Opus's clock, from which on a stream has a gap: 0.1 s."""

LONGEST_PACKET = 48 * 120
"""Samples of the longest Opus packet (RFC 6716, 3.1), which may begin on one page and be counted on the next."""


def has_gap(stream: View) -> bool:
    """Whether the time stamps of an Opus stream advance by more than its packets last (RFC 3533, 6; RFC 7845, 4)."""
    stream.seek(0)
    is_opus = b"OpusHead" in stream.read(64)
    position, expected, found = 0, 0, False
    while is_opus and not found:
        stream.seek(position)
        head = stream.read(27)
        if len(head) < 27 or head[:4] != b"OggS":
            break
        granule = struct.unpack("<q", head[6:14])[0]
        lengths = stream.read(head[26])
        body = position + 27 + len(lengths)
        if granule > 0:
            duration = _duration(stream, body, lengths, is_continued=bool(head[5] & 1))
            found = bool(expected) and granule - expected - duration > GAP + LONGEST_PACKET
            expected = granule
        position = body + sum(lengths)
    stream.seek(0, os.SEEK_SET)
    return found


def _duration(stream: View, position: int, lengths: bytes, *, is_continued: bool) -> int:
    """Count the samples of the packets that begin on a page, whose body is at `position`."""
    total, is_start = 0, not is_continued
    for length in lengths:
        if is_start and length:
            stream.seek(position)
            total += _packet(stream.read(2))
        position += length
        is_start = length < 255
    return total


def _packet(head: bytes) -> int:
    """Compute the samples of a packet from its first bytes (RFC 6716, 3.1 and 3.2)."""
    if not head:
        return 0
    config, code = head[0] >> 3, head[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        frame = (480, 960)[config % 2]
    else:
        frame = (120, 240, 480, 960)[config % 4]
    frames = (1, 2, 2, head[1] & 63 if len(head) > 1 else 0)[code]
    return frame * frames
