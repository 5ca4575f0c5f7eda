"""The weights of a network from the constants of its exported file: by their names there, in float32, in NumPy.

The constants of a graph are named after the weights that they come from. Files of format version 1 have no such names:
their stages are identified by the types of their nodes, in the order in which they were written. int8 weights are
dequantised.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from asr.cells import CellKind
from asr.models import onnx_cells
from asr.models.graph import Graph, attribute

LSTM_CONSTANTS = ("W", "R", "B", "W.scales", "W.zeros", "R.scales", "R.zeros")
"""Constants of a layer in a file of format version 1, in the order of its node's inputs; the last four in int8 only."""
RECURRENT = ("LSTM", "GRU", "DynamicQuantizeLSTM")
"""Nodes that run a recurrent layer."""
DIRECTIONS = ("ahead", "back")
"""The names of a layer's two directions in the network."""
RANGE_ENDS = 2
"""Number of additional input columns, and of additional cells, of an int8 LSTM (see asr.export.quantise)."""


def network_weights(graph: Graph) -> dict[str, np.ndarray]:
    """The weights under their names in an `asr.network.acoustic.AcousticModel`.

    Raises:
        KeyError, IndexError, ValueError: the graph was not written by `asr export`.
    """
    constants = graph.constants
    if graph.metadata.get("format_version") == "1":
        constants = _names_of_version_1(graph)
    kinds = cell_kinds(graph)
    weights: dict[str, np.ndarray] = {}

    def put(name: str, array: np.ndarray) -> None:
        weights[name] = np.array(array, dtype=np.float32)

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
        for number, direction in enumerate(DIRECTIONS):
            of_direction = {name: parts[name][number] for name in "WRBP" if name in parts}
            for name, array in onnx_cells.cell_weights(kind, of_direction).items():
                put(f"{layer}{direction}.{name}", array)
    for head in ("head", "phone_head"):
        if head == "head" or f"{head}.weight" in constants:
            put(f"{head}.weight", constants[f"{head}.weight"].T)
            put(f"{head}.bias", constants[f"{head}.bias"])
    return weights


def cell_kinds(graph: Graph) -> list[CellKind]:
    """The cell of each recurrent layer."""
    return [_kind(node) for node in graph.nodes if node.op_type in RECURRENT]


def _indices(constants: Mapping[str, np.ndarray], pattern: str) -> list[int]:
    """The numbers from 0 on for which there is a constant of this name."""
    return list(itertools.takewhile(lambda index: pattern.format(index) in constants, itertools.count()))


def _names_of_version_1(graph: Graph) -> dict[str, np.ndarray]:
    """Name the constants of a file of format version 1 by the order of its nodes."""
    nodes: dict[str, list[list[np.ndarray]]] = {}
    for node in graph.nodes:
        constants = [graph.constants[name] for name in node.input if name in graph.constants]
        nodes.setdefault(node.op_type, []).append(constants)
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


def _kind(node: Any) -> CellKind:
    """The cell that a recurrent node runs."""
    peepholes = 7  # the number of this input
    has_peepholes = len(node.input) > peepholes and bool(node.input[peepholes])
    return onnx_cells.kind_of_node(node.op_type, bool(attribute(node, "input_forget", 0)), has_peepholes)


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
