"""Formats."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from signals import EXACT, RATE, av_encoded, encoded, fit, sine, speechlike, sphere, without_first_frame

from asr.audio import duration_s, load


@pytest.mark.parametrize(("format", "subtype", "tolerance"), EXACT)
def test_libsndfile_formats(tmp_path: Path, format: str, subtype: str, tolerance: float) -> None:
    path = tmp_path / "x.bin"  # the format must follow from the bytes, not the name
    path.write_bytes(encoded(sine(), format, subtype))
    waveform = load(path, RATE)
    assert waveform.dtype == np.float32
    assert waveform.shape == (RATE,)
    np.testing.assert_allclose(waveform[400:-400], sine()[400:-400], rtol=0, atol=tolerance)
    assert duration_s(path) == 1.0


@pytest.mark.parametrize(
    ("container", "codec", "rate", "tolerance"),
    [
        ("ipod", "aac", 16_000, 0.02),
        ("mp4", "aac", 44_100, 0.03),
        ("webm", "libopus", 48_000, 0.02),
        ("matroska", "flac", 16_000, 1 / 32768),
        ("matroska", "pcm_s24le", 16_000, 1e-6),
        ("matroska", "pcm_u8", 16_000, 1 / 64),
        ("mov", "pcm_f64le", 16_000, 0),
        ("mpegts", "mp2", 48_000, 0.02),
    ],
)
def test_ffmpeg_formats(tmp_path: Path, container: str, codec: str, rate: int, tolerance: float) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(av_encoded(sine(rate=rate), container, codec, rate))
    waveform = load(path, rate)
    delay = waveform.size - rate  # MPEG-TS does not store the encoder's delay and padding
    assert delay == 0 if container != "mpegts" else 0 < delay < 3000
    amplitude, phase, residual = fit(waveform[delay:], 440, rate, edge=4096)  # AAC needs a while to settle
    assert amplitude == pytest.approx(0.5, abs=0.015)
    assert delay or phase == pytest.approx(0, abs=0.01)
    assert residual <= max(tolerance, 1e-6)
    assert duration_s(path) == waveform.size / rate


def test_adpcm_is_padded_to_complete_blocks() -> None:
    waveform = load(encoded(sine(), "WAV", "IMA_ADPCM"), RATE)
    assert RATE <= len(waveform) < RATE + 512
    np.testing.assert_allclose(waveform[50:RATE], sine()[50:], rtol=0, atol=0.02)


def test_video(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(av_encoded(sine(), "mp4", "aac", pictures=10))
    waveform = load(path, RATE)
    assert waveform.shape == (RATE,)
    assert fit(waveform, 440)[0] == pytest.approx(0.5, abs=0.005)


def test_amr() -> None:
    """Fifty frames of AMR at 4.75 kbit/s (RFC 4867, 5): a second at 8 kHz."""
    assert load(b"#!AMR\n" + (b"\x04" + bytes(12)) * 50, 8000).shape == (8000,)


def test_sphere() -> None:
    np.testing.assert_allclose(load(sphere(sine()), RATE), sine(), rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(format: str, channels: int) -> None:
    levels = np.arange(1, channels + 1) / 16
    waveform = load(encoded(np.tile(levels, (200_000, 1)), format, "PCM_16"), RATE)
    np.testing.assert_allclose(waveform, np.full(200_000, levels.mean()), rtol=1e-6)


def test_channels_from_ffmpeg_are_averaged() -> None:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        track = out.add_stream("pcm_s16le", rate=RATE, layout="5.1")
        frame = av.AudioFrame.from_ndarray(
            np.tile(np.arange(1, 7, dtype=np.int16) * 1000, 960)[None], format="s16", layout="5.1"
        )
        frame.sample_rate = RATE
        out.mux(track.encode(frame))
    np.testing.assert_allclose(load(buffer.getvalue(), RATE), np.full(960, 3500 / 32768), rtol=1e-6)


def test_planar_channels_from_ffmpeg_are_averaged() -> None:
    mp3 = encoded(np.stack([sine(), np.zeros(RATE)], axis=1), "MP3")
    assert fit(load(without_first_frame(mp3), RATE)[:RATE], 440)[0] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 192_000])
def test_resampling_keeps_length_frequency_amplitude_and_phase(rate: int) -> None:
    waveform = load(encoded(sine(10.0, rate), "WAV", "FLOAT", rate), RATE)  # long enough for several blocks
    assert waveform.shape == (10 * RATE,)
    amplitude, phase, residual = fit(waveform, 440)
    assert amplitude == pytest.approx(0.5, abs=1e-4)
    assert phase == pytest.approx(0, abs=1e-3)
    assert residual < 1e-4


def test_resampling_removes_frequencies_above_the_new_nyquist() -> None:
    waveform = load(encoded(sine(2.0, 48_000, hz=11_000), "WAV", "FLOAT", 48_000), RATE)
    assert np.abs(waveform[800:-800]).max() < 1e-4


@pytest.mark.parametrize(("format", "rate"), [("WAV", 44_100), ("FLAC", 8_000), ("OGG", 48_000), ("MP3", 22_050)])
def test_librosa_agrees(tmp_path: Path, format: str, rate: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import librosa

        path = tmp_path / f"x.{format.lower()}"
        stereo = np.stack([speechlike(1.5, rate, seed=1), speechlike(1.5, rate, seed=2)], axis=1)
        path.write_bytes(encoded(stereo, format, rate=rate))
        reference, _ = librosa.load(path, sr=RATE)
    waveform = load(path, RATE)
    assert waveform.shape == reference.shape
    np.testing.assert_allclose(waveform, reference, rtol=0, atol=1e-4)


def test_loud_samples_are_not_clipped() -> None:
    samples = np.array([3.5, -2.0, 0.25, 1.0], np.float32)
    np.testing.assert_array_equal(load(encoded(samples, "WAV", "FLOAT"), RATE), samples)
