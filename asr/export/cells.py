"""Recurrent layers as ONNX nodes: their weights, attributes and inputs (see `asr.models.onnx_cells`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from asr.cells import GATES, PEEPHOLES
from asr.models.onnx_cells import ONNX_GATES, ONNX_PEEPHOLES, OPERATORS, in_order
from asr.network.recurrent import kind_of, weights


def onnx_weights(layer: nn.Module) -> dict[str, np.ndarray]:
    """Convert the weights of one direction to W, R, B and, for peepholes, P.

    Shape: W (G * H, D), R (G * H, H), B (2 * G * H,), P (3 * H,)
    """
    kind = kind_of(layer)
    w_x, w_h, b_x, b_h, p = (tensor.detach().numpy() for tensor in weights(layer))
    order = ONNX_GATES[OPERATORS[kind]]
    w, r, b_w, b_r = (in_order(array, GATES[kind], order) for array in (w_x, w_h, b_x, b_h))
    named = {"W": w, "R": r, "B": np.concatenate([b_w, b_r])}
    return named | ({"P": in_order(p.reshape(-1), PEEPHOLES[kind], ONNX_PEEPHOLES)} if kind in PEEPHOLES else {})


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
