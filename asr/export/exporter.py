"""A trained model -> one `.onnx` file, written only if it computes what torch computes."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from asr.data.manifest import Utterance
from asr.errors import ModelError
from asr.evaluation.recognition import BATCH, reader
from asr.export.acoustic import build_graph
from asr.export.quantise import input_ranges, quantise
from asr.files import replacing
from asr.models.session import LogProbModel, OnnxModel
from asr.network.torch_model import TorchModel

TOLERANCE = 1e-3
"""The largest difference between two log-probs that passes."""
INT8_TOLERANCE = 0.1
"""The largest root mean square of the differences that passes in int8: 0.03 is usual, and 2 costs every other word."""


def export(model: TorchModel, path: Path, utterances: Sequence[Utterance], *, int8: bool = False) -> float:
    """Write `model` to `path` and return by how much its log-probs differ from torch's on the utterances.

    In 32 bits that is the largest difference. With `int8`, the root mean square of all of them; the ranges of the
    recurrent layers' inputs are then those on the utterances.

    Raises:
        ModelError: the difference is above TOLERANCE, or INT8_TOLERANCE; nothing is written then.
        AudioError: an utterance cannot be read.
    """
    metadata = model.description.to_metadata()
    if path.is_dir():
        raise ModelError(f"Model '{path}' is a folder: give the name of the .onnx file to write.")
    graph = build_graph(model.network.eval(), metadata)
    if int8:
        read = reader(model.description.sample_rate)
        graph = quantise(graph, input_ranges(model, map(read, utterances)))
    with replacing(path) as file:
        file.write(graph.SerializeToString())
        file.flush()
        difference = (mean_difference if int8 else largest_difference)(model, OnnxModel(Path(file.name)), utterances)
        limit = INT8_TOLERANCE if int8 else TOLERANCE
        if not difference <= limit:
            raise ModelError(
                f"Export of '{path}' stopped: its log-probs differ from torch's by {difference:.2g} on "
                f"{len(utterances)} utterances, and at most {limit:g} is allowed; nothing was written."
            )
    return difference


def largest_difference(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> float:
    """Over all log-probs of the utterances, each heard alone by both models and again in padded batches.

    Infinity if the numbers of frames differ, NaN if either model gives one.
    """
    largest = 0.0
    for difference in _differences(a, b, utterances):
        largest = float(np.maximum(largest, np.abs(difference).max()))  # np.maximum keeps a NaN, max() may lose it
    return largest


def mean_difference(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> float:
    """The root mean square of the same differences, with infinity and NaN as there."""
    squares = numbers = 0.0
    for difference in _differences(a, b, utterances):
        squares += float(np.square(difference, dtype=np.float64).sum())
        numbers += difference.size
    return math.sqrt(squares / numbers)


def _differences(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> Iterator[np.ndarray]:
    """Of each utterance's log-probs, first alone, then in batches; one infinity where the numbers of frames differ."""
    read = reader(a.description.sample_rate)
    waveforms = [read(utterance) for utterance in utterances]
    groups = [[waveform] for waveform in waveforms]
    groups += [waveforms[first : first + BATCH] for first in range(0, len(waveforms), BATCH)]
    for group in groups:
        for x, y in zip(a.log_probs(group), b.log_probs(group), strict=True):
            yield x - y if x.shape == y.shape else np.array([np.inf])
