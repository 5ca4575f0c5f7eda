"""An LSTM layer with a gradient of its own for CPUs.

Whether it is faster than torch's depends on the processor: on two with AVX-512 it took 0.7 and 1.5 times the time of
torch's (`scripts/bench/gradient.py`). So the trainer times both before the first step and chooses.

oneDNN, which torch uses on CPUs, updates the gradients of the weights at every frame, and so moves megabytes per frame.
Here only the gradients of the gates, which depend on the next frame, are computed frame by frame; the gradients of the
weights are one matrix product over all frames. The gates are not saved in the forward pass but recomputed for all
frames at once, because the outputs that they depend on are known by then.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn


def lstm(layer: nn.LSTM, x: Tensor, *, own_gradient: bool = True) -> Tensor:
    """Run a layer from the zero state. Shape: (T, B, D) -> (T, B, H)"""
    if own_gradient and x.device.type == "cpu" and torch.is_grad_enabled():
        weights = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
        return cast("Tensor", _CpuLSTM.apply(layer, x, *weights))
    return layer(x)[0]


class _CpuLSTM(torch.autograd.Function):
    """torch's forward pass, in the precision of autocast, with `_backward` as its gradient."""

    @staticmethod
    def forward(ctx: Any, layer: nn.LSTM, x: Tensor, *weights: Tensor) -> Tensor:
        y = layer(x)[0]
        ctx.save_for_backward(x, y, *weights)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast("cpu", enabled=False):
            return None, *_backward(gradients[0], *ctx.saved_tensors)


def _backward(dy: Tensor, x: Tensor, y: Tensor, w_ih: Tensor, w_hh: Tensor, *biases: Tensor) -> tuple[Tensor, ...]:
    """Compute the gradients of x, both weights and both biases (Hochreiter and Schmidhuber 1997, Gers et al. 2000).

    With the gates i, f, g, o and c = f c' + i g, y = o tanh(c), where c' is the previous cell state:
    dc = dy o (1 - tanh(c)^2) + f_next dc_next, and dy of a frame includes the gradient through the next frame's gates.

    Shape: (T, B, H), (T, B, D), (T, B, H), (4H, D), (4H, H)
    """
    frames, rows, hidden = y.shape
    inputs = x.to(y.dtype).flatten(0, 1)
    previous = torch.cat([y.new_zeros(1, rows, hidden), y[:-1]]).flatten(0, 1)
    bias = (biases[0] + biases[1]).to(y.dtype)
    preactivations = torch.addmm(bias, inputs, w_ih.to(y.dtype).t()).addmm_(previous, w_hh.to(y.dtype).t())
    i, f, g, o = preactivations.to(w_hh.dtype).view(frames, rows, 4, hidden).unbind(2)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cells = i * g
    cell, forget = cells.unbind(0), f.unbind(0)
    for t in range(1, frames):
        cell[t].addcmul_(forget[t], cell[t - 1])
    tanh_cells = cells.tanh()

    # The factors of dc (dy for the output gate) in the gradients of the four preactivations.
    slopes = torch.empty(frames, rows, 4, hidden, dtype=w_hh.dtype)
    torch.mul(i * g, 1 - i, out=slopes[:, :, 0])
    torch.mul(f, 1 - f, out=slopes[:, :, 1])
    slopes[0, :, 1] = 0
    slopes[1:, :, 1] *= cells[:-1]
    torch.mul(i, 1 - g * g, out=slopes[:, :, 2])
    torch.mul(tanh_cells * o, 1 - o, out=slopes[:, :, 3])

    gates = slopes.flatten(2).unbind(0)
    cell_gates, output_gate = slopes[:, :, :3].unbind(0), slopes[:, :, 3].unbind(0)
    output_slope = (o * (1 - tanh_cells * tanh_cells)).unbind(0)
    upstream = dy.to(w_hh.dtype).unbind(0)
    dh, dc, carry = upstream[-1], torch.empty_like(output_slope[0]), torch.zeros_like(output_slope[0])
    for t in range(frames - 1, -1, -1):
        torch.addcmul(carry, dh, output_slope[t], out=dc)
        cell_gates[t].mul_(dc[:, None])
        output_gate[t].mul_(dh)
        if t:
            torch.mul(dc, forget[t], out=carry)
            dh = torch.addmm(upstream[t - 1], gates[t], w_hh)

    gradient = slopes.view(frames * rows, 4 * hidden)
    bias_gradient = gradient.sum(0)
    gradient = gradient.to(y.dtype)
    x_gradient = (gradient @ w_ih.to(y.dtype)).view_as(x).to(x.dtype)
    weight_gradients = (gradient.t() @ inputs).to(w_ih.dtype), (gradient.t() @ previous).to(w_hh.dtype)
    return x_gradient, *weight_gradients, bias_gradient, bias_gradient
