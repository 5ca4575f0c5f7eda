"""Samples in memory of any type: scaled by their type, or refused with a sentence."""

import array

import numpy as np
import pytest
from signals import RATE, sine

from asr.audio.samples import as_array, mono
from asr.errors import AudioError

INTEGERS = (sine() * 32767).astype(np.int16)


@pytest.mark.parametrize(
    "samples",
    [
        INTEGERS,
        INTEGERS.astype(np.int32) << 16,
        INTEGERS.astype(np.int64) << 48,
        (INTEGERS / 32768).astype(np.float32),
        (INTEGERS / 32768).tolist(),
        array.array("h", INTEGERS.tolist()),
        memoryview(INTEGERS),  # pyright: ignore[reportArgumentType]
    ],
    ids=["int16", "int32", "int64", "float32", "list", "array.array", "memoryview"],
)
def test_the_same_samples_in_any_type(samples: object) -> None:
    converted = as_array(samples)
    assert converted is not None
    np.testing.assert_allclose(mono(converted, RATE, RATE), INTEGERS / np.float32(32768), atol=1e-6)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_integers_that_were_not_scaled_to_their_type_are_refused(kind: type) -> None:
    with pytest.raises(AudioError, match=r"reach 16383 only, of \d+, so they are probably 16-bit ones"):
        mono(INTEGERS.astype(kind), RATE, RATE)


def test_floats_far_beyond_one_are_refused_and_slight_overshoot_is_not() -> None:
    with pytest.raises(AudioError, match=r"must be within -1\.\.1, but reach 16383: divide them"):
        mono(INTEGERS.astype(np.float32), RATE, RATE)
    assert np.abs(mono(sine(amplitude=1.2), RATE, RATE)).max() == pytest.approx(1.2, abs=0.01)


def test_zeros_of_any_type_are_silence() -> None:
    for kind in (np.int16, np.int32, np.float64):
        np.testing.assert_array_equal(mono(np.zeros(100, kind), RATE, RATE), np.zeros(100))


def test_bytes_of_a_file_are_no_samples() -> None:
    for source in (b"RIFF", bytearray(b"RIFF"), memoryview(b"RIFF"), "a.wav", None, 3):
        assert as_array(source) is None
    with pytest.raises(AudioError, match="numbers only"):
        as_array(["a", "b"])
