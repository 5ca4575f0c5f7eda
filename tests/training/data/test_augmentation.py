"""Speed changes length and pitch by its factor, gain stays in its bounds, and chance comes from the generator alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from asr.recipe.augmentation import AugmentationConfig
from asr.training.data.augmentation import Augmenter

RATE = 16_000


def sine(frequency_hz: float, duration_s: float = 1.0) -> Tensor:
    return torch.sin(2 * math.pi * frequency_hz * torch.arange(round(duration_s * RATE)) / RATE)


def loudest_hz(waveform: Tensor) -> float:
    spectrum = np.abs(np.fft.rfft(waveform.numpy() * np.hanning(len(waveform)), n=2**20))
    return float(spectrum.argmax()) * RATE / 2**20


def augmenter(*speeds: float, gain_db: float = 0.0) -> Augmenter:
    return Augmenter(AugmentationConfig(speeds=speeds, gain_db=gain_db), RATE)


@pytest.mark.parametrize("speed", [0.5, 0.9, 0.95, 1.0, 1.1, 1.25, 2.0])
def test_speed_divides_the_length_and_multiplies_the_frequency(speed: float) -> None:
    faster = augmenter(speed)(sine(440), np.random.default_rng(0))
    assert len(faster) == pytest.approx(RATE / speed, abs=1)
    assert loudest_hz(faster) == pytest.approx(440 * speed, abs=0.5)
    middle = faster[len(faster) // 4 : -len(faster) // 4]
    assert middle.abs().max() == pytest.approx(1, abs=0.01)
    assert faster.dtype == torch.float32


def test_every_speed_is_drawn_about_as_often() -> None:
    random, changer = np.random.default_rng(0), augmenter(0.8, 1.0, 1.25)
    lengths = [len(changer(torch.zeros(100), random)) for _ in range(300)]
    assert {length: 70 < lengths.count(length) < 130 for length in set(lengths)} == {125: True, 100: True, 80: True}


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_gain_stays_within_its_bounds_and_is_one_number(seed: int) -> None:
    x = sine(100, 0.01)[1:]
    ratio = augmenter(1.0, gain_db=6.0)(x, np.random.default_rng(seed)) / x
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))
    assert abs(20 * math.log10(ratio.mean())) <= 6 + 1e-4


def test_gain_reaches_both_bounds() -> None:
    random, changer = np.random.default_rng(0), augmenter(1.0, gain_db=6.0)
    gains_db = [20 * math.log10(changer(torch.ones(1), random)) for _ in range(300)]
    assert min(gains_db) < -5.8
    assert max(gains_db) > 5.8
    assert abs(np.mean(gains_db)) < 0.5


def test_no_gain_and_speed_1_change_nothing() -> None:
    x = sine(300, 0.1)
    assert torch.equal(augmenter(1.0)(x, np.random.default_rng(0)), x)


def test_the_same_generator_gives_the_same_result() -> None:
    x, changer = sine(300, 0.1), augmenter(0.9, 1.0, 1.1, gain_db=6.0)
    torch.manual_seed(0)
    first = [changer(x, random) for random in [np.random.default_rng([7, 1])] for _ in range(5)]
    torch.manual_seed(1)
    again = [changer(x, random) for random in [np.random.default_rng([7, 1])] for _ in range(5)]
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    other = changer(x, np.random.default_rng([7, 2]))
    assert len(other) != len(first[0]) or not torch.equal(other, first[0])


@pytest.mark.parametrize("speeds", [(), (0.4,), (2.1,), (1.005,), (float("nan"),), (float("inf"),)])
def test_a_speed_that_cannot_be_is_refused(speeds: tuple[float, ...]) -> None:
    rule = "must be factors from 0.5 to 2 in hundredths" if np.isfinite(speeds).all() else "should be a finite number"
    with pytest.raises(ValidationError, match=rule):
        AugmentationConfig(speeds=speeds)
