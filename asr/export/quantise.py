"""Quantise the recurrent layers of an exported graph to int8: about a quarter of the size, twice the speed.

onnxruntime's `DynamicQuantizeLSTM` multiplies int8 weights with 8-bit inputs. It quantises a layer's inputs with one
scale for all frames of the batch, and the recurrent outputs with one scale per step, each computed from the minimum and
maximum of the actual values, so that the result of an utterance would depend on its neighbours in the batch. Here both
ranges are made constant by values at their ends that are always present:

- Inputs are clipped to their range on speech, and two additional columns contain the ends of this range.
- An output is o tanh(c), and each step increases |c| by less than 1, so after step t all outputs are within +-tanh(t).
  Two additional cells, whose gates are always open, output exactly these two values. Where gates are coupled, c is a
  mean of its last value and the candidate, so |c| is never above 1: all outputs are within +-tanh(1), which is what
  the two cells output, for their forget gates are then closed. Peepholes change the gates, not these bounds.

Weights are rounded one after the other, and those that are still to come make up for the error of each on speech
(Frantar et al. 2022, GPTQ).

The weights from the two columns and cells are zero, so they affect nothing else, and the outputs of the cells are
removed. As integer sums are exact, an utterance gets the same log-probs alone, in any batch, and with any number of
threads.

There is no such operator for a GRU: its weights are stored in int8 and computed with as floats.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

from asr.errors import ModelError
from asr.export.graph import FLOAT, Graph
from asr.models.weights import RANGE_ENDS
from asr.network.recurrent import Context

MAX_WEIGHT = 64
"""Largest quantised weight. 127 would be finer, but x86 CPUs without VNNI instructions add two 8-bit products in 16
bits, where 2 * 255 * 127 overflows and 2 * 255 * 64 does not."""
SATURATED = 30.0
"""Gate input at which the logistic function and tanh are 1 in float32."""

DAMPING = 0.01
"""Share of the mean square of a layer's inputs that is added to that of each, for inputs that hardly ever vary."""


class Calibration(NamedTuple):
    """What the inputs and outputs of a recurrent layer are on real input."""

    low: float
    high: float
    """The range of the inputs, extended to include 0."""
    inputs: np.ndarray
    """Sums of products of the inputs over all frames. Shape: (D, D), float64"""
    outputs: np.ndarray
    """The same of the outputs of each direction. Shape: (2, H, H), float64"""


def quantise(model: onnx.ModelProto, calibrations: Sequence[Calibration]) -> onnx.ModelProto:
    """Return a copy of an exported model with int8 recurrent layers and `precision` set in its metadata.

    The precision is `int8`, or `int8-weights` where only the weights are stored so.

    Args:
        model: the graph built by `build_graph` of `asr.export.acoustic` or `asr.export.punctuation`.
        calibrations: of the recurrent layers, from `calibrate`.

    Raises:
        ModelError: a weight is not a finite number.
    """
    weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    layers = [node.name for node in model.graph.node if node.op_type in REPLACEMENTS]
    of_layer = dict(zip(layers, calibrations, strict=True))
    replacements = [
        REPLACEMENTS[node.op_type](node, weights, of_layer[node.name]) if node.name in of_layer else ([node], [])
        for node in model.graph.node
    ]
    nodes = [node for new_nodes, _ in replacements for node in new_nodes]
    new_weights = [weight for _, layer_weights in replacements for weight in layer_weights]
    used = {name for node in nodes for name in node.input} - {weight.name for weight in new_weights}
    old_weights = [weight for weight in model.graph.initializer if weight.name in used]
    graph = helper.make_graph(nodes, model.graph.name, model.graph.input, model.graph.output, old_weights + new_weights)
    quantised = helper.make_model(
        graph,
        opset_imports=[*model.opset_import, helper.make_opsetid("com.microsoft", 1)],
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    is_gru = any(node.op_type == "GRU" for node in model.graph.node)
    helper.set_model_props(quantised, metadata | {"precision": "int8-weights" if is_gru else "int8"})
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


def calibrate(context: Context, run: Callable[[Any], object], inputs: Iterable[Any]) -> list[Calibration]:
    """Measure inputs and outputs of each recurrent layer when the network runs on each input.

    Args:
        context: the recurrent layers of a network.
        run: runs this network on one input.
        inputs: such as waveforms.
    """
    layers = context.layers
    found: list[Calibration | None] = [None] * len(layers)

    def measure(index: int, _: nn.Module, inputs: tuple[Tensor, Tensor], outputs: Tensor) -> None:
        x = inputs[0].detach().flatten(0, -2).double().numpy()
        y = outputs.detach().flatten(0, -2).double().numpy()
        y = y.reshape(len(y), 2, -1).transpose(1, 0, 2)
        new = Calibration(min(0.0, x.min()), max(0.0, x.max()), x.T @ x, y.transpose(0, 2, 1) @ y)
        if old := found[index]:
            low, high = min(old.low, new.low), max(old.high, new.high)
            new = Calibration(low, high, old.inputs + new.inputs, old.outputs + new.outputs)
        found[index] = new

    hooks = [layer.register_forward_hook(partial(measure, index)) for index, layer in enumerate(layers)]
    for one in inputs:
        run(one)
    for hook in hooks:
        hook.remove()
    return [calibration for calibration in found if calibration is not None]


def to_int8(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise weights with one scale per output row: weights are approximately quantised * scales[..., None].

    Shape: (..., N, K) -> (..., N, K) int8, (..., N) float32
    """
    scales = _scales(weights)
    return np.rint(weights / scales[..., None]).astype(np.int8), scales


def _scales(weights: np.ndarray) -> np.ndarray:
    """The scale of each row. Shape: (..., N, K) -> (..., N), float32"""
    largest = np.maximum(np.abs(weights).max(axis=-1), 1e-30)  # avoids a scale of 0 for a row of zeros
    return (largest / MAX_WEIGHT).astype(np.float32)


def to_int8_for(weights: np.ndarray, products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise a matrix so that its products with the inputs change little: `to_int8` with compensated rounding.

    A weight is rounded, and those not yet rounded of its row take over what the inputs let them of its error, inputs
    with the largest squares first.

    Args:
        weights: shape (N, K).
        products: sums of products of the inputs over all frames, shape (K, K), float64.
    """
    scales = _scales(weights)
    squares = np.diag(products)
    damped = products + np.eye(len(products)) * (DAMPING * squares.mean() or 1.0)
    order = np.argsort(-squares, kind="stable")
    # Row j of this factor: how the weights from j on share an error of weight j.
    shares = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = weights[:, order] / scales[:, None].astype(np.float64)
    rounded = np.empty_like(left)
    for column in range(left.shape[1]):
        rounded[:, column] = np.rint(left[:, column]).clip(-MAX_WEIGHT, MAX_WEIGHT)
        error = (left[:, column] - rounded[:, column]) / shares[column, column]
        left[:, column:] -= error[:, None] * shares[column, column:]
    quantised = np.empty(weights.shape, np.int8)
    quantised[:, order] = rounded
    return quantised, scales


def _lstm(
    node: onnx.NodeProto, weights: Mapping[str, np.ndarray], calibration: Calibration
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Build the nodes and weights that replace an `LSTM` node.

    Shape: (T, B, D) -> (T, 2, B, H)
    """
    x, w_name, r_name, b_name, lengths, *optional = node.input
    w, r, b = (_finite(weights[name]) for name in (w_name, r_name, b_name))
    hidden = r.shape[-1]
    size = hidden + RANGE_ENDS
    bias = np.pad(b.reshape(2, 8, hidden), ((0, 0), (0, 0), (0, RANGE_ENDS)))
    bias[:, :4, hidden:] = SATURATED
    bias[:, 3, -1] = -SATURATED  # so that the state of this cell decreases

    g = Graph(prefix=f"{node.name}_")
    ends = calibration.low, calibration.high
    x = g.op("Clip", x, *map(g.weight, ends))
    for end in ends:
        x = g.op("Pad", x, g.weight([0, 0, 0, 0, 0, 1]), g.weight(end))
    peepholes = ""
    if optional:
        p_name = optional[-1]
        padded = np.pad(_finite(weights[p_name]).reshape(2, 3, hidden), ((0, 0), (0, 0), (0, RANGE_ENDS)))
        peepholes = g.weight(padded.reshape(2, -1), p_name)
    w_int8, *w_scales = _quantised(g, w, [calibration.inputs] * 2, w_name)
    r_int8, *r_scales = _quantised(g, r, list(calibration.outputs), r_name)
    coupling: dict[str, Any] = {entry.name: entry.i for entry in node.attribute if entry.name == "input_forget"}
    y = g.op(
        "DynamicQuantizeLSTM",
        *(x, w_int8, r_int8, g.weight(bias.reshape(2, -1), b_name), lengths, "", "", peepholes, *w_scales, *r_scales),
        domain="com.microsoft",
        direction="bidirectional",
        hidden_size=size,
        **coupling,
    )
    g.op("Slice", y, g.weight([0]), g.weight([hidden]), g.weight([3]), output=node.output[0])
    return g.nodes, g.weights


def _gru(
    node: onnx.NodeProto, weights: Mapping[str, np.ndarray], _: Calibration
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Build the nodes and weights that replace a `GRU` node: the same one, with weights that are dequantised first."""
    x, w_name, r_name, b_name, lengths = node.input
    g = Graph(prefix=f"{node.name}_")
    names = [_dequantised(g, _finite(weights[name]), name) for name in (w_name, r_name)]
    bias = g.weight(weights[b_name], b_name)
    attributes: dict[str, Any] = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    g.op("GRU", x, *names, bias, lengths, output=node.output[0], **attributes)
    return g.nodes, g.weights


REPLACEMENTS = {"LSTM": _lstm, "GRU": _gru}
"""What replaces each recurrent node."""


def _dequantised(g: Graph, weights: np.ndarray, name: str) -> str:
    """Store a matrix in int8 and return the name of the product with its scales, which runtimes compute once."""
    quantised, scales = to_int8(weights)
    as_float = g.op("Cast", g.weight(quantised, name), to=FLOAT)
    return g.op("Mul", as_float, g.weight(scales[..., None], f"{name}.scales"))


def dequantised(g: Graph, table: np.ndarray, name: str, rows: str) -> str:
    """Store a table of embeddings in int8, a scale per row, and return the name of the chosen rows as floats."""
    quantised, scales = to_int8(_finite(table))
    chosen = g.op("Cast", g.op("Gather", g.weight(quantised, name), rows), to=FLOAT)
    return g.op("Mul", chosen, g.op("Gather", g.weight(scales[..., None], f"{name}.scales"), rows))


def _finite(weights: np.ndarray) -> np.ndarray:
    """Raises ModelError where a weight is not finite."""
    if not np.isfinite(weights).all():
        raise ModelError(
            "The weights of the recurrent layers are not finite and cannot be quantised to int8: train the model again."
        )
    return weights


def _quantised(g: Graph, weights: np.ndarray, products: Sequence[np.ndarray], name: str) -> tuple[str, str, str]:
    """Store a matrix, extended by the additional cells and columns; return the names of weights, scales, zero points.

    `products` are those of its inputs for each direction. Shape: (2, 4H, K) -> (2, K + 2, 4 (H + 2)), twice
    (2, 4 (H + 2))
    """
    rounded = [to_int8_for(matrix, product) for matrix, product in zip(weights, products, strict=True)]
    quantised, scales = (np.stack(parts) for parts in zip(*rounded, strict=True))
    of_gates = quantised.reshape(2, 4, -1, quantised.shape[-1])
    quantised = np.pad(of_gates, ((0, 0), (0, 0), (0, RANGE_ENDS), (0, RANGE_ENDS))).reshape(
        2, -1, weights.shape[-1] + RANGE_ENDS
    )
    scales = np.pad(scales.reshape(2, 4, -1), ((0, 0), (0, 0), (0, RANGE_ENDS)), constant_values=1).reshape(2, -1)
    return (
        g.weight(quantised.transpose(0, 2, 1), name),
        g.weight(scales, f"{name}.scales"),
        g.weight(np.zeros_like(scales, dtype=np.int8), f"{name}.zeros"),
    )
