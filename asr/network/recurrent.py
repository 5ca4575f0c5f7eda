"""The recurrent layers, of any kind of cell, and the bidirectional stack that gives each frame its context."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from asr import cells
from asr.cells import CellKind
from asr.network.dropout import Dropout
from asr.network.kernels import sequence
from asr.recipe.network import ContextConfig

State = tuple[Tensor, Tensor]
"""Output and cell state after a frame. Shape: both (B, H)"""

OF_TORCH: dict[CellKind, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
"""Cells that torch has itself: on a GPU by cuDNN, on a CPU as the other choice of `training.lstm_gradient`."""


class Gated(nn.Module):
    """The weights of a layer whose cell torch does not have, named as torch names those of its own layers."""

    def __init__(self, kind: CellKind, input_size: int, hidden: int) -> None:
        super().__init__()
        self.kind: CellKind = kind
        self.input_size, self.hidden_size = input_size, hidden
        rows = len(cells.GATES[kind]) * hidden
        self.weight_ih_l0 = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(rows, hidden))
        self.bias_ih_l0 = nn.Parameter(torch.empty(rows))
        self.bias_hh_l0 = nn.Parameter(torch.empty(rows))
        for weight in (self.weight_ih_l0, self.weight_hh_l0):
            nn.init.uniform_(weight, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))  # as torch does
        peepholes = torch.zeros(len(cells.PEEPHOLES.get(kind, ())), hidden)
        self.peepholes = nn.Parameter(peepholes) if len(peepholes) else None


def make_layer(kind: CellKind, input_size: int, hidden: int) -> nn.Module:
    """Make a layer in one direction, with the initial biases of `asr.cells.initial_bias`."""
    layer = OF_TORCH[kind](input_size, hidden) if kind in OF_TORCH else Gated(kind, input_size, hidden)
    _, _, bias_ih, bias_hh, _ = weights(layer)
    with torch.no_grad():
        bias_hh.zero_()
        bias_ih.copy_(torch.from_numpy(cells.initial_bias(kind, hidden)))
    return layer


def kind_of(layer: nn.Module) -> CellKind:
    """The kind of a layer's cell."""
    if isinstance(layer, Gated):
        return layer.kind
    kind: CellKind = "gru" if isinstance(layer, nn.GRU) else "lstm"
    return kind


def weights(layer: nn.Module) -> sequence.Weights:
    """The weights of a layer: inputs, recurrence, their biases, peepholes (if none, a tensor without rows)."""
    named = dict(layer.named_parameters())
    w_h = named["weight_hh_l0"]
    peepholes = named.get("peepholes", w_h.new_zeros(0, w_h.shape[1]))
    return named["weight_ih_l0"], w_h, named["bias_ih_l0"], named["bias_hh_l0"], peepholes


def run(layer: nn.Module, x: Tensor, state: State | None = None, *, own: bool = True) -> tuple[Tensor, State]:
    """Run a layer over all frames, from zeros unless given a state, to which no gradient flows on a CPU.

    Args:
        own: on a CPU, use the gradient of `asr.network.kernels` also for cells that torch has.

    Shape: (T, B, D) -> (T, B, H), state after the last frame
    """
    kind, hidden = kind_of(layer), cast("int", layer.hidden_size)
    exact = next(layer.parameters()).dtype
    h, c = state or (x.new_zeros(x.shape[1], hidden, dtype=exact),) * 2
    on_cpu = x.device.type == "cpu"
    if kind in OF_TORCH and not (on_cpu and own and torch.is_grad_enabled()):
        y, last = layer(x, h[None] if kind == "gru" else (h[None], c[None]))
        return y, (last[0], last[0]) if kind == "gru" else (last[0][0], last[1][0])
    if on_cpu:
        y, c = sequence.run(kind, x, weights(layer), h, c)
        return y, (y[-1], c)
    return _step_by_step(kind, weights(layer), x, h, c)


def _step_by_step(
    kind: CellKind, layer_weights: sequence.Weights, x: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, State]:
    """Run a cell as its equations say, with torch's gradient: for GPUs, where each operation is a launch."""
    w_x, w_h, b_x, b_h, p = layer_weights
    outputs = []
    for a in torch.nn.functional.linear(x, w_x, b_x).unbind(0):
        h, c, _ = cells.step(kind, a, torch.nn.functional.linear(h, w_h, b_h), h, c, p)
        outputs.append(h)
    return torch.stack(outputs), (h, c)


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


class Bidirectional(nn.Module):
    """One bidirectional recurrent layer.

    The backward direction reads each sequence flipped within its own length. At valid frames the result equals that of
    packed sequences, which are four times slower on a CPU and preclude cuDNN's persistent kernels.
    """

    own_gradient = True
    """Use the gradient of `asr.network.kernels` on a CPU instead of torch's own, where torch has the cell."""

    def __init__(self, kind: CellKind, input_size: int, hidden: int) -> None:
        super().__init__()
        self.ahead = make_layer(kind, input_size, hidden)
        self.back = make_layer(kind, input_size, hidden)

    def forward(self, x: Tensor, order: Tensor) -> Tensor:
        """Run both directions; `order` is from `flip_order`. Frames beyond the lengths are undefined.

        Shape: (T, B, D), (T * B,) -> (T, B, 2H)
        """
        forward, _ = run(self.ahead, x, own=self.own_gradient)
        backward, _ = run(self.back, reorder(x, order), own=self.own_gradient)
        return torch.cat([forward, reorder(backward, order)], dim=2)


def gradients(kind: CellKind, device_type: str) -> tuple[str, ...]:
    """Who can compute the gradient of a layer on a device: this program (`own`), torch, or either."""
    if device_type != "cpu":
        return ("torch",)
    return ("own", "torch") if kind in OF_TORCH else ("own",)


class Context(nn.Module):
    """Dropout, bidirectional layer and layer norm, repeated."""

    def __init__(self, config: ContextConfig, input_size: int) -> None:
        super().__init__()
        self.output_size = 2 * config.hidden
        sizes = [input_size] + [self.output_size] * (config.layers - 1)
        layers = (Bidirectional(config.cell, size, config.hidden) for size in sizes)
        self.layers: Sequence[Bidirectional] = cast("Any", nn.ModuleList(layers))
        self.norms: Sequence[nn.LayerNorm] = cast("Any", nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes))
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> list[Tensor]:
        """Compute the outputs of all layers, in order. Shape: (T, B, D), (B,) -> L times (T, B, 2H)"""
        outputs, order = [], flip_order(lengths, len(x))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(layer(self.dropout(x), order))
            outputs.append(x)
        return outputs
