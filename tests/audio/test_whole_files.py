"""Files that libsndfile would silently truncate."""

import io
import struct

import numpy as np
import pytest
import soundfile
from signals import RATE, WHOLE, encoded, fit, sine, speechlike, with_data_size, without_first_frame

from asr.audio import duration_s, load
from asr.errors import AudioError


def test_mp3_without_a_count_is_read_to_its_end() -> None:
    """With a variable bit rate, extrapolating from the first frames gives a wrong length, here a sixth of it."""
    noise = speechlike(2.0, 44_100) * 5
    samples = np.concatenate([noise, np.zeros(20 * 44_100, np.float32)])
    data = without_first_frame(encoded(samples, "MP3", rate=44_100, bitrate_mode="VARIABLE", compression_level=0.2))
    with soundfile.SoundFile(io.BytesIO(data)) as guess:
        assert guess.frames < len(samples) * 2 / 3
    waveform = load(data, 44_100)
    assert 0 <= len(waveform) - len(samples) < 5000
    assert duration_s(data) == len(waveform) / 44_100
    assert len(load(data[100:], 44_100)) == pytest.approx(len(waveform), abs=5000)  # begins within a frame


def test_concatenated_mp3s_are_all_read() -> None:
    first, second = (encoded(sine(2.0, hz=hz), "MP3") for hz in (440, 1000))
    waveform = load(first + b"ID3\x04\0\0\0\0\0\x64" + bytes(100) + second, RATE)
    assert len(waveform) == pytest.approx(4 * RATE, abs=0.15 * RATE)
    assert fit(waveform[-RATE - 3000 : -3000], 1000)[0] == pytest.approx(0.5, abs=0.02)


def test_chained_ogg_streams_are_all_read() -> None:
    data = encoded(sine(2.0), "OGG") + encoded(sine(1.0), "OGG")
    assert len(load(data, RATE)) == pytest.approx(3 * RATE, abs=0.1 * RATE)


def test_flac_without_a_count_is_read_to_its_end() -> None:
    data = bytearray(encoded(WHOLE, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    assert duration_s(bytes(data)) == 2.0
    np.testing.assert_allclose(load(bytes(data), RATE), WHOLE, rtol=0, atol=1 / 32768)


@pytest.mark.parametrize(
    ("data", "riff"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg
        (0x7FFFF000, 0x7FFFF024),  # SoX
        (0x80000000, 0x80000024),
        (0, 0),  # GStreamer
        (0, 36),  # a recorder that was killed
        (0, 0xFFFFFFFF),
    ],
)
def test_a_placeholder_for_the_size_of_a_wav_is_ignored(data: int, riff: int) -> None:
    wav = with_data_size(encoded(WHOLE, "WAV", "PCM_16"), data, riff)
    np.testing.assert_allclose(load(wav, RATE), WHOLE, rtol=0, atol=1 / 32768)


def test_a_wav_without_samples_is_not_mistaken_for_a_stream() -> None:
    wav = encoded(np.zeros(0), "WAV")
    with_list = wav[:4] + struct.pack("<I", len(wav) + 12) + wav[8:] + b"LIST" + struct.pack("<I", 12) + b"INFOISFTabcd"
    with pytest.raises(AudioError, match="the given bytes contains no audio: it has a header but no samples"):
        load(with_list, RATE)


def test_a_wav_that_counts_its_header_as_data_is_accepted() -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16")
    assert load(with_data_size(wav, len(wav)), RATE).shape == WHOLE.shape


def test_size_placeholders_of_au_and_aiff() -> None:
    au = encoded(WHOLE, "AU", "PCM_16")
    assert load(au[:8] + b"\xff" * 4 + au[12:], RATE).shape == WHOLE.shape
    aiff = encoded(WHOLE, "AIFF", "PCM_16")
    at = aiff.index(b"SSND") + 4
    assert load(aiff[:at] + b"\x7f\0\0\x08" + aiff[at + 4 :], RATE).shape == WHOLE.shape


def test_tags_before_an_mp3_change_nothing() -> None:
    mp3 = encoded(sine(), "MP3")
    comment = b"COMM\0\0\0\x05\0\0\x03eng\0" + b"TIT2\0\0\0\x03\0\0\x09ab"  # broken: libmpg123 would print about it
    tag = b"ID3\x03\0\0\0\0" + bytes([len(comment) >> 7, len(comment) & 127]) + comment
    np.testing.assert_array_equal(load(tag + tag + mp3, RATE), load(mp3, RATE))
    np.testing.assert_array_equal(load(mp3 + b"TAG" + bytes(125), RATE), load(mp3, RATE))
