"""Lossy codecs: speech as it comes out of a telephone, a video call or a compressed file."""

import warnings
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from asr.config import Section

Kind = Literal["telephone", "mp3", "opus", "vorbis"]


class CodecConfig(Section):
    """Coding and decoding again, by lhotse."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training utterances that go through a codec."""
    kinds: tuple[Kind, ...] = ("telephone", "mp3", "opus")
    """Which, each as often: a telephone's 8 kHz in mu-law (ITU-T G.711), or a compressed file's."""
    compression: tuple[float, float] = (0.5, 0.99)
    """Least and most compression of a file, from 0 to below 1, as libsndfile counts; drawn evenly."""

    @field_validator("kinds")
    @classmethod
    def _one_at_least(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if not kinds:
            raise ValueError("`codec.kinds` must name at least one; to code nothing, set `codec.share` to 0")
        return kinds

    @field_validator("compression")
    @classmethod
    def _least_first(cls, compression: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= compression[0] <= compression[1] < 1:
            raise ValueError(
                f"`codec.compression` (={list(compression)}) must be from 0 to below 1, the lower number first"
            )
        return compression


def encode_and_decode(waveform: Tensor, config: CodecConfig, sample_rate: int, random: np.random.Generator) -> Tensor:
    """What is left after one codec, drawn at random; the length stays. Shape: (S,) -> (S,)"""
    from lhotse.augmentation import Compress, Narrowband

    kind = config.kinds[int(random.integers(len(config.kinds)))]
    level = float(random.uniform(*config.compression))
    samples = waveform.clamp(-1, 1).numpy()[None]
    with warnings.catch_warnings(action="ignore"):  # lhotse warns of torchaudio's maintenance
        if kind == "telephone":
            coded = Narrowband("mulaw", sample_rate, restore_orig_sr=True)(samples, sample_rate)
        else:
            coded = Compress(kind, level)(samples, sample_rate)
    decoded = torch.from_numpy(np.ascontiguousarray(coded[0], dtype=np.float32))[: len(waveform)]
    return torch.nn.functional.pad(decoded, (0, len(waveform) - len(decoded)))
