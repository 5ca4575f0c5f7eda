"""Recurrent layers as ONNX nodes and back: operators, the order of their gates, and their weights.

ONNX has every cell: its `LSTM` takes peepholes (input P) and couples gates (`input_forget`: the forget gate is one
minus the input gate), and its `GRU` with `linear_before_reset` is torch's. The rows of a forget gate have to be there
also where gates are coupled, and are zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asr.cells import GATES, PEEPHOLES, CellKind
from asr.network.recurrent import kind_of, weights

OPERATORS: dict[CellKind, str] = {kind: "GRU" if kind == "gru" else "LSTM" for kind in GATES}
"""The node that runs each cell."""

ONNX_GATES = {"LSTM": ("input", "output", "forget", "candidate"), "GRU": ("update", "reset", "candidate")}
"""The gates of each operator, in its order."""

ONNX_PEEPHOLES = ("input", "output", "forget")
"""The gates that look at the cell state, in the order of input P."""


def onnx_weights(layer: nn.Module) -> dict[str, np.ndarray]:
    """Convert the weights of one direction to W, R, B and, for peepholes, P.

    Shape: W (G * H, D), R (G * H, H), B (2 * G * H,), P (3 * H,)
    """
    kind = kind_of(layer)
    w_x, w_h, b_x, b_h, p = (tensor.detach().numpy() for tensor in weights(layer))
    order = ONNX_GATES[OPERATORS[kind]]
    w, r, b_w, b_r = (_in_order(array, GATES[kind], order) for array in (w_x, w_h, b_x, b_h))
    named = {"W": w, "R": r, "B": np.concatenate([b_w, b_r])}
    return named | ({"P": _in_order(p.reshape(-1), PEEPHOLES[kind], ONNX_PEEPHOLES)} if kind in PEEPHOLES else {})


def torch_weights(kind: CellKind, constants: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Convert W, R, B and P of one direction back to the weights of a layer, by their names there."""
    order = ONNX_GATES[OPERATORS[kind]]
    b_w, b_r = np.split(constants["B"], 2)
    named = {"weight_ih_l0": constants["W"], "weight_hh_l0": constants["R"], "bias_ih_l0": b_w, "bias_hh_l0": b_r}
    named = {name: _in_order(array, order, GATES[kind]) for name, array in named.items()}
    if kind in PEEPHOLES:
        hidden = constants["R"].shape[1]
        named["peepholes"] = _in_order(constants["P"], ONNX_PEEPHOLES, PEEPHOLES[kind]).reshape(-1, hidden)
    return {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in named.items()}


def kind_of_node(operator: str, is_coupled: bool, has_peepholes: bool) -> CellKind:
    """The cell that a node runs."""
    if operator == "GRU":
        return "gru"
    if has_peepholes:
        return "peephole_coupled" if is_coupled else "peephole"
    return "coupled" if is_coupled else "lstm"


def attributes(layer: nn.Module) -> dict[str, Any]:
    """The attributes of a layer's node, without its direction."""
    kind = kind_of(layer)
    extra = {"linear_before_reset": 1} if kind == "gru" else {"input_forget": 1} if "coupled" in kind else {}
    return {"hidden_size": layer.hidden_size, **extra}


def node_inputs(x: str, names: Mapping[str, str], lengths: str, state: Sequence[str] = ()) -> list[str]:
    """The inputs of a node, from the names of W, R, B and P; \"\" omits an optional one."""
    inputs = [x, names["W"], names["R"], names["B"], lengths, *(state or ("", ""))]
    inputs = [*inputs, names["P"]] if "P" in names else inputs
    while not inputs[-1]:
        inputs.pop()
    return inputs


def _in_order(array: np.ndarray, order: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Reorder the gates along the first axis; a gate that is not there becomes zero, one not wanted is left away."""
    parts = dict(zip(order, np.split(array, len(order)), strict=True))
    nothing = np.zeros_like(array[: len(array) // len(order)])
    return np.concatenate([parts.get(gate, nothing) for gate in wanted])
