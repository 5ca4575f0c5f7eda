"""The bidirectional LSTM stack, which gives each frame its left and right context."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from asr.network.dropout import Dropout
from asr.network.lstm_gradient import lstm
from asr.recipe.network import ContextConfig


class _PermuteRows(torch.autograd.Function):
    """Permute rows by a permutation that is its own inverse, so that the gradient uses the same one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradients[0].index_select(0, order), None


def flip_order(lengths: Tensor, num_frames: int) -> Tensor:
    """Compute the order of rows that reverses each sequence within its own length and leaves the padding in place.

    Shape: (B,) -> (T * B,), indices into the rows of a (T, B, D) tensor
    """
    frames = torch.arange(num_frames, device=lengths.device)[:, None]
    source = torch.where(frames < lengths, lengths - 1 - frames, frames)
    return (source * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """Permute the frames of all sequences by a self-inverse order. Shape: (T, B, D), (T * B,) -> (T, B, D)"""
    return cast("Tensor", _PermuteRows.apply(x.flatten(0, 1), order)).view_as(x)


class BiLSTM(nn.Module):
    """One bidirectional LSTM layer (Hochreiter and Schmidhuber 1997; forget gate by Gers et al. 2000).

    The backward direction reads each sequence flipped within its own length. At valid frames the result equals that of
    packed sequences, which are four times slower on a CPU and preclude cuDNN's persistent kernels. The bias of the
    forget gate is initialised to 1, so that the cell state is retained until the layer learns what to forget
    (Jozefowicz et al. 2015).
    """

    own_gradient = True
    """Use the gradient of `asr.network.lstm_gradient` on a CPU instead of torch's own."""

    def __init__(self, input_size: int, hidden: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(input_size, hidden)
        self.back = nn.LSTM(input_size, hidden)
        for lstm_layer in (self.ahead, self.back):
            bias_ih, bias_hh = (p for name, p in lstm_layer.named_parameters() if name.startswith("bias"))
            nn.init.zeros_(bias_hh)
            nn.init.zeros_(bias_ih)
            nn.init.ones_(bias_ih[hidden : 2 * hidden])

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """Run both directions; `order` is from `flip_order`. Frames beyond the lengths are undefined.

        Shape: (T, B, D), (T * B,) -> (T, B, 2H)
        """
        forward = lstm(self.ahead, x, own_gradient=self.own_gradient)
        backward = lstm(self.back, reorder(x, order), own_gradient=self.own_gradient)
        return torch.cat([forward, reorder(backward, order)], dim=2)


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
        """Compute the outputs of all layers, in order. Shape: (T, B, D), (B,) -> L times (T, B, 2H)"""
        outputs, order = [], flip_order(lengths, len(x))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(self.dropout(x), order))
            outputs.append(x)
        return outputs
