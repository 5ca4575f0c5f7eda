"""Build the ONNX graph of the acoustic model node by node from its weights, with one function per stage.

It uses only standard operators: the Fourier transform is a strided convolution, and each recurrent layer is one
bidirectional `LSTM` or `GRU` node with `sequence_lens`. Names of tensors end in their shape.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from torch import Tensor, nn

from asr.export import cells
from asr.export.graph import BOOL, FLOAT, INT32, INT64, Graph
from asr.models.onnx_cells import OPERATORS
from asr.network.acoustic import AcousticModel
from asr.network.features import LOG_FLOOR, Features
from asr.network.frontend import Frontend
from asr.network.recurrent import Context, kind_of


def build_graph(network: AcousticModel, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Build the graph of the complete model.

    Shape:
        waveform (B, S) float32, lengths (B,) int64 in samples
        -> log_probs (B, T, V + P) float32, output_lengths (B,) int64 in frames; P is 0 without a head over phones
    """
    g = Graph()
    x, lengths = _features(g, network.features, "waveform", "lengths")
    offsets = network.config.offsets
    if len(offsets) > 1:
        x = g.op("Concat", *(_shift(g, x, lengths, offset) for offset in offsets), axis=0)
        lengths = g.op("Tile", lengths, g.weight([len(offsets)]))
    x, lengths = _frontend(g, network.frontend, x, lengths)
    x_TBD = context_layers(g, network.context, g.op("Transpose", x, perm=[1, 0, 2]), lengths)
    if len(offsets) > 1:
        x_TNBD = g.op("Reshape", x_TBD, g.weight([0, len(offsets), -1, network.head.in_features]))
        x_TBD = g.op("ReduceMean", x_TNBD, axes=[1], keepdims=0)
        lengths_NB = g.op("Reshape", lengths, g.weight([len(offsets), -1]))
        lengths = g.op("Squeeze", g.op("Gather", lengths_NB, g.weight([0]), axis=0), g.weight([0]))
    log_probs = g.op("LogSoftmax", linear(g, network.head, x_TBD, "head"), axis=2)
    columns = network.head.out_features
    if network.phone_head is not None:
        of_phones = g.op("LogSoftmax", linear(g, network.phone_head, x_TBD, "phone_head"), axis=2)
        log_probs = g.op("Concat", log_probs, of_phones, axis=2)
        columns += network.phone_head.out_features
    g.op("Transpose", log_probs, perm=[1, 0, 2], output="log_probs")
    g.op("Identity", lengths, output="output_lengths")
    return g.model(
        inputs={"waveform": (FLOAT, ["batch", "samples"]), "lengths": (INT64, ["batch"])},
        outputs={
            "log_probs": (FLOAT, ["batch", "frames", columns]),
            "output_lengths": (INT64, ["batch"]),
        },
        metadata=metadata,
    )


def fourier_kernel(window: np.ndarray) -> np.ndarray:
    """Compute the convolution kernels of a windowed discrete Fourier transform: real parts, then imaginary parts.

    Shape: (N,) -> (2 K, 1, N) with K = N // 2 + 1
    """
    size = len(window)
    angle = 2 * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size
    return (np.concatenate([np.cos(angle), -np.sin(angle)]) * window)[:, None]


def _features(g: Graph, features: Features, waveform: str, lengths: str) -> tuple[str, str]:
    """(B, S), (B,) -> (B, T, F), (B,)"""
    config = features.config
    num_samples = g.op("Slice", g.op("Shape", waveform), g.weight([1]), g.weight([2]))
    missing = g.op("Max", g.op("Sub", g.weight([config.window]), num_samples), g.weight([0]))
    pads = g.op("Concat", g.weight([0, 0, 0]), missing, axis=0)
    padded = g.op("Pad", waveform, pads)
    within = g.op("Cast", _mask(g, padded, lengths), to=BOOL)
    padded = g.op("Where", within, padded, g.weight(0.0))  # not a product, because samples beyond the length may be NaN

    window, bank = features.mel.spectrogram.window, features.mel.mel_scale.fb
    assert isinstance(window, Tensor)
    assert isinstance(bank, Tensor)
    kernel = fourier_kernel(window.double().numpy())
    spectrum_BKT = g.op(
        "Conv",
        g.op("Unsqueeze", padded, g.weight([1])),
        g.weight(kernel),
        strides=[config.hop],
        kernel_shape=[config.window],
    )
    power_BTK = g.op("Transpose", g.op("Mul", spectrum_BKT, spectrum_BKT), perm=[0, 2, 1])
    mel = g.op(
        "MatMul", power_BTK, g.weight(np.tile(bank.numpy(), (2, 1)))
    )  # sums the squares of real and imaginary parts
    log_mel = g.op("Log", g.op("Add", mel, g.weight(LOG_FLOOR)))
    centred = g.op("Sub", log_mel, g.weight(features.mean.numpy(), "features.mean"))
    normalised = g.op("Mul", centred, g.weight(1 / features.std.numpy(), "features.inverse_std"))

    remaining = g.op("Max", g.op("Sub", lengths, g.weight(config.window)), g.weight(0))
    frames = g.op("Add", g.op("Div", remaining, g.weight(config.hop)), g.weight(1))
    return normalised, frames


def _shift(g: Graph, x: str, lengths: str, offset: int) -> str:
    """Move each utterance as `asr.network.acoustic.shift` does. (B, T, F), (B,) -> (B, T, F)"""
    size = g.op("Squeeze", g.op("Slice", g.op("Shape", x), g.weight([1]), g.weight([2])), g.weight([0]))
    source_T = g.op("Range", g.weight(offset), g.op("Add", size, g.weight(offset)), g.weight(1))
    last_B1 = g.op("Sub", g.op("Unsqueeze", lengths, g.weight([1])), g.weight(1))
    source_BT = g.op("Max", g.op("Min", source_T, last_B1), g.weight(0))
    return g.op("GatherND", x, g.op("Unsqueeze", source_BT, g.weight([2])), batch_dims=1)


def _frontend(g: Graph, frontend: Frontend, x: str, lengths: str) -> tuple[str, str]:
    """(B, T, F), (B,) -> (B, T', D), (B,)"""
    x_BCTF = g.op("Unsqueeze", x, g.weight([1]))
    for index, layer in enumerate(frontend.layers):
        conv, norm = layer.conv, layer.norm
        assert conv.bias is not None
        if index:
            shape = [0, 0, frontend.layers[index - 1].conv.out_channels, -1]
            x_BCTF = g.op("Transpose", g.op("Reshape", x, g.weight(shape)), perm=[0, 2, 1, 3])
        mask_BT = _mask(g, g.op("Transpose", x_BCTF, perm=[0, 2, 1, 3]), lengths)
        masked = g.op("Mul", x_BCTF, g.op("Unsqueeze", mask_BT, g.weight([1, 3])))
        prefix = f"frontend.layers.{index}"
        weights = (
            g.weight(conv.weight.detach().numpy(), f"{prefix}.conv.weight"),
            g.weight(conv.bias.detach().numpy(), f"{prefix}.conv.bias"),
        )
        y_BCTF = g.op(
            "Conv",
            masked,
            *weights,
            kernel_shape=list(conv.kernel_size),
            strides=list(conv.stride),
            pads=[1, 1, 1, 1],
        )
        y = g.op("Reshape", g.op("Transpose", y_BCTF, perm=[0, 2, 1, 3]), g.weight([0, 0, -1]))
        x = g.op("Relu", _layer_norm(g, norm, y, f"{prefix}.norm"))
        quotient = g.op("Div", g.op("Sub", lengths, g.weight(1)), g.weight(conv.stride[0]))  # kernel 3, padding 1
        lengths = g.op("Add", quotient, g.weight(1))
    return x, lengths


def context_layers(g: Graph, context: Context, x_TBD: str, lengths: str) -> str:
    """Apply the bidirectional stack. Shape: (T, B, D), (B,) -> (T, B, 2H)"""
    lengths32 = g.op("Cast", lengths, to=INT32)
    for index, (layer, norm) in enumerate(zip(context.layers, context.norms, strict=True)):
        directions = [cells.onnx_weights(one) for one in (layer.ahead, layer.back)]
        weights = {
            name: g.weight(np.stack([direction[name] for direction in directions]), f"context.layers.{index}.{name}")
            for name in directions[0]
        }
        kind = kind_of(layer.ahead)
        inputs = cells.node_inputs(x_TBD, weights, lengths32)
        y_T2BH = g.op(OPERATORS[kind], *inputs, direction="bidirectional", **cells.attributes(layer.ahead))
        y = g.op("Reshape", g.op("Transpose", y_T2BH, perm=[0, 2, 1, 3]), g.weight([0, 0, -1]))
        x_TBD = _layer_norm(g, norm, y, f"context.norms.{index}")
    return x_TBD


def linear(g: Graph, layer: nn.Linear, x: str, name: str) -> str:
    """Apply a fully connected layer, whose weight is stored transposed."""
    product = g.op("MatMul", x, g.weight(layer.weight.detach().numpy().T, f"{name}.weight"))
    return g.op("Add", product, g.weight(layer.bias.detach().numpy(), f"{name}.bias"))


def _layer_norm(g: Graph, norm: nn.LayerNorm, x: str, name: str) -> str:
    """Normalise over the last axis, into which the axes of the norm have been flattened."""
    scale = g.weight(norm.weight.detach().numpy().reshape(-1), f"{name}.weight")
    bias = g.weight(norm.bias.detach().numpy().reshape(-1), f"{name}.bias")
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=norm.eps)


def _mask(g: Graph, x: str, lengths: str) -> str:
    """Build a mask: 1.0 where axis 1 of `x` is within the lengths, else 0.0. (B, T, ...), (B,) -> (B, T)"""
    size = g.op("Squeeze", g.op("Slice", g.op("Shape", x), g.weight([1]), g.weight([2])), g.weight([0]))
    positions = g.op("Range", g.weight(0), size, g.weight(1))
    within = g.op("Less", positions, g.op("Unsqueeze", lengths, g.weight([1])))
    return g.op("Cast", within, to=FLOAT)
