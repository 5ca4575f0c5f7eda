"""Changed voices against the spectrograms of sounds whose frequencies are changed."""

import math

import pytest
import torch
from torch import Tensor

from asr.network.features import LOG_FLOOR, Features
from asr.recipe.augmentation import VoicesConfig
from asr.recipe.network import FeaturesConfig
from asr.training.data import voices
from asr.training.data.voices import RESPONSE_POINTS, change_voices

RATE = 16_000


def spectrum(frequencies: list[float]) -> Tensor:
    """The mean log-mel spectrum of a second of each tone. Shape: -> (B, F)"""
    times = torch.arange(RATE) / RATE
    tones = torch.stack([0.1 * torch.sin(2 * math.pi * frequency * times) for frequency in frequencies])
    return Features(FeaturesConfig()).log_mel(tones, torch.full((len(tones),), RATE)).mean(dim=1)


def centre(log_mel: Tensor) -> float:
    """The band in the middle of the power. Shape: (F,) -> a number of a band"""
    return float(log_mel.softmax(dim=0) @ torch.arange(float(len(log_mel))))


@pytest.mark.parametrize("frequency", [1_000.0, 2_000.0, 4_000.0])
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_tone_moves_to_where_the_factor_takes_it(
    frequency: float, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.full(size, (1 / factor - 1 + 0.5) / 1.0))
    tone, moved = spectrum([frequency, frequency * factor])
    changed = change_voices(tone[None, None], VoicesConfig(warp=0.5), RATE)[0, 0]
    assert centre(changed) == pytest.approx(centre(moved), abs=0.5)
    if factor == 1:
        torch.testing.assert_close(changed, tone, rtol=0, atol=1e-3)
    else:
        assert abs(centre(changed) - centre(tone)) > 1.2


def test_every_utterance_has_its_own_factor_within_the_bounds() -> None:
    torch.manual_seed(0)
    factors: list[Tensor] = []

    def noted(drawn: Tensor, bands: int, sample_rate: int) -> Tensor:
        factors.append(drawn)
        return torch.eye(bands).repeat(len(drawn), 1, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "_warping", noted)
        change_voices(torch.zeros(1_000, 2, 8), VoicesConfig(warp=0.1), RATE)
    assert 0.9 <= factors[0].min() < 0.901
    assert 1.099 < factors[0].max() <= 1.1


def test_a_response_is_the_same_in_all_frames_and_straight_between_its_points() -> None:
    torch.manual_seed(0)
    bands = 4 * 20 + 1
    flat = torch.zeros(2_000, 3, bands)
    changed = change_voices(flat, VoicesConfig(response_db=6), RATE)
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    decibels = changed[:, 0] * 10 / math.log(10)
    corners = torch.linspace(0, bands - 1, RESPONSE_POINTS).long()
    assert decibels[:, corners].std(dim=0).tolist() == pytest.approx([6] * RESPONSE_POINTS, rel=0.1)
    torch.testing.assert_close(decibels[:, 10], (decibels[:, 0] + decibels[:, 20]) / 2, rtol=0, atol=1e-4)
    quiet = change_voices(torch.full((50, 2, 10), math.log(LOG_FLOOR)), VoicesConfig(response_db=6), RATE)
    assert quiet.min() == pytest.approx(math.log(LOG_FLOOR)), "no quieter than digital silence"


def test_nothing_is_changed_unless_asked() -> None:
    x = torch.randn(2, 3, 8)
    assert torch.equal(change_voices(x, VoicesConfig(), RATE), x)
