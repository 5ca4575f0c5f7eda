"""The acoustic model of an .onnx file in NumPy, stage by stage, with all that happens on the way kept.

onnxruntime returns only the end of it; here every number can be looked at. One recording at a time, so there is no
padding and no mask. int8 weights are dequantised; sums are float64, or float32 for speed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr import cells
from asr.cells import GATES, PEEPHOLES, CellKind
from asr.errors import ModelError
from asr.models import graph
from asr.models.graph import Graph, attribute
from asr.models.weights import DIRECTIONS, cell_kinds, network_weights


@dataclass(frozen=True)
class Spectrum:
    """The stage from the waveform to the normalised log-mel spectrogram."""

    fourier: np.ndarray
    """Windowed sines and cosines, one per row. Shape: (2 K, N)"""
    bank: np.ndarray
    """Triangles of the mel filter bank, for real and imaginary parts. Shape: (2 K, F)"""
    floor: float
    mean: np.ndarray
    std: np.ndarray
    hop: int

    @property
    def window(self) -> int:
        """Window length in samples."""
        return self.fourier.shape[1]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Shape: (S,) -> (N, F)"""
        padded = np.pad(waveform.astype(np.float64), (0, max(0, self.window - len(waveform))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop]
        log_mel = np.log((windows @ self.fourier.T) ** 2 @ self.bank + self.floor)
        return (log_mel - self.mean) / self.std


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the last axis (Ba et al. 2016)."""

    scale: np.ndarray
    bias: np.ndarray
    epsilon: float

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the output, the input with mean 0 and variance 1, and one over its deviation.

        Shape: (T, D) -> (T, D), (T, D), (T, 1)
        """
        centred = x - x.mean(axis=1, keepdims=True)
        inverse = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.epsilon)
        return centred * inverse * self.scale + self.bias, centred * inverse, inverse


@dataclass(frozen=True)
class Convolution:
    """A strided 3x3 convolution, layer norm over the channels and bands of each frame, ReLU."""

    weight: np.ndarray
    """Shape: (C', C, 3, 3), over time and bands."""
    bias: np.ndarray
    strides: tuple[int, int]
    norm: Norm


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent layer, its weights in the order of `asr.cells`."""

    kind: CellKind
    w_x: np.ndarray
    w_h: np.ndarray
    b_x: np.ndarray
    b_h: np.ndarray
    peepholes: np.ndarray | None
    is_backward: bool


@dataclass(frozen=True)
class Layer:
    """A bidirectional layer and the layer norm after it."""

    directions: tuple[Direction, Direction]
    norm: Norm


@dataclass(frozen=True)
class Network:
    """A whole acoustic model."""

    spectrum: Spectrum
    convolutions: Sequence[Convolution]
    layers: Sequence[Layer]
    head_weight: np.ndarray
    """Shape: (V, 2 H)"""
    head_bias: np.ndarray
    offsets: Sequence[int]
    """Of the shifted copies of the spectrogram whose logits the file averages; only 0 where it reads it once."""


@dataclass(frozen=True)
class Cells:
    """What the cells of one direction did at each frame. Shape of each array: (T, H)"""

    gates: dict[str, np.ndarray]
    """By the names of `asr.cells.GATES`."""
    state: np.ndarray
    """The cell state; of a GRU, its output."""
    output: np.ndarray


@dataclass(frozen=True)
class Kept:
    """What a layer norm read, which its gradient needs."""

    normalised: np.ndarray
    inverse: np.ndarray


@dataclass(frozen=True)
class Trace:
    """All that happened with one recording, read once and as it is, even if the file averages over shifted copies."""

    features: np.ndarray
    """The normalised log-mel spectrogram. Shape: (N, F)"""
    maps: list[np.ndarray]
    """The output of each convolution. Shape: (C, N', F')"""
    map_norms: list[Kept]
    cells: list[tuple[Cells, Cells]]
    """Of each recurrent layer, forward and backward; both in the order of time."""
    norms: list[Kept]
    """Of each recurrent layer."""
    log_probs: np.ndarray
    """Of the tokens; a head over phones is ignored. Shape: (T, V)"""


def load(path: Path) -> Network:
    """Read the network of an exported acoustic model.

    Raises:
        ModelError: the file cannot be read, or was not written by `asr export`.
    """
    model = graph.read(path)
    try:
        weights = network_weights(model)
        return _network(model, {name: array.astype(np.float64) for name, array in weights.items()})
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be inspected because its graph is not as `asr export` writes it: export it again."
        ) from error


def run(network: Network, waveform: np.ndarray) -> Trace:
    """Run the model on one recording. Shape: (S,)"""
    return run_features(network, network.spectrum(waveform))


def run_features(network: Network, features: np.ndarray) -> Trace:
    """Run the model on a normalised log-mel spectrogram, from which its gradient is computed. Shape: (N, F)"""
    x_CTF, maps, map_norms = features[None], [], []
    for convolution in network.convolutions:
        x_CTF, kept = _convolve(convolution, x_CTF)
        maps.append(x_CTF)
        map_norms.append(kept)
    x = x_CTF.transpose(1, 0, 2).reshape(x_CTF.shape[1], -1)
    traces, norms = [], []
    for layer in network.layers:
        ahead, back = (run_cells(direction, x) for direction in layer.directions)
        x, normalised, inverse = layer.norm(np.concatenate([ahead.output, back.output], axis=1))
        traces.append((ahead, back))
        norms.append(Kept(normalised, inverse))
    logits = x @ network.head_weight.T + network.head_bias
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return Trace(features, maps, map_norms, traces, norms, log_probs)


def averaged(network: Network, trace: Trace) -> np.ndarray:
    """The log-probs that the file gives: those of the trace, or the average over its shifted copies. Shape: (T, V)"""
    if list(network.offsets) == [0]:
        return trace.log_probs
    frames = np.arange(len(trace.features))
    copies = [trace.features[np.clip(frames + offset, 0, len(frames) - 1)] for offset in network.offsets]
    mean = np.mean([run_features(network, copy).log_probs for copy in copies], axis=0)
    return mean - np.logaddexp.reduce(mean, axis=1, keepdims=True)


def run_cells(direction: Direction, x: np.ndarray) -> Cells:
    """Run the cells of one direction, step by step with the equations of `asr.cells`. Shape: x (T, D)"""
    hidden = direction.w_h.shape[1]
    h = c = np.zeros(hidden, x.dtype)
    products = x @ direction.w_x.T + direction.b_x
    frames = range(len(x))[::-1] if direction.is_backward else range(len(x))
    output, state = (np.empty((len(x), hidden), x.dtype) for _ in range(2))
    gates = {gate: np.empty((len(x), hidden), x.dtype) for gate in GATES[direction.kind]}
    for t in frames:
        r = direction.w_h @ h + direction.b_h
        h, c, opened = cells.step(direction.kind, products[t], r, h, c, direction.peepholes)
        output[t], state[t] = h, c
        for gate, values in opened.items():
            gates[gate][t] = values
    return Cells(gates, state, output)


def patches(x: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """All 3x3 patches of maps padded with zeros. Shape: (C, T, F) -> (T', F', C, 3, 3)"""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return windows[:, :: strides[0], :: strides[1]].transpose(1, 2, 0, 3, 4)


def _convolve(convolution: Convolution, x: np.ndarray) -> tuple[np.ndarray, Kept]:
    """Shape: (C, T, F) -> (C', T', F')"""
    y_TFC = np.tensordot(patches(x, convolution.strides), convolution.weight, axes=((2, 3, 4), (1, 2, 3)))
    y_TFC = y_TFC + convolution.bias
    frames, bands, channels = y_TFC.shape
    y, normalised, inverse = convolution.norm(y_TFC.transpose(0, 2, 1).reshape(frames, -1))
    return np.maximum(y, 0).reshape(frames, channels, bands).transpose(1, 0, 2), Kept(normalised, inverse)


def _network(model: Graph, weights: dict[str, np.ndarray]) -> Network:
    """Raises KeyError, IndexError or ValueError where the graph is another one."""
    nodes: dict[str, list[Any]] = {}
    for node in model.nodes:
        nodes.setdefault(node.op_type, []).append(node)
    fourier, *convolutions = nodes["Conv"]
    epsilons = iter([attribute(node, "epsilon", 1e-5) for node in nodes["LayerNormalization"]])

    def norm(name: str) -> Norm:
        return Norm(weights[f"{name}.weight"].reshape(-1), weights[f"{name}.bias"].reshape(-1), next(epsilons))

    def constant(node: Any) -> np.ndarray:
        return model.constants[node.input[1]].astype(np.float64)

    spectrum = Spectrum(
        fourier=constant(fourier)[:, 0],
        bank=constant(nodes["MatMul"][0]),
        floor=float(next(constant(node).item() for node in nodes["Add"] if _is_float_scalar(model, node))),
        mean=weights["features.mean"],
        std=weights["features.std"],
        hop=int(attribute(fourier, "strides", [1])[0]),
    )
    stages = []
    for index, node in enumerate(convolutions):
        name, (time, band) = f"frontend.layers.{index}", attribute(node, "strides", [1, 1])
        stages.append(
            Convolution(
                weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"], (time, band), norm(f"{name}.norm")
            )
        )
    layers = []
    for index, kind in enumerate(cell_kinds(model)):
        ahead, back = (_direction(weights, f"context.layers.{index}.{name}.", kind, name) for name in DIRECTIONS)
        layers.append(Layer((ahead, back), norm(f"context.norms.{index}")))
    shifted = {node.input[0] for node in nodes.get("Min", [])}
    starts = [model.constants[node.input[0]].item() for node in nodes.get("Range", []) if node.output[0] in shifted]
    return Network(spectrum, stages, layers, weights["head.weight"], weights["head.bias"], starts or [0])


def _direction(weights: dict[str, np.ndarray], prefix: str, kind: CellKind, name: str) -> Direction:
    w_x, w_h, b_x, b_h = (weights[f"{prefix}{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    peepholes = weights[f"{prefix}peepholes"] if kind in PEEPHOLES else None
    return Direction(kind, w_x, w_h, b_x, b_h, peepholes, name == "back")


def _is_float_scalar(model: Graph, node: Any) -> bool:
    """Whether the second input of a node is a constant float of one element, as the floor of the spectrum is."""
    array = model.constants.get(node.input[1])
    return array is not None and array.dtype == np.float32 and array.size == 1
