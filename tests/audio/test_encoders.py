"""Audio encoded for browsers decodes to the same duration, loudness and waveform."""

import numpy as np
import pytest

from asr import audio
from asr.audio.encoders import ogg_opus


def tone(rate: int, duration_s: float, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * duration_s)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("duration_s", [0.5, 3.21])
def test_a_tone_survives_at_any_rate(rate: int, duration_s: float) -> None:
    decoded = audio.load(ogg_opus(tone(rate, duration_s), rate), 16_000)
    assert len(decoded) == pytest.approx(16_000 * duration_s, abs=1)
    inner = slice(2_000, len(decoded) - 2_000)
    assert np.corrcoef(decoded[inner], tone(16_000, duration_s + 0.01)[: len(decoded)][inner])[0, 1] > 0.95
    assert np.abs(decoded[inner]).max() == pytest.approx(0.5, abs=0.1)


def test_one_sample_is_a_file() -> None:
    assert len(audio.load(ogg_opus(np.zeros(1, np.float32), 16_000), 16_000)) == 1


def test_the_file_is_small() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)
    assert len(ogg_opus(noise, 16_000)) < 10 * 8_000


def test_loud_samples_are_clipped_without_wrapping() -> None:
    decoded = audio.load(ogg_opus(10 * tone(16_000, 1), 16_000), 16_000)
    square = np.sign(tone(16_000, 1.01))[: len(decoded)]
    assert np.corrcoef(decoded[2_000:-2_000], square[2_000:-2_000])[0, 1] > 0.9
