"""Bugs of the libraries."""

import io
import struct

import numpy as np
import pytest
from signals import RATE, av_encoded, encoded, sine, speechlike

from asr.audio import load
from asr.errors import AudioError


def test_a_midi_sample_dump_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """libsndfile prints to standard output, where the transcripts go, for each block with a wrong checksum."""
    dump = bytearray(encoded(sine(0.1), "SDS", "PCM_16"))
    dump[3000] ^= 1
    with pytest.raises(AudioError, match="is not an audio file, or is damaged"):
        load(bytes(dump), RATE)
    assert capfd.readouterr().out == ""


def test_audio_with_a_data_stream() -> None:
    """PyAV gives the last packet of every stream the index 0, even if it cannot decode the stream."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as out:
        track, data = out.add_stream("mp2", rate=48_000, layout="mono"), out.add_data_stream("bin_data")
        frame = av.AudioFrame.from_ndarray(sine(rate=48_000)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(track.encode(frame))
        packet = av.Packet(b"hello")
        packet.stream, packet.pts, packet.dts = data, 0, 0
        out.mux(packet)
        out.mux(track.encode(None))
    assert len(load(buffer.getvalue(), 48_000)) == pytest.approx(48_000, abs=2000)


def test_a_stream_that_starts_in_the_middle() -> None:
    """PyAV fails at the end on a stream that was unknown at the start."""
    flv = av_encoded(speechlike(20.0, 22_050), "flv", "libmp3lame", 22_050)
    uncompressed = b"\x08\0\0\x0b\0\x4f\xf4\0\0\0\0" + bytes(11) + struct.pack(">I", 22)
    np.testing.assert_array_equal(load(flv + 3 * uncompressed, 22_050), load(flv, 22_050))
