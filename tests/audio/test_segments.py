"""Segments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import RATE, WHOLE, WHOLE_WAV, av_encoded, encoded, sine, speechlike, without_first_frame

from asr.audio import load
from asr.errors import AudioError


@settings(max_examples=50, deadline=None)
@given(start=st.integers(0, len(WHOLE) - 1), data=st.data())
def test_a_segment_is_a_slice(start: int, data: st.DataObject) -> None:
    stop = data.draw(st.integers(start + 1, len(WHOLE)))
    segment = load(WHOLE_WAV, RATE, offset_s=start / RATE, duration_s=(stop - start) / RATE)
    np.testing.assert_array_equal(segment, WHOLE[start:stop])


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        ("FLAC", 0),
        ("OGG/VORBIS", 0),
        ("OGG/OPUS", 0),
        ("MP3", 1e-7),
        ("bare MP3", 0),
        ("webm", 0),
        ("ipod", 0.01),  # AAC fills bands with random noise; a shift by one sample would show
    ],
)
def test_a_segment_of_compressed_audio_is_a_slice(kind: str, tolerance: float) -> None:
    rate = 48_000 if kind == "webm" or "OPUS" in kind else 44_100
    samples = speechlike(6.0, rate)
    if kind in ("webm", "ipod"):
        data = av_encoded(samples, kind, "libopus" if kind == "webm" else "aac", rate)
    else:
        format, _, subtype = kind.removeprefix("bare ").partition("/")
        data = encoded(samples, format, subtype or None, rate)
        data = without_first_frame(data) if kind == "bare MP3" else data
    whole = load(data, rate)
    for begin_s, length_s in [(0.0, 0.5), (0.01, 1.0), (1.2345, 0.321), (4.9, 0.7), (5.5, None)]:
        begin = round(begin_s * rate)
        end = len(whole) if length_s is None else begin + round(length_s * rate)
        segment = load(data, rate, offset_s=begin_s, duration_s=length_s)
        np.testing.assert_allclose(segment, whole[begin:end], rtol=0, atol=tolerance)


def test_a_segment_is_cut_before_resampling() -> None:
    data = encoded(sine(4.0, 44_100), "WAV", "FLOAT", 44_100)
    segment = load(data, RATE, offset_s=1.5, duration_s=2.0)
    assert segment.shape == (2 * RATE,)
    np.testing.assert_allclose(segment[200:-200], load(data, RATE)[24_200:55_800], rtol=0, atol=1e-3)


def test_a_segment_may_end_a_tenth_of_a_second_after_the_audio() -> None:
    np.testing.assert_array_equal(load(WHOLE_WAV, RATE, offset_s=1.5, duration_s=0.6), WHOLE[24_000:])
    with pytest.raises(
        AudioError, match=r"the given bytes lasts 2\.000 s, but the segment from 1\.500 s to 2\.110 s was requested"
    ):
        load(WHOLE_WAV, RATE, offset_s=1.5, duration_s=0.61)


@pytest.mark.parametrize("kind", ["wav", "webm", "ipod"])
def test_a_segment_beyond_the_end(kind: str) -> None:
    codec = {"webm": "libopus", "ipod": "aac"}.get(kind)
    rate = 48_000 if kind == "webm" else RATE
    data = av_encoded(sine(2.0, rate), kind, codec, rate) if codec else WHOLE_WAV
    for begin_s in (2.0, 7.0):
        with pytest.raises(AudioError, match=rf"lasts 2\.000 s, but the segment from {begin_s:.3f} s to its end was"):
            load(data, RATE, offset_s=begin_s)
    with pytest.raises(AudioError, match=r"lasts 2\.000 s, but the segment from 1\.000 s to 3\.000 s was requested"):
        load(data, RATE, offset_s=1.0, duration_s=2.0)


@pytest.mark.parametrize(
    ("begin_s", "length_s"), [(-0.1, None), (0, 0), (0, -1), (float("nan"), 1), (0, float("nan")), (float("inf"), None)]
)
def test_an_invalid_segment(begin_s: float, length_s: float | None) -> None:
    with pytest.raises(
        AudioError, match=f"the offset {begin_s} s and the duration {length_s} s: the offset must be 0 or more"
    ):
        load(WHOLE_WAV, RATE, offset_s=begin_s, duration_s=length_s)
