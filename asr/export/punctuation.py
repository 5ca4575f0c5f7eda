"""Export a punctuation model as an ONNX graph, and compare it with torch."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch

from asr.errors import ModelError
from asr.export.acoustic import context_layers, linear
from asr.export.graph import FLOAT, INT64, Graph
from asr.export.quantise import calibrate, dequantised, quantise
from asr.files import replacing
from asr.network.punctuation import KERNEL, PunctuationModel
from asr.network.torch_model import TorchPunctuationModel
from asr.readable.labels import CASES, MARKS
from asr.readable.pauses import CLASSES
from asr.readable.pieces import MAX_PIECES, as_rows
from asr.readable.punctuator import Punctuator

TOLERANCE = 1e-3
"""Maximum allowed absolute difference of log-probs."""
INT8_TOLERANCE = 0.2
"""Maximum allowed root mean square difference in int8."""

Text = Sequence[str]
"""Words in lower case."""


def build_graph(network: PunctuationModel, metadata: Mapping[str, str], *, int8: bool = False) -> onnx.ModelProto:
    """Build the graph of the complete model; `int8` stores the table of embeddings in int8.

    Shape:
        pieces (B, T, P) int64, pauses (B, T) int64, lengths (B,) int64
        -> marks (B, T, len(MARKS)), cases (B, T, len(CASES)) float32
    """
    g = Graph()
    table = network.embedding.weight.detach().numpy()
    name = "embedding.weight"
    rows = dequantised(g, table, name, "pieces") if int8 else g.op("Gather", g.weight(table, name), "pieces")
    summed = g.op("ReduceSum", rows, g.weight([2]), keepdims=0)
    is_piece = g.op("Cast", g.op("Greater", "pieces", g.weight(0)), to=FLOAT)
    counts = g.op("Max", g.op("ReduceSum", is_piece, g.weight([2]), keepdims=1), g.weight(1.0))
    words = g.op("Div", summed, g.op("Sqrt", counts))
    pauses = g.op("Gather", g.weight(network.pauses.weight.detach().numpy(), "pauses.weight"), "pauses")
    x_BDT = g.op("Transpose", g.op("Concat", words, pauses, axis=2), perm=[0, 2, 1])
    conv = network.conv
    assert conv.bias is not None
    weights = (
        g.weight(conv.weight.detach().numpy(), "conv.weight"),
        g.weight(conv.bias.detach().numpy(), "conv.bias"),
    )
    margin = KERNEL // 2
    x_BCT = g.op("Relu", g.op("Conv", x_BDT, *weights, kernel_shape=[KERNEL], pads=[margin, margin]))
    x_TBH = context_layers(g, network.context, g.op("Transpose", x_BCT, perm=[2, 0, 1]), "lengths")
    for head, output in ((network.marks, "marks"), (network.cases, "cases")):
        logits = linear(g, head, x_TBH, f"{output}.head")
        g.op("Transpose", g.op("LogSoftmax", logits, axis=2), perm=[1, 0, 2], output=output)
    return g.model(
        inputs={
            "pieces": (INT64, ["batch", "words", MAX_PIECES]),
            "pauses": (INT64, ["batch", "words"]),
            "lengths": (INT64, ["batch"]),
        },
        outputs={
            "marks": (FLOAT, ["batch", "words", len(MARKS)]),
            "cases": (FLOAT, ["batch", "words", len(CASES)]),
        },
        metadata=metadata,
    )


def export(model: TorchPunctuationModel, path: Path, texts: Sequence[Text], *, int8: bool = False) -> float:
    """Export `model` to `path` and return the difference of its log-probs from torch's on the texts.

    This is the maximum absolute difference for a float model and the root mean square difference for an `int8` one,
    for which the ranges of the recurrent layers' inputs are measured on the same texts.

    Raises:
        ModelError: the difference exceeds TOLERANCE or INT8_TOLERANCE; nothing is written.
    """
    network = model.network.eval()
    graph = build_graph(network, model.description.to_metadata(), int8=int8)
    cases = [_with_pauses(text, number) for number, text in enumerate(texts)]
    if int8:
        graph = quantise(graph, calibrate(network.context, lambda case: _log_probs(network, *case), cases))
    with replacing(path) as file:
        file.write(graph.SerializeToString())
        file.flush()
        exported = Punctuator(Path(file.name))
        differences = [
            (ours - theirs).ravel()
            for case in cases
            for ours, theirs in zip(_log_probs(network, *case), exported.log_probs(*case), strict=True)
        ]
        together = np.concatenate(differences).astype(np.float64)
        difference = math.sqrt(np.square(together).mean()) if int8 else float(np.abs(together).max())
        limit = INT8_TOLERANCE if int8 else TOLERANCE
        if not difference <= limit:
            raise ModelError(
                f"Cannot export '{path}': its log-probs differ from torch's by {difference:.2g} on {len(texts)} "
                f"texts, but at most {limit:g} is allowed; nothing was written."
            )
    return difference


def _with_pauses(text: Text, seed: int) -> tuple[Text, list[int]]:
    """A text with any pauses."""
    return text, np.random.default_rng(seed).integers(CLASSES, size=len(text)).tolist()


@torch.no_grad()
def _log_probs(network: PunctuationModel, words: Text, pauses: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """What torch says of the words of one text, as `Punctuator.log_probs`."""
    pieces = torch.from_numpy(as_rows(list(words), network.config.rows))[None]
    marks, cases = network(pieces, torch.tensor([list(pauses)]), torch.tensor([len(words)]))
    return marks[0].numpy(), cases[0].numpy()
