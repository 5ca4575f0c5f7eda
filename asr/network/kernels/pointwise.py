"""One step of each cell without its matrix products, forward and backward: the equations of `asr.cells`, compiled.

A forward kernel reads the products a[t] and r (without its bias), and writes the gates, the cell state and the output
of frame t. A backward kernel reads the gradient of the output, dy[t] from above plus dr from the next frame's gates,
and writes the gradients of the products. `carry` holds what flows from frame to frame without a product: the gradient
of the cell state, or of a GRU's output.

Each loop does one thing to one row, so that it touches few arrays and the compiler can vectorise it.

Shape:
    a, da, db (T, B, G * H); r (B, G * H); bias (G * H,); gates (T, B, S); c, h (T + 1, B, H), frame t at t + 1;
    dy (T, B, H); dr, carry (B, H); p (P, H)
"""
# ruff: noqa: PLR0917 - numba takes positional arguments
# Variables with one letter are those of the equations; i, f, g, o, z, n are rows of the gates.

from collections.abc import Callable
from typing import Any

import numpy as np

from asr.cells import CellKind
from asr.compiled import vectorised
from asr.network.kernels.activations import ONE, sigmoid, tanh

Array = np.ndarray[Any, Any]


@vectorised
def _add(total: Array, a: Array, b: Array) -> None:
    for j in range(len(total)):
        total[j] = a[j] + b[j]


@vectorised
def _add_products(total: Array, a: Array, r: Array, bias: Array) -> None:
    for j in range(len(total)):
        total[j] = a[j] + (r[j] + bias[j])


@vectorised
def _copy(out: Array, a: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j]


@vectorised
def _add_peephole(gate: Array, p: Array, c: Array) -> None:
    for j in range(len(gate)):
        gate[j] += p[j] * c[j]


@vectorised
def _sigmoid(gate: Array) -> None:
    for j in range(len(gate)):
        gate[j] = sigmoid(gate[j])


@vectorised
def _tanh(gate: Array) -> None:
    for j in range(len(gate)):
        gate[j] = tanh(gate[j])


@vectorised
def _output(h: Array, o: Array, c: Array) -> None:
    for j in range(len(h)):
        h[j] = o[j] * tanh(c[j])


@vectorised
def _cell(c: Array, before: Array, i: Array, f: Array, g: Array) -> None:
    for j in range(len(c)):
        c[j] = f[j] * before[j] + i[j] * g[j]


@vectorised
def _coupled_cell(c: Array, before: Array, i: Array, g: Array) -> None:
    for j in range(len(c)):
        c[j] = before[j] + i[j] * (g[j] - before[j])


@vectorised
def lstm(t: int, a: Array, r: Array, bias: Array, gates: Array, c: Array, h: Array, p: Array) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row = gates[t, b]
        _add_products(row, a[t, b], r[b], bias)
        _sigmoid(row[: 2 * size])
        _tanh(row[2 * size : 3 * size])
        _sigmoid(row[3 * size :])
        _cell(c[t + 1, b], c[t, b], row[:size], row[size : 2 * size], row[2 * size : 3 * size])
        _output(h[t + 1, b], row[3 * size :], c[t + 1, b])


@vectorised
def peephole(t: int, a: Array, r: Array, bias: Array, gates: Array, c: Array, h: Array, p: Array) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row = gates[t, b]
        _add_products(row, a[t, b], r[b], bias)
        _add_peephole(row[:size], p[0], c[t, b])
        _add_peephole(row[size : 2 * size], p[1], c[t, b])
        _sigmoid(row[: 2 * size])
        _tanh(row[2 * size : 3 * size])
        _cell(c[t + 1, b], c[t, b], row[:size], row[size : 2 * size], row[2 * size : 3 * size])
        _add_peephole(row[3 * size :], p[2], c[t + 1, b])
        _sigmoid(row[3 * size :])
        _output(h[t + 1, b], row[3 * size :], c[t + 1, b])


@vectorised
def coupled(t: int, a: Array, r: Array, bias: Array, gates: Array, c: Array, h: Array, p: Array) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row = gates[t, b]
        _add_products(row, a[t, b], r[b], bias)
        _sigmoid(row[:size])
        _tanh(row[size : 2 * size])
        _sigmoid(row[2 * size :])
        _coupled_cell(c[t + 1, b], c[t, b], row[:size], row[size : 2 * size])
        _output(h[t + 1, b], row[2 * size :], c[t + 1, b])


@vectorised
def peephole_coupled(t: int, a: Array, r: Array, bias: Array, gates: Array, c: Array, h: Array, p: Array) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row = gates[t, b]
        _add_products(row, a[t, b], r[b], bias)
        _add_peephole(row[:size], p[0], c[t, b])
        _sigmoid(row[:size])
        _tanh(row[size : 2 * size])
        _coupled_cell(c[t + 1, b], c[t, b], row[:size], row[size : 2 * size])
        _add_peephole(row[2 * size :], p[1], c[t + 1, b])
        _sigmoid(row[2 * size :])
        _output(h[t + 1, b], row[2 * size :], c[t + 1, b])


@vectorised
def _gru_candidate(n: Array, a: Array, reset: Array, recurrent: Array) -> None:
    for j in range(len(n)):
        n[j] = tanh(a[j] + reset[j] * recurrent[j])


@vectorised
def _gru_output(h: Array, before: Array, z: Array, n: Array) -> None:
    for j in range(len(h)):
        h[j] = n[j] + z[j] * (before[j] - n[j])


@vectorised
def gru(t: int, a: Array, r: Array, bias: Array, gates: Array, c: Array, h: Array, p: Array) -> None:
    """The rows of `gates` end in the recurrent product of the candidate, which the gradient needs."""
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, a_row = gates[t, b], a[t, b]
        _add_products(row[: 2 * size], a_row[: 2 * size], r[b, : 2 * size], bias[: 2 * size])
        _sigmoid(row[: 2 * size])
        _add(row[3 * size :], r[b, 2 * size :], bias[2 * size :])
        _gru_candidate(row[2 * size : 3 * size], a_row[2 * size :], row[:size], row[3 * size :])
        _gru_output(h[t + 1, b], h[t, b], row[size : 2 * size], row[2 * size : 3 * size])


@vectorised
def _output_gradient(do: Array, dh: Array, o: Array, c: Array) -> None:
    for j in range(len(do)):
        do[j] = dh[j] * tanh(c[j]) * o[j] * (ONE - o[j])


@vectorised
def _cell_gradient(dc: Array, dh: Array, o: Array, c: Array) -> None:
    for j in range(len(dc)):
        shown = tanh(c[j])
        dc[j] += dh[j] * o[j] * (ONE - shown * shown)


@vectorised
def _forget_gradient(df: Array, dc: Array, f: Array, before: Array) -> None:
    for j in range(len(df)):
        df[j] = dc[j] * before[j] * f[j] * (ONE - f[j])


@vectorised
def _input_gradient(di: Array, dc: Array, i: Array, g: Array) -> None:
    for j in range(len(di)):
        di[j] = dc[j] * g[j] * i[j] * (ONE - i[j])


@vectorised
def _coupled_input_gradient(di: Array, dc: Array, i: Array, g: Array, before: Array) -> None:
    for j in range(len(di)):
        di[j] = dc[j] * (g[j] - before[j]) * i[j] * (ONE - i[j])


@vectorised
def _candidate_gradient(dg: Array, dc: Array, i: Array, g: Array) -> None:
    for j in range(len(dg)):
        dg[j] = dc[j] * i[j] * (ONE - g[j] * g[j])


@vectorised
def _scale(carry: Array, factor: Array) -> None:
    for j in range(len(carry)):
        carry[j] *= factor[j]


@vectorised
def _scale_by_rest(carry: Array, factor: Array) -> None:
    for j in range(len(carry)):
        carry[j] *= ONE - factor[j]


@vectorised
def lstm_backward(
    t: int, dy: Array, dr: Array, carry: Array, gates: Array, c: Array, h: Array, p: Array, da: Array, db: Array
) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, d, dc, dh = gates[t, b], da[t, b], carry[b], dr[b]
        i, f, g, o = row[:size], row[size : 2 * size], row[2 * size : 3 * size], row[3 * size :]
        _add(dh, dh, dy[t, b])
        _output_gradient(d[3 * size :], dh, o, c[t + 1, b])
        _cell_gradient(dc, dh, o, c[t + 1, b])
        _input_gradient(d[:size], dc, i, g)
        _forget_gradient(d[size : 2 * size], dc, f, c[t, b])
        _candidate_gradient(d[2 * size : 3 * size], dc, i, g)
        _scale(dc, f)


@vectorised
def peephole_backward(
    t: int, dy: Array, dr: Array, carry: Array, gates: Array, c: Array, h: Array, p: Array, da: Array, db: Array
) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, d, dc, dh = gates[t, b], da[t, b], carry[b], dr[b]
        i, f, g, o = row[:size], row[size : 2 * size], row[2 * size : 3 * size], row[3 * size :]
        _add(dh, dh, dy[t, b])
        _output_gradient(d[3 * size :], dh, o, c[t + 1, b])
        _cell_gradient(dc, dh, o, c[t + 1, b])
        _add_peephole(dc, p[2], d[3 * size :])
        _input_gradient(d[:size], dc, i, g)
        _forget_gradient(d[size : 2 * size], dc, f, c[t, b])
        _candidate_gradient(d[2 * size : 3 * size], dc, i, g)
        _scale(dc, f)
        _add_peephole(dc, p[0], d[:size])
        _add_peephole(dc, p[1], d[size : 2 * size])


@vectorised
def coupled_backward(
    t: int, dy: Array, dr: Array, carry: Array, gates: Array, c: Array, h: Array, p: Array, da: Array, db: Array
) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, d, dc, dh = gates[t, b], da[t, b], carry[b], dr[b]
        i, g, o = row[:size], row[size : 2 * size], row[2 * size :]
        _add(dh, dh, dy[t, b])
        _output_gradient(d[2 * size :], dh, o, c[t + 1, b])
        _cell_gradient(dc, dh, o, c[t + 1, b])
        _coupled_input_gradient(d[:size], dc, i, g, c[t, b])
        _candidate_gradient(d[size : 2 * size], dc, i, g)
        _scale_by_rest(dc, i)


@vectorised
def peephole_coupled_backward(
    t: int, dy: Array, dr: Array, carry: Array, gates: Array, c: Array, h: Array, p: Array, da: Array, db: Array
) -> None:
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, d, dc, dh = gates[t, b], da[t, b], carry[b], dr[b]
        i, g, o = row[:size], row[size : 2 * size], row[2 * size :]
        _add(dh, dh, dy[t, b])
        _output_gradient(d[2 * size :], dh, o, c[t + 1, b])
        _cell_gradient(dc, dh, o, c[t + 1, b])
        _add_peephole(dc, p[1], d[2 * size :])
        _coupled_input_gradient(d[:size], dc, i, g, c[t, b])
        _candidate_gradient(d[size : 2 * size], dc, i, g)
        _scale_by_rest(dc, i)
        _add_peephole(dc, p[0], d[:size])


@vectorised
def _update_gradient(dz: Array, dh: Array, z: Array, n: Array, before: Array) -> None:
    for j in range(len(dz)):
        dz[j] = dh[j] * (before[j] - n[j]) * z[j] * (ONE - z[j])


@vectorised
def _new_candidate_gradient(dn: Array, dh: Array, z: Array, n: Array) -> None:
    for j in range(len(dn)):
        dn[j] = dh[j] * (ONE - z[j]) * (ONE - n[j] * n[j])


@vectorised
def _reset_gradient(dreset: Array, dn: Array, reset: Array, recurrent: Array) -> None:
    for j in range(len(dreset)):
        dreset[j] = dn[j] * recurrent[j] * reset[j] * (ONE - reset[j])


@vectorised
def _product(out: Array, a: Array, b: Array) -> None:
    for j in range(len(out)):
        out[j] = a[j] * b[j]


@vectorised
def gru_backward(
    t: int, dy: Array, dr: Array, carry: Array, gates: Array, c: Array, h: Array, p: Array, da: Array, db: Array
) -> None:
    """da and db differ in the candidate, whose recurrent product is scaled by the reset gate."""
    size = h.shape[2]
    for b in range(h.shape[1]):
        row, d, dh = gates[t, b], da[t, b], carry[b]
        reset, z, n = row[:size], row[size : 2 * size], row[2 * size : 3 * size]
        _add(dh, dh, dr[b])
        _add(dh, dh, dy[t, b])
        _update_gradient(d[size : 2 * size], dh, z, n, h[t, b])
        _new_candidate_gradient(d[2 * size :], dh, z, n)
        _reset_gradient(d[:size], d[2 * size :], reset, row[3 * size :])
        _copy(db[t, b, : 2 * size], d[: 2 * size])
        _product(db[t, b, 2 * size :], d[2 * size :], reset)
        _scale(dh, z)


Kernel = Callable[..., None]

KERNELS: dict[CellKind, tuple[Kernel, Kernel]] = {
    "lstm": (lstm, lstm_backward),
    "peephole": (peephole, peephole_backward),
    "coupled": (coupled, coupled_backward),
    "peephole_coupled": (peephole_coupled, peephole_coupled_backward),
    "gru": (gru, gru_backward),
}
"""Forward and backward kernel of each cell."""
