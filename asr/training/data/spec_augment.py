"""SpecAugment: bands and stretches of the spectrogram blotted out in training, so that no single cue suffices."""

import torchaudio
from torch import Tensor

from asr.recipe.augmentation import MaskingConfig


def mask_spectrogram(features: Tensor, config: MaskingConfig, duration_s: float) -> Tensor:
    """Set random bands and stretches to 0, the mean of normalised features; each utterance gets its own.

    `duration_s` is that of the longest utterance.

    Shape: (B, T, F) -> (B, T, F)
    """
    x = features[:, None]
    mask = torchaudio.functional.mask_along_axis_iid
    for _ in range(config.time_masks + int(config.time_masks_per_s * duration_s)):
        x = mask(x, config.time_width, mask_value=0.0, axis=2, p=config.time_share)
    for _ in range(config.frequency_masks):
        x = mask(x, config.frequency_width, mask_value=0.0, axis=3)
    return x[:, 0]
