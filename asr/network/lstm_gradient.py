"""An LSTM layer whose gradient takes a CPU with AVX-512 two thirds of the time that torch's own takes.

With AVX2 alone it takes longer than torch's, so the trainer times both and says which to use.

oneDNN, which torch calls there, adds to the gradients of the weights at every frame, and so moves megabytes for each.
Here only what has to wait for the next frame, the gradients of the gates, is computed frame by frame; the weights'
gradients are one matrix product over all frames. The gates themselves are not kept from the forward pass but computed
anew, all frames at once, for by then the outputs that they depend on are known.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn


def lstm(layer: nn.LSTM, x: Tensor, *, own_gradient: bool = True) -> Tensor:
    """The outputs of a layer that starts at zero. Shape: (T, B, D) -> (T, B, H)"""
    if own_gradient and x.device.type == "cpu" and torch.is_grad_enabled():
        weights = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
        return cast("Tensor", _CpuLSTM.apply(layer, x, *weights))
    return layer(x)[0]


class _CpuLSTM(torch.autograd.Function):
    """torch's own forward pass, in the precision of autocast, with the gradient of `_backward`."""

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
    """Gradients of x, the two weights and the two biases (Hochreiter and Schmidhuber 1997, Gers et al. 2000).

    With the gates i, f, g, o and c = f c' + i g, y = o tanh(c), where c' is the cell state of the frame before:
    dc = dy o (1 - tanh(c)^2) + f_next dc_next, and dy of a frame gains what flows back through the next frame's gates.

    Shape: (T, B, H), (T, B, D), (T, B, H), (4H, D), (4H, H)
    """
    frames, rows, hidden = y.shape
    inputs = x.to(y.dtype).flatten(0, 1)
    before = torch.cat([y.new_zeros(1, rows, hidden), y[:-1]]).flatten(0, 1)
    bias = (biases[0] + biases[1]).to(y.dtype)
    sums = torch.addmm(bias, inputs, w_ih.to(y.dtype).t()).addmm_(before, w_hh.to(y.dtype).t())
    i, f, g, o = sums.to(w_hh.dtype).view(frames, rows, 4, hidden).unbind(2)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    cells = i * g
    cell, forget = cells.unbind(0), f.unbind(0)
    for t in range(1, frames):
        cell[t].addcmul_(forget[t], cell[t - 1])
    squashed = cells.tanh()

    # What dc, and for the output gate dy, has to be multiplied by to give the gradients of the four sums.
    slopes = torch.empty(frames, rows, 4, hidden, dtype=w_hh.dtype)
    torch.mul(i * g, 1 - i, out=slopes[:, :, 0])
    torch.mul(f, 1 - f, out=slopes[:, :, 1])
    slopes[0, :, 1] = 0
    slopes[1:, :, 1] *= cells[:-1]
    torch.mul(i, 1 - g * g, out=slopes[:, :, 2])
    torch.mul(squashed * o, 1 - o, out=slopes[:, :, 3])

    gates = slopes.flatten(2).unbind(0)
    cell_gates, output_gate = slopes[:, :, :3].unbind(0), slopes[:, :, 3].unbind(0)
    through = (o * (1 - squashed * squashed)).unbind(0)
    upstream = dy.to(w_hh.dtype).unbind(0)
    dh, dc, later = upstream[-1], torch.empty_like(through[0]), torch.zeros_like(through[0])
    for t in range(frames - 1, -1, -1):
        torch.addcmul(later, dh, through[t], out=dc)
        cell_gates[t].mul_(dc[:, None])
        output_gate[t].mul_(dh)
        if t:
            torch.mul(dc, forget[t], out=later)
            dh = torch.addmm(upstream[t - 1], gates[t], w_hh)

    gradient = slopes.view(frames * rows, 4 * hidden)
    of_bias = gradient.sum(0)
    gradient = gradient.to(y.dtype)
    of_x = (gradient @ w_ih.to(y.dtype)).view_as(x).to(x.dtype)
    of_weights = (gradient.t() @ inputs).to(w_ih.dtype), (gradient.t() @ before).to(w_hh.dtype)
    return of_x, *of_weights, of_bias, of_bias
