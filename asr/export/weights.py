"""The weights of an exported file back as a network's, so that a shipped model can be trained on.

The stages are told by the kinds of their nodes, in the order in which `asr export` writes them: the convolution that
computes the spectrum, the frontend's, one LSTM and one norm a recurrent layer, the head last. Weights in int8 come
back as the numbers that they stand for.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from asr.errors import ModelError

Weights = dict[str, Tensor]
LSTM_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
ENDS = 2
"""Columns, or cells, that an LSTM in int8 has more, for the ends of a range (asr.export.quantise)."""


def read(path: Path) -> tuple[dict[str, str], Weights]:
    """The metadata, and the weights by the names that they have in an `AcousticModel`; constants are left out.

    Raises:
        ModelError: the file cannot be read, or is not one that `asr export` writes.
    """
    try:
        model = onnx.load(path)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"Model '{path}' cannot be read ({' '.join(str(error).split())[:120]}).") from None
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's, which onnx does not export
            raise
        raise ModelError(f"Model '{path}' is not a whole .onnx file: restore it.") from None
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    nodes: dict[str, list[list[np.ndarray]]] = {}
    for node in model.graph.node:
        nodes.setdefault(node.op_type, []).append([values[name] for name in node.input if name in values])
    try:
        metadata = {entry.key: entry.value for entry in model.metadata_props if entry.key != "precision"}
        return metadata, _named(nodes)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be trained on, for its weights are not as `asr export` writes them: "
            "start from the run folder or checkpoint that it was made from."
        ) from error


def _named(nodes: dict[str, list[list[np.ndarray]]]) -> Weights:
    """The weights from the constants of each kind of node."""
    weights: Weights = {}

    def put(name: str, array: np.ndarray) -> None:
        weights[name] = torch.from_numpy(np.array(array, dtype=np.float32))

    (_, *convs), norms = nodes["Conv"], iter(nodes["LayerNormalization"])
    lstms = nodes.get("LSTM") or [_in_floats(*constants) for constants in nodes["DynamicQuantizeLSTM"]]
    mean, inverse_std = ([c for constants in nodes[kind] for c in constants if c.size > 1] for kind in ("Sub", "Mul"))
    put("features.mean", mean[0])
    put("features.std", 1 / inverse_std[0])
    for index, (kernel, bias) in enumerate(convs):
        scale, shift = next(norms)
        put(f"frontend.layers.{index}.conv.weight", kernel)
        put(f"frontend.layers.{index}.conv.bias", bias)
        put(f"frontend.layers.{index}.norm.weight", scale.reshape(len(bias), -1))
        put(f"frontend.layers.{index}.norm.bias", shift.reshape(len(bias), -1))
    for index, both in enumerate(lstms):
        scale, shift = next(norms)
        put(f"context.norms.{index}.weight", scale)
        put(f"context.norms.{index}.bias", shift)
        for direction, (w, r, b) in zip(("ahead", "back"), zip(*both, strict=True), strict=True):
            prefix = f"context.layers.{index}.{direction}"
            for name, array in zip(LSTM_WEIGHTS, (w, r, *np.split(b, 2)), strict=True):
                put(f"{prefix}.{name}_l0", _torch_gates(array))
    put("head.weight", nodes["MatMul"][-1][0].T)
    put("head.bias", nodes["Add"][-1][0])
    return weights


def _in_floats(
    w: np.ndarray,
    r: np.ndarray,
    b: np.ndarray,
    w_scales: np.ndarray,
    _w_zeros: np.ndarray,
    r_scales: np.ndarray,
    _r_zeros: np.ndarray,
) -> list[np.ndarray]:
    """The weights of an LSTM in int8, without the columns and cells for the ends.

    Shape: (2, K + 2, 4 (H + 2)), (2, H + 2, 4 (H + 2)), (2, 8 (H + 2)), ... -> (2, 4H, K), (2, 4H, H), (2, 8H)
    """
    hidden = b.shape[1] // 8 - ENDS

    def floats(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
        wide = (numbers * scales[:, None]).transpose(0, 2, 1).reshape(2, 4, hidden + ENDS, -1)
        return wide[:, :, :hidden, :-ENDS].reshape(2, 4 * hidden, -1)

    return [floats(w, w_scales), floats(r, r_scales), b.reshape(2, 8, -1)[:, :, :hidden].reshape(2, -1)]


def _torch_gates(array: np.ndarray) -> np.ndarray:
    """The gates from ONNX's order (i o f c) to torch's (i f g o). Shape: (4H, ...) -> (4H, ...)"""
    i, o, f, g = np.split(array, 4)
    return np.concatenate([i, f, g, o])
