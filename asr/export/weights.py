"""Convert the weights of an exported file back to those of a network, so that a shipped model can be fine-tuned.

The constants of a graph are named after the weights that they come from. Files of format version 1 have no such names:
their stages are identified by the types of their nodes, in the order in which they were written. int8 weights are
dequantised.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from asr.errors import ModelError

Weights = dict[str, Tensor]
LSTM_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
LSTM_CONSTANTS = ("W", "R", "B", "W.scales", "W.zeros", "R.scales", "R.zeros")
"""Constants of a bidirectional layer, in the order of its node's inputs; the last four exist in int8 only."""
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
    constants = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    metadata = {entry.key: entry.value for entry in model.metadata_props if entry.key != "precision"}
    try:
        if metadata.get("format_version") == "1":
            constants = _names_of_version_1(model, constants)
        return metadata, _network_weights(constants)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be fine-tuned because its weights are not in the form that `asr export` writes: "
            "start from the run folder or checkpoint that it was exported from."
        ) from error


def _network_weights(constants: Mapping[str, np.ndarray]) -> Weights:
    """Weights by their names in an `AcousticModel`, from constants by their names in a graph."""
    weights: Weights = {}

    def put(name: str, array: np.ndarray) -> None:
        weights[name] = torch.from_numpy(np.array(array, dtype=np.float32))

    put("features.mean", constants["features.mean"])
    put("features.std", 1 / constants["features.inverse_std"])
    for name in ("weight", "bias"):
        for index in _indices(constants, "frontend.layers.{}.conv.weight"):
            layer = f"frontend.layers.{index}"
            put(f"{layer}.conv.{name}", constants[f"{layer}.conv.{name}"])
            num_channels = len(constants[f"{layer}.conv.bias"])
            put(f"{layer}.norm.{name}", constants[f"{layer}.norm.{name}"].reshape(num_channels, -1))
        for index in _indices(constants, "context.layers.{}.B"):
            put(f"context.norms.{index}.{name}", constants[f"context.norms.{index}.{name}"])
    for index in _indices(constants, "context.layers.{}.B"):
        layer = f"context.layers.{index}"
        is_int8 = f"{layer}.W.scales" in constants
        parts = [constants[f"{layer}.{name}"] for name in (LSTM_CONSTANTS if is_int8 else LSTM_CONSTANTS[:3])]
        bidirectional = _dequantised(*parts) if is_int8 else parts
        for direction, (w, r, b) in zip(("ahead", "back"), zip(*bidirectional, strict=True), strict=True):
            for name, array in zip(LSTM_WEIGHTS, (w, r, *np.split(b, 2)), strict=True):
                put(f"context.layers.{index}.{direction}.{name}_l0", _torch_gates(array))
    put("head.weight", constants["head.weight"].T)
    put("head.bias", constants["head.bias"])
    return weights


def _indices(constants: Mapping[str, np.ndarray], pattern: str) -> list[int]:
    """The numbers from 0 on for which there is a constant of this name."""
    return list(itertools.takewhile(lambda index: pattern.format(index) in constants, itertools.count()))


def _names_of_version_1(model: onnx.ModelProto, constants: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the constants of a file of format version 1 by the order of its nodes."""
    nodes: dict[str, list[list[np.ndarray]]] = {}
    for node in model.graph.node:
        nodes.setdefault(node.op_type, []).append([constants[name] for name in node.input if name in constants])
    (_, *convs), norms = nodes["Conv"], iter(nodes["LayerNormalization"])
    mean, inverse_std = ([c for inputs in nodes[kind] for c in inputs if c.size > 1] for kind in ("Sub", "Mul"))
    named = {"features.mean": mean[0], "features.inverse_std": inverse_std[0]}
    for index, conv in enumerate(convs):
        for layer, parts in (("conv", conv), ("norm", next(norms))):
            named |= {f"frontend.layers.{index}.{layer}.{n}": p for n, p in zip(("weight", "bias"), parts, strict=True)}
    for index, parts in enumerate(nodes.get("LSTM") or nodes["DynamicQuantizeLSTM"]):
        named |= {f"context.layers.{index}.{n}": p for n, p in zip(LSTM_CONSTANTS, parts, strict=False)}
        named |= {f"context.norms.{index}.{n}": p for n, p in zip(("weight", "bias"), next(norms), strict=True)}
    return named | {"head.weight": nodes["MatMul"][-1][0], "head.bias": nodes["Add"][-1][0]}


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
