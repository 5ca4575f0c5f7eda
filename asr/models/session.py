"""A model file in onnxruntime: waveforms in, log-probs out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from asr.errors import ModelError
from asr.models.description import AcousticDescription, from_metadata

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class LogProbModel(Protocol):
    """What transcription and evaluation ask of a model; `OnnxModel` is one, a training checkpoint another."""

    description: AcousticDescription

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Natural-log token probabilities of waveforms, run as one batch. Shape: B times (S_b,) -> B times (T_b, V)"""
        ...


Device = Literal["cpu", "cuda"]
"""Where a model runs."""


def open_session(path: Path, threads: int, device: Device = "cpu") -> "InferenceSession":
    """A model file, ready to run; `threads` 0 uses every core.

    Raises:
        ModelError: no such file, not ONNX, or no such device here.
    """
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"Model '{path}' is not there: give the path of an .onnx file.")
    provider = f"{device.upper()}ExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise ModelError(
            f"Device '{device}' is not one that this onnxruntime can use: install onnxruntime-gpu in the place of "
            "onnxruntime, beside NVIDIA's driver, CUDA and cuDNN, or run on 'cpu'."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # onnxruntime's exceptions share no base class but this one
        raise ModelError(
            f"Model '{path}' is not a whole ONNX file that onnxruntime can run ({str(error).splitlines()[0]}): "
            "export or copy it again."
        ) from None
    if provider not in session.get_providers():
        raise ModelError(f"Device '{device}' does not start: check NVIDIA's driver, CUDA and cuDNN, or run on 'cpu'.")
    return session


class OnnxModel:
    """An exported model."""

    def __init__(self, path: Path, threads: int = 0, device: Device = "cpu") -> None:
        """Open a model file; `threads` 0 uses every core.

        Raises:
            ModelError: no such file, not ONNX, not made by `asr export`, or not for this device.
        """
        self._session = open_session(path, threads, device)
        self.description = from_metadata(self._session.get_modelmeta().custom_metadata_map, f"'{path}'")
        if device != "cpu" and self.description.precision == "int8":
            raise ModelError(
                f"Model '{path}' is kept in int8, which is faster on a CPU and does not run on '{device}': give a "
                "model that was exported without --int8."
            )

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
