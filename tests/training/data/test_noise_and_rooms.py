"""Noise at the ratio that was asked for, of the colour that was asked for; rooms that keep loudness and place."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.errors import DataError
from asr.recipe.augmentation import AugmentationConfig, NoiseConfig, ReverberationConfig
from asr.training.data.augmentation import Augmenter
from asr.training.data.noise_and_rooms import add_noise, coloured_noise, reverberate

RATE = 16_000


def voice(duration_s: float = 1.0) -> torch.Tensor:
    time_s = torch.arange(round(duration_s * RATE)) / RATE
    return 0.2 * torch.sin(2 * torch.pi * 300 * time_s)


def power_db(x: torch.Tensor) -> float:
    return 10 * float(torch.log10(x.square().mean()))


@pytest.mark.parametrize("snr_db", [-3.0, 0.0, 20.0])
def test_the_ratio_is_the_one_asked_for(snr_db: float) -> None:
    config = NoiseConfig(share=1, snr_db=(snr_db, snr_db))
    noise = add_noise(voice(), config, RATE, np.random.default_rng(0)) - voice()
    assert power_db(voice()) - power_db(noise) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_the_colour_is_a_straight_line_in_decibels_over_octaves(slope: float) -> None:
    power = np.abs(np.fft.rfft(coloured_noise(2**18, slope, np.random.default_rng(1)).numpy())) ** 2
    octaves = [power[2**k : 2 ** (k + 1)].mean() for k in range(6, 16)]
    measured = -np.polyfit(np.arange(len(octaves)), np.log2(octaves), 1)[0]
    assert measured == pytest.approx(slope, abs=0.05)


def test_recorded_noise_is_the_recording_repeated(tmp_path: Path) -> None:
    recording = np.random.default_rng(2).normal(0, 0.1, 4000)
    soundfile.write(tmp_path / "fan.wav", recording, RATE, subtype="FLOAT")
    config = NoiseConfig(share=1, snr_db=(0, 0), files=(tmp_path,))
    noise = (add_noise(voice(), config, RATE, np.random.default_rng(3)) - voice()).numpy()
    np.testing.assert_allclose(noise[:4000], noise[4000:8000], atol=1e-6)
    correlation = np.fft.irfft(np.fft.rfft(noise[:4000]) * np.conj(np.fft.rfft(recording)))
    assert correlation.max() == pytest.approx(np.linalg.norm(noise[:4000]) * np.linalg.norm(recording), rel=1e-3)


def test_silence_stays_silence() -> None:
    config = NoiseConfig(share=1)
    assert not add_noise(torch.zeros(1000), config, RATE, np.random.default_rng(0)).any()


def test_a_room_keeps_loudness_and_the_place_of_the_first_sound() -> None:
    dry = torch.zeros(RATE)
    dry[4000:4400] = torch.randn(400, generator=torch.Generator().manual_seed(0))
    for seed in range(3):
        wet = reverberate(dry, ReverberationConfig(share=1), RATE, np.random.default_rng(seed))
        assert power_db(wet) == pytest.approx(power_db(dry), abs=0.01)
        lag = np.correlate(wet.numpy(), dry[4000:4400].numpy(), "valid").argmax() - 4000
        assert abs(lag) <= RATE // 200  # the first arrival and the strongest may be a few samples apart
        assert wet[4500:].abs().max() > 1e-4  # the tail of the room


def test_a_recorded_response_is_convolved(tmp_path: Path) -> None:
    response = np.zeros(50)
    response[[10, 30]] = 0.8, 0.4
    soundfile.write(tmp_path / "room.wav", response, RATE, subtype="FLOAT")
    wet = reverberate(voice(0.1), ReverberationConfig(share=1, files=(tmp_path / "room.wav",)), RATE,
                      np.random.default_rng(0)).numpy()  # fmt: skip
    dry = voice(0.1).numpy()
    expected = 0.8 * dry + 0.4 * np.r_[np.zeros(20), dry[:-20]]
    np.testing.assert_allclose(wet, expected * np.linalg.norm(dry) / np.linalg.norm(expected), atol=1e-5)


def test_rooms_leave_torchs_generator_alone_and_follow_from_ours() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one = reverberate(voice(), ReverberationConfig(share=1), RATE, np.random.default_rng(11))
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    other = reverberate(voice(), ReverberationConfig(share=1), RATE, np.random.default_rng(11))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_share_is_the_share() -> None:
    config = AugmentationConfig(speeds=(1.0,), gain_db=0, noise=NoiseConfig(share=0.3))
    augment = Augmenter(config, RATE)
    random = np.random.default_rng(0)
    changed = sum(not torch.equal(augment(voice(0.05), random), voice(0.05)) for _ in range(1000))
    assert 250 < changed < 350


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    config = NoiseConfig(share=1, files=(tmp_path,))
    with pytest.raises(DataError, match="There is no recording in"):
        add_noise(voice(), config, RATE, np.random.default_rng(0))


def test_missing_recordings_show_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="are not there"):
        Augmenter(AugmentationConfig(noise=NoiseConfig(share=0.01, files=(tmp_path / "fan.wav",))), RATE)
