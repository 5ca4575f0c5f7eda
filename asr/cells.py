"""The recurrent cells, each as one step with the equations of its paper, for arrays of NumPy and of torch alike.

A step reads two products, computed by its caller: a = W x + b of the frame and r = R h + b of the last output. Both
contain the gates one after the other, in the order of `GATES`. sigma is the logistic function, c the cell state, h the
output, a prime the previous step.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

CellKind = Literal["lstm", "peephole", "coupled", "peephole_coupled", "gru"]
"""The kinds of cell that a recipe can choose."""

Array = Any
"""An array of NumPy or of torch."""

GATES: dict[CellKind, tuple[str, ...]] = {
    "lstm": ("input", "forget", "candidate", "output"),
    "peephole": ("input", "forget", "candidate", "output"),
    "coupled": ("input", "candidate", "output"),
    "peephole_coupled": ("input", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
}
"""The gates of each cell, in the order of their weights. Where torch has the cell, the order is torch's."""

PEEPHOLES: dict[CellKind, tuple[str, ...]] = {
    "peephole": ("input", "forget", "output"),
    "peephole_coupled": ("input", "output"),
}
"""The gates that look at the cell state, in the order of their weights."""


def step(  # noqa: PLR0917 - the symbols of the equations
    kind: CellKind, a: Array, r: Array, h: Array, c: Array, p: Array | None = None
) -> tuple[Array, Array, dict[str, Array]]:
    """Run one step of a cell and return its output, its cell state and the values of its gates by name.

    A GRU has no cell state apart from its output, and returns the output as both.

    Shape:
        a, r (..., G * H); h, c (..., H); p (P, H), weights of the peepholes -> (..., H), (..., H), G times (..., H)
    """
    return STEPS[kind](a, r, h, c, p)


def lstm(a: Array, r: Array, h: Array, c: Array, p: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    The cell state is a conveyor belt: the forget gate says how much of it stays on, the input gate how much of the
    candidate is put onto it, the output gate how much of it is shown.
    """
    i, f, g, o = _split(a + r, 4)
    i, f, g, o = _sigmoid(i), _sigmoid(f), _tanh(g), _sigmoid(o)
    c = f * c + i * g
    return o * _tanh(c), c, {"input": i, "forget": f, "candidate": g, "output": o}


def peephole(a: Array, r: Array, h: Array, c: Array, p: Array) -> tuple[Array, Array, dict[str, Array]]:
    """LSTM whose gates also see the cell state (Gers and Schmidhuber 2000), the output gate already the new one."""
    i, f, g, o = _split(a + r, 4)
    i, f, g = _sigmoid(i + p[0] * c), _sigmoid(f + p[1] * c), _tanh(g)
    c = f * c + i * g
    o = _sigmoid(o + p[2] * c)
    return o * _tanh(c), c, {"input": i, "forget": f, "candidate": g, "output": o}


def coupled(a: Array, r: Array, h: Array, c: Array, p: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    """LSTM that forgets as much as it takes in, f = 1 - i (CIFG of Greff et al. 2015)."""
    i, g, o = _split(a + r, 3)
    i, g, o = _sigmoid(i), _tanh(g), _sigmoid(o)
    c = (1 - i) * c + i * g
    return o * _tanh(c), c, {"input": i, "candidate": g, "output": o}


def peephole_coupled(a: Array, r: Array, h: Array, c: Array, p: Array) -> tuple[Array, Array, dict[str, Array]]:
    """Both of these: the gates see the cell state, and the cell forgets as much as it takes in."""
    i, g, o = _split(a + r, 3)
    i, g = _sigmoid(i + p[0] * c), _tanh(g)
    c = (1 - i) * c + i * g
    o = _sigmoid(o + p[1] * c)
    return o * _tanh(c), c, {"input": i, "candidate": g, "output": o}


def gru(a: Array, r: Array, h: Array, c: Array, p: Array | None = None) -> tuple[Array, Array, dict[str, Array]]:
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the recurrent product, as in cuDNN.

    The update gate says how much of the previous output is kept, the reset gate how much of it the candidate sees.
    """
    (a_reset, a_update, a_candidate), (r_reset, r_update, r_candidate) = _split(a, 3), _split(r, 3)
    reset, update = _sigmoid(a_reset + r_reset), _sigmoid(a_update + r_update)
    candidate = _tanh(a_candidate + reset * r_candidate)
    h = update * h + (1 - update) * candidate
    return h, h, {"reset": reset, "update": update, "candidate": candidate}


STEPS: dict[CellKind, Callable[..., tuple[Array, Array, dict[str, Array]]]] = {
    "lstm": lstm,
    "peephole": peephole,
    "coupled": coupled,
    "peephole_coupled": peephole_coupled,
    "gru": gru,
}


def initial_bias(kind: CellKind, hidden: int) -> np.ndarray:
    """Compute the initial bias of the gates, with which a cell keeps what it has until it learns what to forget.

    The forget gate of an LSTM begins with 1 (Gers et al. 2000; Jozefowicz et al. 2015). The input gate of a coupled
    cell, whose forget gate is 1 - i, begins with -1, which is the same, and the update gate of a GRU with 1 (in the
    equations above; Jozefowicz et al. write it the other way round). All others begin with 0, and so do peepholes.

    Shape: -> (G * H,)
    """
    keeping = {"forget": 1.0, "update": 1.0} | ({"input": -1.0} if "coupled" in kind else {})
    return np.repeat([keeping.get(gate, 0.0) for gate in GATES[kind]], hidden)


def _split(x: Array, parts: int) -> list[Array]:
    size = x.shape[-1] // parts
    return [x[..., size * part : size * (part + 1)] for part in range(parts)]


def _tanh(x: Array) -> Array:
    return np.tanh(x) if isinstance(x, np.ndarray) else x.tanh()


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x)) if isinstance(x, np.ndarray) else x.sigmoid()
