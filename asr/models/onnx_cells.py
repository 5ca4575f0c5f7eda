"""How ONNX writes the recurrent cells: its operators, the order of their gates, and the way back to `asr.cells`.

ONNX has every cell: its `LSTM` takes peepholes (input P) and couples gates (`input_forget`: the forget gate is one
minus the input gate), and its `GRU` with `linear_before_reset` is torch's. The rows of a forget gate have to be there
also where gates are coupled, and are zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from asr.cells import GATES, PEEPHOLES, CellKind

OPERATORS: dict[CellKind, str] = {kind: "GRU" if kind == "gru" else "LSTM" for kind in GATES}
"""The node that runs each cell."""

ONNX_GATES = {"LSTM": ("input", "output", "forget", "candidate"), "GRU": ("update", "reset", "candidate")}
"""The gates of each operator, in its order."""

ONNX_PEEPHOLES = ("input", "output", "forget")
"""The gates that look at the cell state, in the order of input P."""


def cell_weights(kind: CellKind, constants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Convert W, R, B and P of one direction to the weights of a layer, by torch's names.

    Shape:
        W (G' * H, D), R (G' * H, H), B (2 * G' * H,), P (3 * H,), with ONNX's gates ->
        `weight_ih_l0` (G * H, D), `weight_hh_l0` (G * H, H), `bias_ih_l0` and `bias_hh_l0` (G * H,), and for
        peepholes `peepholes` (P, H), in the order of `asr.cells`
    """
    order = ONNX_GATES[OPERATORS[kind]]
    b_w, b_r = np.split(constants["B"], 2)
    named = {"weight_ih_l0": constants["W"], "weight_hh_l0": constants["R"], "bias_ih_l0": b_w, "bias_hh_l0": b_r}
    named = {name: in_order(array, order, GATES[kind]) for name, array in named.items()}
    if kind in PEEPHOLES:
        hidden = constants["R"].shape[1]
        named["peepholes"] = in_order(constants["P"], ONNX_PEEPHOLES, PEEPHOLES[kind]).reshape(-1, hidden)
    return named


def kind_of_node(operator: str, is_coupled: bool, has_peepholes: bool) -> CellKind:
    """The cell that a node runs."""
    if operator == "GRU":
        return "gru"
    if has_peepholes:
        return "peephole_coupled" if is_coupled else "peephole"
    return "coupled" if is_coupled else "lstm"


def in_order(array: np.ndarray, order: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Reorder the gates along the first axis; a gate that is not there becomes zero, one not wanted is left away."""
    parts = dict(zip(order, np.split(array, len(order)), strict=True))
    nothing = np.zeros_like(array[: len(array) // len(order)])
    return np.concatenate([parts.get(gate, nothing) for gate in wanted])
