"""SpecAugment: bands and stretches of the spectrogram blotted out in training, so that no single cue suffices."""

import torchaudio
from pydantic import Field
from torch import Tensor

from asr.config import Section


class MaskingConfig(Section):
    """SpecAugment (Park et al. 2019), without time warping."""

    frequency_masks: int = Field(default=2, ge=0)
    """Masks over frequency for each utterance."""
    frequency_width: int = Field(default=27, ge=0)
    """A frequency mask covers fewer than this many bands."""
    time_masks: int = Field(default=2, ge=0)
    """Masks over time for each utterance."""
    time_width: int = Field(default=40, ge=0)
    """A time mask covers fewer than this many frames ..."""
    time_share: float = Field(default=0.2, gt=0, le=1)
    """... and at most this share of the batch's frames."""


def mask_spectrogram(features: Tensor, config: MaskingConfig) -> Tensor:
    """Set random bands and stretches to 0, the mean of normalised features; each utterance gets its own.

    Shape: (B, T, F) -> (B, T, F)
    """
    x = features[:, None]
    mask = torchaudio.functional.mask_along_axis_iid
    for _ in range(config.time_masks):
        x = mask(x, config.time_width, mask_value=0.0, axis=2, p=config.time_share)
    for _ in range(config.frequency_masks):
        x = mask(x, config.frequency_width, mask_value=0.0, axis=3)
    return x[:, 0]
