"""Convert the weights of an exported file back to those of a network, so that a shipped model can be fine-tuned.

The stages are identified by the types of their nodes, in the order in which `asr export` writes them: the convolution
that computes the spectrum, those of the frontend, one LSTM and one norm per recurrent layer, and the head last. int8
weights are dequantised.
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
RANGE_ENDS = 2
"""Number of additional input columns, and of additional cells, of an int8 LSTM (see asr.export.quantise)."""


def read(path: Path) -> tuple[dict[str, str], Weights]:
    """Read the metadata, and the weights under their names in an `AcousticModel`, without constants.

    Raises:
        ModelError: the file cannot be read, or was not written by `asr export`.
    """
    try:
        model = onnx.load(path)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"Model '{path}' cannot be read ({' '.join(str(error).split())[:120]}).") from None
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # of protobuf, not exported by onnx
            raise
        raise ModelError(f"Model '{path}' is not a valid .onnx file: restore it.") from None
    values = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    nodes: dict[str, list[list[np.ndarray]]] = {}
    for node in model.graph.node:
        nodes.setdefault(node.op_type, []).append([values[name] for name in node.input if name in values])
    try:
        metadata = {entry.key: entry.value for entry in model.metadata_props if entry.key != "precision"}
        return metadata, _named(nodes)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be fine-tuned because its weights are not in the form that `asr export` writes: "
            "start from the run folder or checkpoint that it was exported from."
        ) from error


def _named(nodes: dict[str, list[list[np.ndarray]]]) -> Weights:
    """Name the weights among the constants of each type of node."""
    weights: Weights = {}

    def put(name: str, array: np.ndarray) -> None:
        weights[name] = torch.from_numpy(np.array(array, dtype=np.float32))

    (_, *convs), norms = nodes["Conv"], iter(nodes["LayerNormalization"])
    lstms = nodes.get("LSTM") or [_dequantised(*constants) for constants in nodes["DynamicQuantizeLSTM"]]
    mean, inverse_std = ([c for constants in nodes[kind] for c in constants if c.size > 1] for kind in ("Sub", "Mul"))
    put("features.mean", mean[0])
    put("features.std", 1 / inverse_std[0])
    for index, (kernel, bias) in enumerate(convs):
        scale, shift = next(norms)
        put(f"frontend.layers.{index}.conv.weight", kernel)
        put(f"frontend.layers.{index}.conv.bias", bias)
        put(f"frontend.layers.{index}.norm.weight", scale.reshape(len(bias), -1))
        put(f"frontend.layers.{index}.norm.bias", shift.reshape(len(bias), -1))
    for index, bidirectional in enumerate(lstms):
        scale, shift = next(norms)
        put(f"context.norms.{index}.weight", scale)
        put(f"context.norms.{index}.bias", shift)
        for direction, (w, r, b) in zip(("ahead", "back"), zip(*bidirectional, strict=True), strict=True):
            prefix = f"context.layers.{index}.{direction}"
            for name, array in zip(LSTM_WEIGHTS, (w, r, *np.split(b, 2)), strict=True):
                put(f"{prefix}.{name}_l0", _torch_gates(array))
    put("head.weight", nodes["MatMul"][-1][0].T)
    put("head.bias", nodes["Add"][-1][0])
    return weights


def _dequantised(
    w: np.ndarray,
    r: np.ndarray,
    b: np.ndarray,
    w_scales: np.ndarray,
    _w_zeros: np.ndarray,
    r_scales: np.ndarray,
    _r_zeros: np.ndarray,
) -> list[np.ndarray]:
    """Dequantise the weights of an int8 LSTM and remove its additional columns and cells.

    Shape: (2, K + 2, 4 (H + 2)), (2, H + 2, 4 (H + 2)), (2, 8 (H + 2)), ... -> (2, 4H, K), (2, 4H, H), (2, 8H)
    """
    hidden = b.shape[1] // 8 - RANGE_ENDS

    def dequantise(quantised: np.ndarray, scales: np.ndarray) -> np.ndarray:
        padded = (quantised * scales[:, None]).transpose(0, 2, 1).reshape(2, 4, hidden + RANGE_ENDS, -1)
        return padded[:, :, :hidden, :-RANGE_ENDS].reshape(2, 4 * hidden, -1)

    return [dequantise(w, w_scales), dequantise(r, r_scales), b.reshape(2, 8, -1)[:, :, :hidden].reshape(2, -1)]


def _torch_gates(array: np.ndarray) -> np.ndarray:
    """Reorder the gates from ONNX's order (i o f c) to torch's (i f g o). Shape: (4H, ...) -> (4H, ...)"""
    i, o, f, g = np.split(array, 4)
    return np.concatenate([i, f, g, o])
