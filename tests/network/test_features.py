"""The log-mel stage against librosa, and its lengths against counting windows."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asr.network.features import LOG_FLOOR, Features, frame_mask
from asr.recipe.network import FeaturesConfig


def speech_like(num_samples: int, sample_rate: int) -> np.ndarray:
    """A gliding voice with harmonics, pauses, and noise. Shape: -> (S,)"""
    random = np.random.default_rng(7)
    time_s = np.arange(num_samples) / sample_rate
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.7 * time_s)) / sample_rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    loudness = np.clip(np.sin(2 * np.pi * 2.3 * time_s), 0, 1)
    return (0.2 * loudness * voice + random.normal(0, 1e-3, num_samples)).astype(np.float32)


@pytest.mark.parametrize(
    ("sample_rate", "window_ms", "hop_ms", "bands"), [(16_000, 25, 10, 80), (8_000, 32, 8, 40), (16_000, 20, 12.5, 23)]
)
def test_log_mel_is_librosas(sample_rate: int, window_ms: float, hop_ms: float, bands: int) -> None:
    signal = speech_like(2 * sample_rate, sample_rate)
    config = FeaturesConfig(sample_rate=sample_rate, window_ms=window_ms, hop_ms=hop_ms, bands=bands)
    power = librosa.feature.melspectrogram(
        y=signal,
        sr=sample_rate,
        n_fft=round(sample_rate * window_ms / 1000),
        hop_length=round(sample_rate * hop_ms / 1000),
        n_mels=bands,
        center=False,
        power=2.0,
        htk=True,
        norm=None,
    )
    ours = Features(config).log_mel(torch.from_numpy(signal)[None], torch.tensor([len(signal)]))
    np.testing.assert_allclose(ours[0].numpy(), np.log(power + LOG_FLOOR).T, atol=1e-3)
    assert power.max() > 1e3 * LOG_FLOOR, "the signal must exceed the floor, or any spectrogram would pass"


@settings(deadline=None)
@given(st.integers(1, 300))
def test_frames_are_the_complete_windows_and_at_least_one(num_samples: int) -> None:
    features = Features(FeaturesConfig(sample_rate=1000, window_ms=25, hop_ms=10, bands=8))
    counted = max(1, sum(start + 25 <= num_samples for start in range(0, num_samples, 10)))
    x, lengths = features(torch.ones(1, num_samples), torch.tensor([num_samples]))
    assert lengths.tolist() == [counted]
    assert x.shape == (1, counted, 8)


@pytest.mark.parametrize(("num_samples", "frames"), [(1, 1), (399, 1), (400, 1), (559, 1), (560, 2), (16_000, 98)])
def test_frames_at_the_default_sizes(num_samples: int, frames: int) -> None:
    features = Features(FeaturesConfig())
    assert features.log_mel(torch.zeros(1, num_samples), torch.tensor([num_samples])).shape == (1, frames, 80)
    assert features.output_lengths(torch.tensor([num_samples])).tolist() == [frames]


def test_silence_gives_the_floor() -> None:
    log_mel = Features(FeaturesConfig()).log_mel(torch.zeros(1, 1000), torch.tensor([1000]))
    torch.testing.assert_close(log_mel, torch.full_like(log_mel, float(np.log(LOG_FLOOR))))


def test_a_short_waveform_is_padded_with_silence_to_one_window() -> None:
    features = Features(FeaturesConfig())
    signal = torch.from_numpy(speech_like(400, 16_000))[None].clone()
    signal[:, 123:] = 0
    short = features.log_mel(signal[:, :123], torch.tensor([123]))
    torch.testing.assert_close(short, features.log_mel(signal, torch.tensor([400])))


@pytest.mark.parametrize("padding", [1e3, np.inf, np.nan])
def test_samples_beyond_the_length_are_ignored(padding: float) -> None:
    features = Features(FeaturesConfig())
    signal = torch.from_numpy(speech_like(4000, 16_000))
    batch = torch.stack([signal, signal])
    batch[1, 1500:] = padding
    alone = features.log_mel(signal[None, :1500], torch.tensor([1500]))
    together = features.log_mel(batch, torch.tensor([4000, 1500]))
    torch.testing.assert_close(together[1:, : alone.shape[1]], alone, rtol=0, atol=1e-5)


def test_each_band_is_shifted_by_its_mean_and_scaled_by_its_deviation() -> None:
    features = Features(FeaturesConfig())
    signal, lengths = torch.from_numpy(speech_like(16_000, 16_000))[None], torch.tensor([16_000])
    log_mel = features.log_mel(signal, lengths)
    torch.testing.assert_close(features(signal, lengths)[0], log_mel)  # before the statistics are set
    features.mean.copy_(log_mel[0].mean(dim=0))
    features.std.copy_(log_mel[0].std(dim=0))
    x = features(signal, lengths)[0][0]
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(80), rtol=0, atol=1e-4)
    torch.testing.assert_close(x.std(dim=0), torch.ones(80), rtol=0, atol=1e-4)
    assert {"mean", "std"} <= features.state_dict().keys(), "the statistics are saved with the weights"


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"bands": 200}, r"`bands` \(=200\) is too many for a window of 25\.0 ms: some are empty"),
        ({"window_ms": 5}, r"`bands` \(=80\) is too many for a window of 5\.0 ms: some are empty"),
        ({"hop_ms": 0.01}, r"`window_ms` \(=25\.0\) and `hop_ms` \(=0\.01\) are below a sample"),
        ({"window_ms": 0.09}, r"`window_ms` \(=0\.09\) and `hop_ms` \(=10\.0\) are below a sample"),
    ],
)
def test_an_impossible_spectrogram_is_refused(config: dict[str, float], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        FeaturesConfig.model_validate(config)


@pytest.mark.parametrize("config", [{"bands": 80}, {"bands": 8, "window_ms": 4}, {"bands": 23, "sample_rate": 8_000}])
def test_no_band_of_an_accepted_config_is_empty(config: dict[str, float]) -> None:
    features_config = FeaturesConfig.model_validate(config)
    noise = torch.randn(1, features_config.sample_rate, generator=torch.Generator().manual_seed(0))
    log_mel = Features(features_config).log_mel(noise, torch.tensor([noise.shape[1]]))
    assert (log_mel.amax(dim=(0, 1)) > np.log(2 * LOG_FLOOR)).all()


def test_the_frame_mask_is_true_at_valid_frames() -> None:
    mask = frame_mask(torch.tensor([0, 2, 3]), 3)
    assert mask.tolist() == [[False, False, False], [True, True, False], [True, True, True]]
