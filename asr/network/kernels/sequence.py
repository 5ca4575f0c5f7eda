"""A recurrent layer over all frames on a CPU: products over all frames where possible, and a kernel for each step.

The inputs of all frames are multiplied at once, and so are the gradients of the weights; each step is one product with
the recurrent weights and one kernel. oneDNN, which torch uses for an LSTM on CPUs, updates the gradients of the weights
at every frame instead, and so moves megabytes per frame.
"""
# ruff: noqa: PLR0917 - what autograd saves comes back as positions

from typing import Any, cast

import torch
from torch import Tensor

from asr.cells import GATES, PEEPHOLES, CellKind
from asr.network.kernels import products
from asr.network.kernels.pointwise import KERNELS

Weights = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Of the inputs (G * H, D), of the recurrence (G * H, H), their biases (G * H,), and of the peepholes (P, H)."""


def run(kind: CellKind, x: Tensor, weights: Weights, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Run a layer from the state h, c, to which no gradient flows, and return all outputs and the last cell state.

    Products are computed in the precision of autocast, if that is on, else in that of x.

    Shape: x (T, B, D); h, c (B, H) -> (T, B, H), (B, H)
    """
    return cast("tuple[Tensor, Tensor]", _Sequence.apply(kind, x, h, c, *weights))


class _Sequence(torch.autograd.Function):
    """The whole layer as one function with its own gradient."""

    @staticmethod
    def forward(ctx: Any, kind: CellKind, x: Tensor, h0: Tensor, c0: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            y, c_last, saved = _forward(kind, low, x, h0, c0, *weights)
        ctx.kind, ctx.low = kind, low
        ctx.save_for_backward(x, *weights, *saved)
        ctx.mark_non_differentiable(c_last)
        return y, c_last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast("cpu", enabled=False):
            dx, *weight_gradients = _backward(ctx.kind, ctx.low, gradients[0], *ctx.saved_tensors)
        return None, dx, None, None, *weight_gradients


def _forward(
    kind: CellKind,
    low: torch.dtype,
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    w_x: Tensor,
    w_h: Tensor,
    b_x: Tensor,
    b_h: Tensor,
    p: Tensor,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Compute the outputs, the last cell state, and what the gradient needs. `low` is the precision of products."""
    exact = w_h.dtype
    frames, rows, hidden = *x.shape[:2], w_h.shape[1]
    a = torch.addmm(b_x.to(low), x.to(low).flatten(0, 1), w_x.to(low).t()).to(exact).view(frames, rows, -1)
    gates = x.new_empty(frames, rows, _saved_size(kind) * hidden, dtype=exact)
    h, c = (x.new_empty(frames + 1, rows, hidden, dtype=exact) for _ in "hc")
    h[0], c[0] = h0, c0
    multiply, r = products.by(w_h.to(low).t(), h)
    kernel = KERNELS[kind][0]
    arrays = [tensor.detach().numpy() for tensor in (a, r, b_h, gates, c, h, p)]
    for t in range(frames):
        multiply(t)
        kernel(t, *arrays)
    return h[1:].to(low), (h if kind == "gru" else c)[-1].clone(), (h, c, gates)


def _backward(
    kind: CellKind,
    low: torch.dtype,
    dy: Tensor,
    x: Tensor,
    w_x: Tensor,
    w_h: Tensor,
    b_x: Tensor,
    b_h: Tensor,
    p: Tensor,
    h: Tensor,
    c: Tensor,
    gates: Tensor,
) -> tuple[Tensor, ...]:
    """Compute the gradients of x and of all weights."""
    exact = w_h.dtype
    frames, rows, hidden = dy.shape
    dy = dy.to(exact).contiguous()
    da = gates.new_empty(frames, rows, len(GATES[kind]) * hidden)
    db = torch.empty_like(da) if kind == "gru" else da
    multiply, dr = products.by(w_h.to(low), db)
    carry = dy.new_zeros(rows, hidden)
    kernel = KERNELS[kind][1]
    arrays = [tensor.detach().numpy() for tensor in (dy, dr, carry, gates, c, h, p, da, db)]
    for t in range(frames - 1, -1, -1):
        kernel(t, *arrays)
        multiply(t)

    da, db = da.flatten(0, 1), db.flatten(0, 1)
    da_low, db_low = da.to(low), db.to(low)
    dx = (da_low @ w_x.to(low)).view(x.shape).to(x.dtype)
    dw_x = (da_low.t() @ x.to(low).flatten(0, 1)).to(exact)
    dw_h = (db_low.t() @ h[:-1].to(low).flatten(0, 1)).to(exact)
    return dx, dw_x, dw_h, da.sum(0), db.sum(0), _peephole_gradient(kind, da, c, p)


def _peephole_gradient(kind: CellKind, da: Tensor, c: Tensor, p: Tensor) -> Tensor:
    """Compute the gradient of the peepholes: the output gate sees the new cell state, the other gates the old one."""
    gradient = torch.zeros_like(p)
    for row, gate in enumerate(PEEPHOLES.get(kind, ())):
        seen = c[1:] if gate == "output" else c[:-1]
        part = da.unflatten(1, (len(GATES[kind]), -1))[:, GATES[kind].index(gate)]
        gradient[row] = (part * seen.flatten(0, 1)).sum(0)
    return gradient


def _saved_size(kind: CellKind) -> int:
    """How many values the forward pass keeps for each cell and frame: the gates, and a GRU's recurrent candidate."""
    return len(GATES[kind]) + (kind == "gru")
