"""Mixing: the average, unless channels cancel."""

import numpy as np
import pytest

from asr.audio.mixing import MIN_SAMPLES, mix


def noise(channels: int, size: int = 4000) -> np.ndarray:
    return np.random.default_rng(channels).normal(size=(size, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_independent_channels_are_averaged(channels: int) -> None:
    block = noise(channels)
    np.testing.assert_allclose(mix(block), block.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.97, 0.1])
def test_an_inverted_channel_does_not_cancel_the_other(share: float) -> None:
    (signal,) = noise(1).T
    mixed = mix(np.stack([signal, -share * signal], axis=1))
    np.testing.assert_allclose(np.abs(mixed), np.abs(signal) * (1 + share) / 2, atol=1e-6)
    mixed = mix(np.stack([-share * signal, np.zeros_like(signal), signal], axis=1))
    np.testing.assert_allclose(np.abs(mixed), np.abs(signal) * (1 + share) / 3, atol=1e-6)


def test_silence_stays_silence() -> None:
    np.testing.assert_array_equal(mix(np.zeros((5000, 4), np.float32)), np.zeros(5000))


def test_a_few_samples_tell_nothing() -> None:
    block = np.array([[1.0, -1.0]] * (MIN_SAMPLES - 1), np.float32)
    np.testing.assert_array_equal(mix(block), np.zeros(len(block)))
