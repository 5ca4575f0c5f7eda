"""Other voices and microphones from the same speech: changes of the log-mel spectrogram in training.

A shorter or longer vocal tract moves all resonances of a voice by one factor; a microphone or a room raises some
frequencies over others.
"""

import math

import torch
from torch import Tensor, nn

from asr.network.features import LOG_FLOOR
from asr.recipe.augmentation import VoicesConfig

RESPONSE_POINTS = 5
"""Frequencies, evenly spaced in mel, at which a response is drawn; between them it is a straight line."""


def change_voices(log_mel: Tensor, config: VoicesConfig, sample_rate: int) -> Tensor:
    """Give each utterance another vocal tract and another frequency response.

    Shape: (B, T, F) natural logarithm of power -> (B, T, F)
    """
    batch, _, bands = log_mel.shape
    if config.warp:
        factors = 1 + config.warp * (2 * torch.rand(batch, device=log_mel.device) - 1)
        log_mel = torch.bmm(log_mel, _warping(factors, bands, sample_rate).transpose(1, 2))
    if config.response_db:
        drawn = config.response_db * torch.randn(batch, 1, RESPONSE_POINTS, device=log_mel.device)
        response = nn.functional.interpolate(drawn, bands, mode="linear", align_corners=True)
        log_mel = (log_mel + response * (math.log(10) / 10)).clamp(min=math.log(LOG_FLOOR))
    return log_mel


def _warping(factors: Tensor, bands: int, sample_rate: int) -> Tensor:
    """What each band becomes of all: that of its frequency times the factor, interpolated between two.

    Shape: (B,) -> (B, F, F)
    """
    number = torch.arange(bands, device=factors.device)
    # torchaudio's bands are evenly spaced in mel, the first of them a step above zero.
    step = _mel(torch.tensor(sample_rate / 2)).item() / (bands + 1)
    hertz = 700 * (10 ** ((number + 1) * step / 2595) - 1)
    sources = (_mel(factors[:, None] * hertz) / step - 1).clamp(0, bands - 1)
    return (1 - (sources[:, :, None] - number).abs()).clamp(min=0)


def _mel(hertz: Tensor) -> Tensor:
    """The mel scale of torchaudio (HTK's, after O'Shaughnessy 1987)."""
    return 2595 * torch.log10(1 + hertz / 700)
