"""Codecs cost what they are known to cost, and nothing else: no length, no delay, no chance outside the generator."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from asr import audio
from asr.recipe.augmentation import AugmentationConfig, CodecConfig
from asr.recipe.augmentation import CodecKind as Kind
from asr.training.data.augmentation import Augmenter
from asr.training.data.codecs import encode_and_decode

RATE = 16_000
SPEECH = torch.from_numpy(audio.load(Path(__file__).parents[3] / "examples" / "pittsburgh.wav", RATE))


def coded(kind: Kind, compression: float, waveform: Tensor = SPEECH) -> Tensor:
    config = CodecConfig(share=1, kinds=(kind,), compression=(compression, compression))
    return encode_and_decode(waveform, config, RATE, np.random.default_rng(0))


def signal_to_error_db(found: Tensor) -> float:
    return 10 * float(torch.log10(SPEECH.square().sum() / (SPEECH - found).square().sum()))


@pytest.mark.parametrize("kind", ["mp3", "opus", "vorbis"])
def test_more_compression_costs_more_and_nothing_is_delayed(kind: Kind) -> None:
    little, much = (signal_to_error_db(coded(kind, level)) for level in (0.0, 0.99))
    assert little > 20  # a delay of a few samples alone would bring it below 10
    assert 5 < much < little - 5


def test_a_telephone_passes_nothing_above_four_kilohertz() -> None:
    time_s = torch.arange(2 * RATE) / RATE
    low, high = (0.3 * torch.sin(2 * torch.pi * hertz * time_s) for hertz in (1000, 6000))
    assert coded("telephone", 0.5, low).norm() == pytest.approx(float(low.norm()), rel=0.02)
    assert coded("telephone", 0.5, high).norm() < 0.02 * high.norm()


@pytest.mark.parametrize("kind", ["telephone", "mp3", "opus", "vorbis"])
@pytest.mark.parametrize("samples", [1, 777, 16_001])
def test_the_length_stays(kind: Kind, samples: int) -> None:
    found = coded(kind, 0.7, 3 * SPEECH[-samples:])
    assert found.shape == (samples,) and found.dtype is torch.float32 and bool(found.isfinite().all())


def test_every_kind_is_drawn_and_the_same_generator_draws_the_same() -> None:
    config = AugmentationConfig(speeds=(1.0,), gain_db=0, codec=CodecConfig(share=0.5))
    augment = Augmenter(config, RATE)
    found = [[augment(SPEECH[:4000], np.random.default_rng(seed)) for seed in range(40)] for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    untouched = sum(torch.equal(each, SPEECH[:4000]) for each in found[0])
    assert 10 < untouched < 30


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"kinds": ()}, "must name at least one"),
        ({"kinds": ("gramophone",)}, "kinds"),
        ({"compression": (0.9, 0.5)}, "the lower number first"),
        ({"compression": (0.5, 1.0)}, "from 0 to below 1"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        CodecConfig.model_validate(values)
