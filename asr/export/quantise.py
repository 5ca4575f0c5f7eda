"""The recurrent layers of an exported graph in 8-bit whole numbers: about a quarter of the size, twice the speed.

onnxruntime's `DynamicQuantizeLSTM` multiplies int8 weights with 8-bit inputs. It rounds a layer's inputs by one scale
for all frames of the whole batch, and the outputs that are fed back by one scale a step, each from the smallest and the
largest number that it finds: what an utterance gives would depend on what is beside it. Here both ranges are the same
whatever is heard, for constants that stand at their ends are always among the numbers:

- Inputs are clipped to the range that they have on speech, and two further columns hold its ends.
- An output is o tanh(c), and a step changes c by less than 1 more than it forgets, so after step t all outputs lie
  within +-tanh(t). Two further cells, whose gates are always open, give just these two.

The weights of the two columns and cells are zero, so nothing else sees them, and the cells' outputs are cut off. As
sums of whole numbers are exact, an utterance gets the same log-probs alone, in any batch, and by any number of threads.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import onnx
from onnx import helper, numpy_helper
from torch import Tensor, nn

from asr.errors import ModelError
from asr.export.graph import Graph
from asr.export.weights import ENDS
from asr.network.torch_model import TorchModel

LARGEST = 64
"""Of the whole numbers that stand for weights. 127 would be finer, but x86 processors without VNNI instructions add two
products of 8 bits in 16, where 2 * 255 * 127 does not fit and 2 * 255 * 64 does."""
OPEN = 30.0
"""A gate's input at which the logistic function and tanh are 1 in 32 bits."""

Range = tuple[float, float]


def quantise(model: onnx.ModelProto, ranges: Sequence[Range]) -> onnx.ModelProto:
    """A copy of an exported acoustic model with its recurrent layers in int8, and `precision` in its metadata.

    Args:
        model: the graph as `asr.export.acoustic.build_graph` gives it.
        ranges: of the inputs of each recurrent layer, from `input_ranges`.

    Raises:
        ModelError: a weight is not a finite number.
    """
    weights = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    layers = [node.name for node in model.graph.node if node.op_type == "LSTM"]
    ends = dict(zip(layers, ranges, strict=True))
    parts = [_layer(node, weights, ends[node.name]) if node.name in ends else ([node], []) for node in model.graph.node]
    nodes = [node for some, _ in parts for node in some]
    used = {name for node in nodes for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in used]
    added = [weight for _, some in parts for weight in some]
    graph = helper.make_graph(nodes, model.graph.name, model.graph.input, model.graph.output, kept + added)
    quantised = helper.make_model(
        graph,
        opset_imports=[*model.opset_import, helper.make_opsetid("com.microsoft", 1)],
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(quantised, metadata | {"precision": "int8"})
    onnx.checker.check_model(quantised, full_check=True)
    return quantised


def input_ranges(model: TorchModel, waveforms: Iterable[np.ndarray]) -> list[Range]:
    """The smallest and the largest input of each recurrent layer, or 0, when the model hears each waveform alone.

    Shape: waveforms (S_b,)
    """
    layers = model.network.context.layers
    ranges: list[Range] = [(0.0, 0.0)] * len(layers)

    def widen(index: int, _: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        low, high = ranges[index]
        ranges[index] = min(low, inputs[0].min().item()), max(high, inputs[0].max().item())

    hooks = [layer.register_forward_pre_hook(partial(widen, index)) for index, layer in enumerate(layers)]
    for waveform in waveforms:
        model.log_probs([waveform])
    for hook in hooks:
        hook.remove()
    return ranges


def to_int8(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest whole numbers, and a scale for each output: weights are about numbers * scales[..., None].

    Shape: (..., N, K) -> (..., N, K) int8, (..., N) float32
    """
    largest = np.maximum(np.abs(weights).max(axis=-1), 1e-30)  # a row of zeros gets a scale too
    scales = (largest / LARGEST).astype(np.float32)
    return np.rint(weights / scales[..., None]).astype(np.int8), scales


def _layer(
    node: onnx.NodeProto, weights: Mapping[str, np.ndarray], ends: Range
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """What takes the place of an `LSTM` node: nodes and weights.

    Shape: (T, B, D) -> (T, 2, B, H)
    """
    x, *names, lengths = node.input
    w, r, b = (weights[name] for name in names)
    if not all(np.isfinite(part).all() for part in (w, r, b)):
        raise ModelError(
            "The weights of the recurrent layers are not finite numbers and cannot be made int8: train anew."
        )
    hidden = r.shape[-1]
    size = hidden + ENDS
    bias = np.pad(b.reshape(2, 8, hidden), ((0, 0), (0, 0), (0, ENDS)))
    bias[:, :4, hidden:] = OPEN
    bias[:, 3, -1] = -OPEN  # this cell's state grows downwards

    g = Graph(prefix=f"{node.name}_")
    x = g.op("Clip", x, *map(g.weight, ends))
    for end in ends:
        x = g.op("Pad", x, g.weight([0, 0, 0, 0, 0, 1]), g.weight(end))
    (w_numbers, *w_scales), (r_numbers, *r_scales) = (_stored(g, part, hidden) for part in (w, r))
    y = g.op(
        "DynamicQuantizeLSTM",
        *(x, w_numbers, r_numbers, g.weight(bias.reshape(2, -1)), lengths, "", "", "", *w_scales, *r_scales),
        domain="com.microsoft",
        direction="bidirectional",
        hidden_size=size,
    )
    g.op("Slice", y, g.weight([0]), g.weight([hidden]), g.weight([3]), output=node.output[0])
    return g.nodes, g.weights


def _stored(g: Graph, weights: np.ndarray, hidden: int) -> tuple[str, str, str]:
    """One matrix with the cells and columns for the ends: the names of its numbers, scales and zero points.

    Shape: (2, 4H, K) -> (2, K + 2, 4 (H + 2)), twice (2, 4 (H + 2))
    """
    wider = np.pad(weights.reshape(2, 4, hidden, -1), ((0, 0), (0, 0), (0, ENDS), (0, ENDS)))
    numbers, scales = to_int8(wider.reshape(2, 4 * (hidden + ENDS), -1))
    return g.weight(numbers.transpose(0, 2, 1)), g.weight(scales), g.weight(np.zeros_like(scales, dtype=np.int8))
