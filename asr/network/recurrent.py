"""The bidirectional LSTM stack: each frame learns what was said before and after it."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from asr.network.dropout import Dropout
from asr.network.lstm_gradient import lstm
from asr.recipe.network import ContextConfig


class _Rows(torch.autograd.Function):
    """Rows in another order, by a permutation that is its own inverse: the gradient takes the same way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradients[0].index_select(0, order), None


def flipped(lengths: Tensor, num_frames: int) -> Tensor:
    """The order of rows that reverses each sequence within its own length; what lies beyond stays where it is.

    Shape: (B,) -> (T * B,), indices into the rows of a (T, B, D) tensor
    """
    frames = torch.arange(num_frames, device=lengths.device)[:, None]
    source = torch.where(frames < lengths, lengths - 1 - frames, frames)
    return (source * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """Frames of all sequences in another order, one that is its own inverse. Shape: (T, B, D), (T * B,) -> (T, B, D)"""
    return cast("Tensor", _Rows.apply(x.flatten(0, 1), order)).view_as(x)


class BiLSTM(nn.Module):
    """One bidirectional LSTM layer (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000).

    The backward direction reads each sequence flipped within its own length. The result at the frames that exist is
    that of packed sequences, which cost four times as much on a CPU and shut out cuDNN's persistent kernels.
    The forget gate's bias starts at 1, so that the cell state is kept until training learns what to forget
    (Jozefowicz et al. 2015).
    """

    own_gradient = True
    """Whether the gradient on a CPU is that of `asr.network.lstm_gradient`, or torch's own."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(input_size, hidden)
        self.back = nn.LSTM(input_size, hidden)
        for half in (self.ahead, self.back):
            bias_ih, bias_hh = (p for name, p in half.named_parameters() if name.startswith("bias"))
            nn.init.zeros_(bias_hh)
            nn.init.zeros_(bias_ih)
            nn.init.ones_(bias_ih[hidden : 2 * hidden])

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """`order` is that of `flipped`. Frames beyond the lengths are undefined.

        Shape: (T, B, D), (T * B,) -> (T, B, 2H)
        """
        ahead = lstm(self.ahead, x, own_gradient=self.own_gradient)
        back = lstm(self.back, reorder(x, order), own_gradient=self.own_gradient)
        return torch.cat([ahead, reorder(back, order)], dim=2)


class Context(nn.Module):
    """Dropout, BiLSTM and layer norm, repeated."""

    def __init__(self, config: ContextConfig, input_size: int) -> None:
        super().__init__()
        self.output_size = 2 * config.hidden
        sizes = [input_size] + [self.output_size] * (config.layers - 1)
        self.layers: Sequence[BiLSTM] = cast("Any", nn.ModuleList(BiLSTM(size, config.hidden) for size in sizes))
        self.norms: Sequence[nn.LayerNorm] = cast("Any", nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes))
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """The output of every layer, the last one last. Shape: (T, B, D), (B,) -> L times (T, B, 2H)"""
        outputs, order = [], flipped(lengths, len(x))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(self.dropout(x), order))
            outputs.append(x)
        return outputs
