"""Lossy codecs: speech as it comes out of a telephone, a video call or a compressed file."""

import warnings

import numpy as np
import torch
from torch import Tensor

from asr.recipe.augmentation import CodecConfig


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
