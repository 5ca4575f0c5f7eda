"""Files with more audio than their headers state are read to their end."""

import struct

import numpy as np
import pytest
from signals import RATE, encoded, speechlike

from asr.audio import load

WHOLE = speechlike(2.0)


def with_size(data: bytes, marker: bytes, size: int, order: str) -> bytes:
    """Change the size that follows a chunk's name."""
    place = data.index(marker) + 4
    return data[:place] + struct.pack(order + "I", size) + data[place + 4 :]


@pytest.mark.parametrize(("format", "marker", "order"), [("WAV", b"data", "<"), ("AIFF", b"SSND", ">")])
def test_a_stale_size_of_the_audio(format: str, marker: bytes, order: str) -> None:
    data = encoded(WHOLE, format, "PCM_16")
    np.testing.assert_array_equal(load(with_size(data, marker, 16_008, order), RATE), load(data, RATE))


def test_au() -> None:
    data = encoded(WHOLE, "AU", "PCM_16")
    stale = data[:8] + struct.pack(">I", 16_000) + data[12:]
    np.testing.assert_array_equal(load(stale, RATE), load(data, RATE))


def test_joined_files_are_read_as_one() -> None:
    data = encoded(WHOLE, "WAV", "PCM_16")
    joined = load(data + data, RATE)
    assert len(joined) == pytest.approx(2 * len(WHOLE), abs=30)
    np.testing.assert_array_equal(joined[: len(WHOLE)], load(data, RATE))
    np.testing.assert_array_equal(joined[-len(WHOLE) :], load(data, RATE))


def test_chunks_after_the_audio_are_no_audio() -> None:
    data = encoded(WHOLE, "WAV", "PCM_16")
    note = b"LIST" + struct.pack("<I", 200) + b"INFO" + bytes(196)
    for extra in (note, note + note, b"id3 " + struct.pack("<I", 101) + bytes(102)):
        np.testing.assert_array_equal(load(data + extra, RATE), load(data, RATE))
