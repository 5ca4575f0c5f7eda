"""A model file in onnxruntime: waveforms in, log-probs out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr.errors import ModelError
from asr.runtime.description import Description, from_metadata

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class LogProbModel(Protocol):
    """What transcription and evaluation ask of a model; `OnnxModel` is one, a training checkpoint another."""

    description: Description

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Natural-log token probabilities of waveforms, run as one batch. Shape: B times (S_b,) -> B times (T_b, V)"""
        ...


def open_session(path: Path, threads: int) -> "InferenceSession":
    """A model file, ready to run; `threads` 0 uses every core.

    Raises:
        ModelError: no such file, or not ONNX.
    """
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"Model '{path}' is not there: give the path of an .onnx file.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class but this one
        raise ModelError(
            f"Model '{path}' is not a whole ONNX file that onnxruntime can run ({str(error).splitlines()[0]}): "
            "export or copy it again."
        ) from None


class OnnxModel:
    """An exported model."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Open a model file; `threads` 0 uses every core.

        Raises:
            ModelError: no such file, not ONNX, or not made by `asr export`.
        """
        self._session = open_session(path, threads)
        self.description = from_metadata(self._session.get_modelmeta().custom_metadata_map, f"'{path}'")

        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        tokens = self.description.tokenizer.size
        if "output_lengths" not in outputs or outputs.get("log_probs", [0])[-1] != tokens:
            raise ModelError(f"Model '{path}' does not give log_probs of its {tokens} tokens: export it again.")

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Natural-log token probabilities of waveforms, run as one batch. Shape: B times (S_b,) -> B times (T_b, V)"""
        lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), dtype=np.float32)
        for row, waveform in zip(padded, waveforms, strict=True):
            row[: len(waveform)] = waveform
        outputs = self._session.run(["log_probs", "output_lengths"], {"waveform": padded, "lengths": lengths})
        log_probs, frames = map(np.asarray, outputs)
        return [rows[:count] for rows, count in zip(log_probs, frames, strict=True)]
