"""Export a trained model to one `.onnx` file, which is written only if its output agrees with torch."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from asr.data.manifest import Utterance
from asr.errors import ModelError
from asr.evaluation.recognition import BATCH, reader
from asr.export.acoustic import build_graph
from asr.export.quantise import calibrate, quantise
from asr.files import replacing
from asr.models.session import LogProbModel, OnnxModel
from asr.network.torch_model import TorchModel

TOLERANCE = 1e-3
"""Maximum allowed absolute difference of log-probs."""
INT8_TOLERANCE = 0.1
"""Maximum allowed root mean square difference in int8: 0.03 is typical, and 2 makes every other word wrong."""


def export(model: TorchModel, path: Path, utterances: Sequence[Utterance], *, int8: bool = False) -> float:
    """Export `model` to `path` and return the difference between its log-probs and torch's on the utterances.

    This is the maximum absolute difference for a float model and the root mean square difference for an `int8` model,
    for which the ranges of the recurrent layers' inputs are measured on the same utterances.

    Raises:
        ModelError: the difference exceeds TOLERANCE or INT8_TOLERANCE; nothing is written.
        AudioError: an utterance cannot be read.
    """
    metadata = model.description.to_metadata()
    if path.is_dir():
        raise ModelError(f"Model '{path}' is a folder: give the name of the .onnx file to write.")
    graph = build_graph(model.network.eval(), metadata)
    if int8:
        read = reader(model.description.sample_rate)
        calibrations = calibrate(model.network.context, lambda wave: model.log_probs([wave]), map(read, utterances))
        graph = quantise(graph, calibrations)
    with replacing(path) as file:
        file.write(graph.SerializeToString())
        file.flush()
        try:
            difference = (mean_difference if int8 else largest_difference)(
                model, OnnxModel(Path(file.name)), utterances
            )
        except ModelError:  # its outputs are not numbers
            difference = math.nan
        limit = INT8_TOLERANCE if int8 else TOLERANCE
        if not difference <= limit:
            raise ModelError(
                f"Cannot export '{path}': its log-probs differ from torch's by {difference:.2g} on "
                f"{len(utterances)} utterances, but at most {limit:g} is allowed; nothing was written."
            )
    return difference


def largest_difference(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> float:
    """Compute the maximum absolute difference of two models' log-probs, over single runs and padded batches.

    It is infinity if the numbers of frames differ, and NaN if either model returns NaN.
    """
    largest = 0.0
    for difference in _differences(a, b, utterances):
        largest = float(np.maximum(largest, np.abs(difference).max()))  # np.maximum propagates NaN, max() may not
    return largest


def mean_difference(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> float:
    """Compute the root mean square of the same differences, with infinity and NaN as in `largest_difference`."""
    sum_of_squares = count = 0.0
    for difference in _differences(a, b, utterances):
        sum_of_squares += float(np.square(difference, dtype=np.float64).sum())
        count += difference.size
    return math.sqrt(sum_of_squares / count)


def _differences(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> Iterator[np.ndarray]:
    """Yield the differences per utterance, run alone and then in batches; infinity if the numbers of frames differ."""
    read = reader(a.description.sample_rate)
    waveforms = [read(utterance) for utterance in utterances]
    batches = [[waveform] for waveform in waveforms]
    batches += [waveforms[first : first + BATCH] for first in range(0, len(waveforms), BATCH)]
    for batch in batches:
        for x, y in zip(a.log_probs(batch), b.log_probs(batch), strict=True):
            yield x - y if x.shape == y.shape else np.array([np.inf])
