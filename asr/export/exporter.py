"""A trained model -> one `.onnx` file, written only if it computes what torch computes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.data.manifest import Utterance
from asr.errors import ModelError
from asr.export.acoustic import build_graph
from asr.files import replacing
from asr.runtime.evaluation import BATCH, reader
from asr.runtime.session import LogProbModel, OnnxModel
from asr.training.checkpoint import TorchModel

TOLERANCE = 1e-3
"""The largest difference between two log-probs that passes."""


def export(model: TorchModel, path: Path, utterances: Sequence[Utterance]) -> float:
    """Write `model` to `path` and return the largest difference of log-probs that was found on the utterances.

    Raises:
        ModelError: the graph and the network differ by more than TOLERANCE; nothing is written then.
        AudioError: an utterance cannot be read.
    """
    metadata = model.description.to_metadata()
    if path.is_dir():
        raise ModelError(f"Model '{path}' is a folder: give the name of the .onnx file to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(build_graph(model.network.eval(), metadata).SerializeToString())
        file.flush()
        difference = largest_difference(model, OnnxModel(Path(file.name)), utterances)
        if not difference <= TOLERANCE:
            raise ModelError(
                f"Export of '{path}' stopped: its log-probs differ from torch's by {difference:.2g} on "
                f"{len(utterances)} utterances, and at most {TOLERANCE:g} is allowed; nothing was written."
            )
    return difference


def largest_difference(a: LogProbModel, b: LogProbModel, utterances: Sequence[Utterance]) -> float:
    """Over all log-probs of the utterances, each heard alone by both models and again in padded batches.

    Infinity if the numbers of frames differ, NaN if either model gives one.
    """
    read = reader(a.description.sample_rate)
    waveforms = [read(utterance) for utterance in utterances]
    groups = [[waveform] for waveform in waveforms]
    groups += [waveforms[first : first + BATCH] for first in range(0, len(waveforms), BATCH)]
    largest = 0.0
    for group in groups:
        for x, y in zip(a.log_probs(group), b.log_probs(group), strict=True):
            if x.shape != y.shape:
                return float("inf")
            largest = float(np.maximum(largest, np.abs(x - y).max()))  # np.maximum keeps a NaN, max() may lose it
    return largest
