"""The CNN frontend: strided 3x3 convolutions over time and frequency, so that the LSTM gets fewer, richer frames."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from asr.network.features import frame_mask
from asr.recipe.network import FrontendConfig


class MaskedConv(nn.Module):
    """Convolution, layer norm over the channels and bands of each frame, ReLU.

    Frames beyond the end of an utterance are set to zero before the convolution, like the convolution's own padding of
    a single utterance, and the norm (Ba et al. 2016) is computed per frame. So neither the padding nor the neighbours
    in a batch affect the result of an utterance.
    """

    def __init__(self, in_channels: int, channels: int, in_bands: int, time_stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size=3, stride=(time_stride, 2), padding=1)
        self.bands = math.ceil(in_bands / 2)
        self.norm = nn.LayerNorm([channels, self.bands])

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Shape: (B,) -> (B,)"""
        stride, padding, kernel = self.conv.stride[0], 1, self.conv.kernel_size[0]
        return torch.div(lengths + 2 * padding - kernel, stride, rounding_mode="floor") + 1

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, C, T, F), (B,) -> (B, C', T', F'), (B,)"""
        x = self.conv(x * frame_mask(lengths, x.shape[2])[:, None, :, None])
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return torch.relu(x), self.output_lengths(lengths)


class Frontend(nn.Module):
    """A stack of convolutions whose channels and bands are flattened into one vector per frame."""

    def __init__(self, config: FrontendConfig, bands: int) -> None:
        super().__init__()
        layers, channels = [], 1
        for stride in config.time_strides:
            layers.append(MaskedConv(channels, config.channels, bands, stride))
            channels, bands = config.channels, layers[-1].bands
        self.layers: Sequence[MaskedConv] = cast("Any", nn.ModuleList(layers))
        self.output_size = channels * bands

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Shape: (B,) -> (B,)"""
        for layer in self.layers:
            lengths = layer.output_lengths(lengths)
        return lengths

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, T, F), (B,) -> (B, T', D), (B,)"""
        x = features[:, None]
        for layer in self.layers:
            x, lengths = layer(x, lengths)
        return x.transpose(1, 2).flatten(2), lengths
