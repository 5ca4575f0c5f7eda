"""The bidirectional LSTM stack: each frame learns what was said before and after it."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from asr.config import Section
from asr.model.features import frame_mask


class ContextConfig(Section):
    """The recurrent layers."""

    layers: int = Field(default=3, ge=1)
    """Bidirectional layers, one above the other."""
    hidden: int = Field(default=256, ge=1)
    """Cells per direction."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of each layer's input that is set to zero in training."""


def flip_by_length(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence within its own length; what lies beyond stays where it is.

    Applied twice it changes nothing. Shape: (B, T, D), (B,) -> (B, T, D)
    """
    frames = torch.arange(x.shape[1], device=x.device)
    index = torch.where(frame_mask(lengths, x.shape[1]), lengths[:, None] - 1 - frames, frames)
    return x.gather(1, index[:, :, None].expand_as(x))


class BiLSTM(nn.Module):
    """One bidirectional LSTM layer (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000).

    The backward direction reads each sequence flipped within its own length. The result at the frames that exist is
    that of packed sequences, which cost four times as much on a CPU and shut out cuDNN's persistent kernels.
    The forget gate's bias starts at 1, so that the cell state is kept until training learns what to forget
    (Jozefowicz et al. 2015).
    """

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(input_size, hidden, batch_first=True)
        self.back = nn.LSTM(input_size, hidden, batch_first=True)
        for lstm in (self.ahead, self.back):
            bias_ih, bias_hh = (p for name, p in lstm.named_parameters() if name.startswith("bias"))
            nn.init.zeros_(bias_hh)
            nn.init.zeros_(bias_ih)
            nn.init.ones_(bias_ih[hidden : 2 * hidden])

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Shape: (B, T, D), (B,) -> (B, T, 2H); frames beyond the lengths are undefined."""
        ahead, _ = self.ahead(x)
        back, _ = self.back(flip_by_length(x, lengths))
        return torch.cat([ahead, flip_by_length(back, lengths)], dim=2)


class Context(nn.Module):
    """Dropout, BiLSTM and layer norm, repeated."""

    def __init__(self, config: ContextConfig, input_size: int) -> None:
        super().__init__()
        self.output_size = 2 * config.hidden
        sizes = [input_size] + [self.output_size] * (config.layers - 1)
        self.layers: Sequence[BiLSTM] = cast("Any", nn.ModuleList(BiLSTM(size, config.hidden) for size in sizes))
        self.norms: Sequence[nn.LayerNorm] = cast("Any", nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """The output of every layer, the last one last. Shape: (B, T, D), (B,) -> L times (B, T, 2H)"""
        outputs = []
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(self.dropout(x), lengths))
            outputs.append(x)
        return outputs
