"""Times in containers: gaps, tracks that begin late, several tracks."""

import io
import logging
from fractions import Fraction
from pathlib import Path
from typing import cast

import audio_corpus
import numpy as np
import pytest
from signals import RATE, sine

from asr.audio import duration_s, load
from asr.errors import AudioError


def muxed(
    container: str, codec: str, tracks: list[np.ndarray], *, offset_s: float = 0.0, gap: tuple[int, float] = (0, 0.0)
) -> bytes:
    """Encode tracks beside a picture of 6 s; time stamps begin at `offset_s` and jump at `gap` (sample, seconds)."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        packets = []
        video = None
        if container not in ("ogg", "webm"):
            video = out.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
        streams = [cast("av.AudioStream", out.add_stream(codec, rate=RATE, layout="mono")) for _ in tracks]
        if video is not None:
            for number in range(60):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                packets += video.encode(frame)
            packets += video.encode(None)
        for stream, samples in zip(streams, tracks, strict=True):
            for start in range(0, len(samples), 1024):
                piece = samples[None, start : start + 1024].copy()
                block = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                block.sample_rate, block.time_base = RATE, Fraction(1, RATE)
                jump_s = gap[1] if gap[1] and start >= gap[0] else 0.0
                block.pts = start + round((offset_s + jump_s) * RATE)
                packets += stream.encode(block)
            packets += stream.encode(None)
        out.mux(packets)
    return buffer.getvalue()


def onsets_s(samples: np.ndarray) -> list[float]:
    """When a tone begins after silence."""
    loud = np.abs(samples).reshape(-1, 160).max(axis=1) > 0.1 if len(samples) % 160 == 0 else onset_blocks(samples)
    quiet_before = np.convolve(loud, np.ones(20), mode="full")[: len(loud)] - loud
    return [index / 100 for index in np.flatnonzero(loud) if index == 0 or quiet_before[index] == 0]


def onset_blocks(samples: np.ndarray) -> np.ndarray:
    return np.abs(samples[: len(samples) // 160 * 160]).reshape(-1, 160).max(axis=1) > 0.1


TONES = np.concatenate([sine(1.0), np.zeros(RATE // 2, np.float32), sine(1.0)])
CONTAINERS = [
    ("matroska", "aac"),
    ("mp4", "aac"),
    ("mov", "aac"),
    ("mpegts", "aac"),
    ("webm", "libopus"),
    ("ogg", "libopus"),
]


@pytest.mark.parametrize(("container", "codec"), CONTAINERS)
def test_a_gap_in_the_time_stamps_is_silence(container: str, codec: str) -> None:
    data = muxed(container, codec, [TONES], gap=(1024 * 18, 2.0))
    first, second = onsets_s(load(data, RATE))
    assert first == pytest.approx(0.0, abs=0.1)
    assert second == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize(("container", "codec"), CONTAINERS[:4])
def test_a_track_that_begins_after_the_picture_keeps_its_times(container: str, codec: str) -> None:
    data = muxed(container, codec, [TONES], offset_s=2.0)
    first, second = onsets_s(load(data, RATE))
    assert first == pytest.approx(2.0, abs=0.1)
    assert second == pytest.approx(3.5, abs=0.1)
    assert duration_s(data) == pytest.approx(4.5, abs=0.2)
    (later,) = onsets_s(load(data, RATE, offset_s=2.5, duration_s=1.8)[: RATE * 18 // 10])[1:]
    assert later == pytest.approx(1.0, abs=0.1)


def test_a_gap_that_is_longer_than_the_whole_file_is_damage() -> None:
    """682 bytes of FLV with one damaged timestamp were 4.7 hours of silence."""
    data = audio_corpus.case(300_900).data
    assert len(data) < 1000 and duration_s(data) < 5
    assert len(load(data, RATE)) < 5 * RATE


def test_time_stamps_without_gaps_add_nothing() -> None:
    for container, codec in CONTAINERS:
        assert len(load(muxed(container, codec, [TONES]), RATE)) == pytest.approx(len(TONES), abs=0.15 * RATE)


def test_of_several_tracks_the_main_one_is_read_and_the_others_are_named(caplog: pytest.LogCaptureFixture) -> None:
    data = muxed("matroska", "aac", [sine(1.0, hz=400.0), sine(1.0, hz=1600.0)])

    def pitch(samples: np.ndarray) -> float:
        return float(np.abs(np.fft.rfft(samples[:RATE])).argmax())

    with caplog.at_level(logging.WARNING, logger="asr"):
        assert pitch(load(data, RATE)) == pytest.approx(400, abs=5)
    assert "has 2 audio tracks" in caplog.text
    caplog.clear()
    assert pitch(load(data, RATE, track=2)) == pytest.approx(1600, abs=5)
    assert not caplog.text
    with pytest.raises(AudioError, match="has 2 audio tracks, but track 3 was requested"):
        load(data, RATE, track=3)


def test_a_plain_file_has_one_track(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", sine(), RATE)
    assert len(load(tmp_path / "a.wav", RATE, track=1)) == RATE
    with pytest.raises(AudioError, match="has 1 audio track, but track 2 was requested"):
        load(tmp_path / "a.wav", RATE, track=2)
