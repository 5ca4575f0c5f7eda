"""Export a language model as an ONNX graph: tokens and state in, log-probs and new state out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch

from asr.errors import ModelError
from asr.export import cells
from asr.export.acoustic import linear
from asr.export.graph import FLOAT, INT64, Graph
from asr.files import replacing
from asr.lm.lstm import OnnxLanguageModel
from asr.models.onnx_cells import OPERATORS
from asr.network.language import LanguageModel
from asr.network.torch_model import TorchLanguageModel

TOLERANCE = 1e-3
"""Maximum allowed absolute difference of log-probs."""


def build_graph(network: LanguageModel, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Build the graph of the complete model.

    Shape:
        tokens (B, T) int64, outputs (L, B, H), cells (L, B, H) float32
        -> log_probs (B, T, V), outputs_after, cells_after (L, B, H) float32
    """
    g = Graph()
    embedded = g.op("Gather", g.weight(network.embedding.weight.detach().numpy(), "embedding.weight"), "tokens")
    x_TBD = g.op("Transpose", embedded, perm=[1, 0, 2])
    states: dict[str, list[str]] = {"outputs": [], "cells": []}
    for number, layer in enumerate(network.layers):
        weights = {
            name: g.weight(array[None], f"layers.{number}.{name}") for name, array in cells.onnx_weights(layer).items()
        }
        previous = [g.op("Slice", name, g.weight([number]), g.weight([number + 1])) for name in states]
        operator, attributes = OPERATORS[network.config.cell], cells.attributes(layer)
        if operator == "GRU":  # its only state is its output
            inputs = cells.node_inputs(x_TBD, weights, "", previous[:1])
            y_T1BH, output = g.ops(operator, *inputs, count=2, **attributes)
            cell = output
        else:
            inputs = cells.node_inputs(x_TBD, weights, "", previous)
            y_T1BH, output, cell = g.ops(operator, *inputs, count=3, **attributes)
        x_TBD = g.op("Squeeze", y_T1BH, g.weight([1]))
        states["outputs"].append(output)
        states["cells"].append(cell)
    for name, layer_states in states.items():
        g.op("Concat", *layer_states, axis=0, output=f"{name}_after")
    head = network.head
    logits = linear(g, head, x_TBD, "head")
    g.op("Transpose", g.op("LogSoftmax", logits, axis=2), perm=[1, 0, 2], output="log_probs")
    state = (FLOAT, [network.config.layers, "batch", network.config.hidden])
    return g.model(
        inputs={"tokens": (INT64, ["batch", "length"]), "outputs": state, "cells": state},
        outputs={
            "log_probs": (FLOAT, ["batch", "length", head.out_features]),
            "outputs_after": state,
            "cells_after": state,
        },
        metadata=metadata,
    )


def export(model: TorchLanguageModel, path: Path, texts: Sequence[str]) -> float:
    """Export `model` to `path` and return the maximum absolute difference from torch's log-probs on the texts.

    Raises:
        ModelError: the difference exceeds TOLERANCE; nothing is written.
    """
    with replacing(path) as file:
        file.write(build_graph(model.network.eval(), model.description.to_metadata()).SerializeToString())
        file.flush()
        exported = OnnxLanguageModel(Path(file.name))
        difference = max(_difference(model, exported, text) for text in texts)
        if not difference <= TOLERANCE:
            raise ModelError(
                f"Cannot export '{path}': its log-probs differ from torch's by {difference:.2g} on {len(texts)} "
                f"sentences, but at most {TOLERANCE:g} is allowed; nothing was written."
            )
    return difference


@torch.no_grad()
def _difference(model: TorchLanguageModel, exported: OnnxLanguageModel, text: str) -> float:
    """Compute the maximum absolute difference of the log-probs after each token of a text."""
    tokens = [0, *model.description.tokenizer.encode(text)]
    expected, _ = model.network(torch.tensor([tokens]), model.network.start(1))
    log_probs, _ = exported.log_probs(np.array([tokens]), exported.start())
    return float(np.abs(expected.numpy() - log_probs).max())
