"""Convert the weights of an exported file back to those of a network, so that a shipped model can be fine-tuned.

The constants of a graph are named after the weights that they come from. Files of format version 1 have no such names:
their stages are identified by the types of their nodes, in the order in which they were written. int8 weights are
dequantised.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from asr.cells import CellKind
from asr.errors import ModelError
from asr.export import cells

Weights = dict[str, Tensor]
LSTM_CONSTANTS = ("W", "R", "B", "W.scales", "W.zeros", "R.scales", "R.zeros")
"""Constants of a layer in a file of format version 1, in the order of its node's inputs; the last four in int8 only."""
RECURRENT = ("LSTM", "GRU", "DynamicQuantizeLSTM")
"""Nodes that run a recurrent layer."""
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
        return metadata, _network_weights(
            constants, [_kind(node) for node in model.graph.node if node.op_type in RECURRENT]
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be fine-tuned because its weights are not in the form that `asr export` writes: "
            "start from the run folder or checkpoint that it was exported from."
        ) from error


def _network_weights(constants: Mapping[str, np.ndarray], kinds: Sequence[CellKind]) -> Weights:
    """Weights by their names in an `AcousticModel`, from constants by their names in a graph.

    Args:
        kinds: the cell of each recurrent layer.
    """
    weights: Weights = {}

    def put(name: str, array: np.ndarray) -> None:
        weights[name] = torch.from_numpy(np.array(array, dtype=np.float32))

    if len(kinds) != len(_indices(constants, "context.layers.{}.B")):
        raise ValueError("recurrent layers and their weights differ in number")
    put("features.mean", constants["features.mean"])
    put("features.std", 1 / constants["features.inverse_std"])
    for name in ("weight", "bias"):
        for index in _indices(constants, "frontend.layers.{}.conv.weight"):
            layer = f"frontend.layers.{index}"
            put(f"{layer}.conv.{name}", constants[f"{layer}.conv.{name}"])
            num_channels = len(constants[f"{layer}.conv.bias"])
            put(f"{layer}.norm.{name}", constants[f"{layer}.norm.{name}"].reshape(num_channels, -1))
        for index in range(len(kinds)):
            put(f"context.norms.{index}.{name}", constants[f"context.norms.{index}.{name}"])
    for index, kind in enumerate(kinds):
        layer = f"context.layers.{index}."
        parts = {name.removeprefix(layer): array for name, array in constants.items() if name.startswith(layer)}
        if "W.zeros" in parts:
            parts = _without_range_ends(parts)
        elif "W.scales" in parts:
            parts |= {name: parts[name] * parts[f"{name}.scales"] for name in "WR"}
        for number, direction in enumerate(("ahead", "back")):
            of_direction = {name: parts[name][number] for name in "WRBP" if name in parts}
            for name, tensor in cells.torch_weights(kind, of_direction).items():
                weights[f"{layer}{direction}.{name}"] = tensor
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


def _kind(node: onnx.NodeProto) -> CellKind:
    """The cell that a recurrent node runs."""
    is_coupled = any(attribute.name == "input_forget" and attribute.i for attribute in node.attribute)
    peepholes = 7  # the number of this input
    return cells.kind_of_node(node.op_type, is_coupled, len(node.input) > peepholes and bool(node.input[peepholes]))


def _without_range_ends(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Dequantise the weights of an int8 LSTM and remove its additional columns and cells.

    Shape:
        W (2, K + 2, 4 (H + 2)), R (2, H + 2, 4 (H + 2)), B (2, 8 (H + 2)), P (2, 3 (H + 2))
        -> (2, 4H, K), (2, 4H, H), (2, 8H), (2, 3H)
    """
    hidden = parts["B"].shape[1] // 8 - RANGE_ENDS

    def dequantised(name: str) -> np.ndarray:
        product = (parts[name] * parts[f"{name}.scales"][:, None]).transpose(0, 2, 1)
        return product.reshape(2, 4, hidden + RANGE_ENDS, -1)[:, :, :hidden, :-RANGE_ENDS].reshape(2, 4 * hidden, -1)

    def cut(name: str) -> np.ndarray:
        return parts[name].reshape(2, -1, hidden + RANGE_ENDS)[:, :, :hidden].reshape(2, -1)

    return {name: dequantised(name) for name in "WR"} | {name: cut(name) for name in "BP" if name in parts}
