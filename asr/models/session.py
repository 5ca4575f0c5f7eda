"""Run a model file with onnxruntime: waveforms in, log-probs out."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from asr.errors import ModelError
from asr.models.description import (
    AcousticDescription,
    LanguageDescription,
    ModelDescription,
    PunctuationDescription,
    from_metadata,
    language_from_metadata,
    punctuation_from_metadata,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class LogProbModel(Protocol):
    """Interface of an acoustic model for transcription and evaluation: an `OnnxModel` or a training checkpoint."""

    description: AcousticDescription

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute natural-log probabilities of a batch of waveforms: of the tokens, then of the phones, if any.

        Shape: B times (S_b,) -> B times (T_b, C) with C = `description.columns`
        """
        ...


Device = Literal["cpu", "cuda"]
"""Device to run a model on."""


def open_session(path: Path, threads: int, device: Device = "cpu") -> "InferenceSession":
    """Load a model file into onnxruntime; `threads` 0 uses all cores.

    Raises:
        ModelError: the file does not exist, is not ONNX, or the device is not available.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # on by default from onnxruntime 1.29, and read when imported
    import onnxruntime

    if not path.is_file():
        raise ModelError(f"Model '{path}' does not exist: give the path of an .onnx file.")
    provider = f"{device.upper()}ExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise ModelError(
            f"The installed onnxruntime does not support the device '{device}': install onnxruntime-gpu instead of "
            "onnxruntime, with NVIDIA's driver, CUDA and cuDNN, or run on 'cpu'."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # onnxruntime's exceptions have no other common base class
        raise ModelError(
            f"Model '{path}' is not a valid ONNX file that onnxruntime can run ({str(error).splitlines()[0]}): "
            "export or copy it again."
        ) from None
    if provider not in session.get_providers():
        raise ModelError(
            f"Device '{device}' cannot be initialised: check NVIDIA's driver, CUDA and cuDNN, or run on 'cpu'."
        )
    return session


def metadata_of(session: "InferenceSession", path: Path) -> dict[str, str]:
    """The metadata of a model file. Raises ModelError if they are not text."""
    try:
        return session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise ModelError(f"Model '{path}' has damaged metadata ({error.reason}): export or copy it again.") from None


def describe(path: Path) -> ModelDescription:
    """The description in a model file of any kind. Raises ModelError like `OnnxModel`."""
    metadata = metadata_of(open_session(path, threads=1), path)
    if metadata.get("kind") == PunctuationDescription.kind:
        return punctuation_from_metadata(metadata, f"'{path}'")
    if metadata.get("kind") == LanguageDescription.kind:
        return language_from_metadata(metadata, f"'{path}'")
    return OnnxModel(path).description


class OnnxModel:
    """An exported model."""

    def __init__(self, path: Path, threads: int = 0, device: Device = "cpu") -> None:
        """Load a model file; `threads` 0 uses all cores.

        Raises:
            ModelError: the file does not exist, is not ONNX, is not from `asr export`, or cannot run on the device.
        """
        self._session = open_session(path, threads, device)
        self.description = from_metadata(metadata_of(self._session, path), f"'{path}'")
        if device != "cpu" and self.description.precision == "int8":
            raise ModelError(
                f"Model '{path}' is an int8 model, which does not run on '{device}': give a model that was exported "
                "without --int8."
            )

        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        inputs = {node.name for node in self._session.get_inputs()}
        self._path = path
        if inputs != {"waveform", "lengths"}:
            raise ModelError(f"Model '{path}' does not have the inputs `waveform` and `lengths`: export it again.")
        if "output_lengths" not in outputs or outputs.get("log_probs", [0])[-1] != self.description.columns:
            columns = f"{self.description.tokenizer.size} tokens"
            if self.description.phones:
                columns += f" and {len(self.description.phones)} phones"
            raise ModelError(f"Model '{path}' has no output log_probs for its {columns}: export it again.")

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute natural-log probabilities of a batch of waveforms: of the tokens, then of the phones, if any.

        Shape: B times (S_b,) -> B times (T_b, C) with C = `description.columns`
        """
        lengths = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), dtype=np.float32)
        for row, waveform in zip(padded, waveforms, strict=True):
            row[: len(waveform)] = waveform
        try:
            outputs = self._session.run(["log_probs", "output_lengths"], {"waveform": padded, "lengths": lengths})
        except Exception as error:  # onnxruntime's exceptions have no other common base class
            if "bad_alloc" in str(error) or "allocate memory" in str(error):
                raise MemoryError from None
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ModelError(f"Model '{self._path}' cannot be run ({reason}): export it again.") from None
        log_probs, frames = map(np.asarray, outputs)
        self._check(log_probs, frames, len(waveforms))
        return [rows[:count] for rows, count in zip(log_probs, frames, strict=True)]

    def _check(self, log_probs: np.ndarray, frames: np.ndarray, batch: int) -> None:
        """Raise ModelError for outputs that no exported model gives."""
        is_right = log_probs.ndim == 3 and len(log_probs) == batch
        is_right = is_right and log_probs.shape[2] == self.description.columns
        is_right = is_right and frames.shape == (batch,) and frames.min() >= 0 and frames.max() <= log_probs.shape[1]
        if not is_right:
            raise ModelError(
                f"Model '{self._path}' returns arrays of the shapes {log_probs.shape} and {frames.shape} for {batch} "
                "waveforms, which are not log-probs of its tokens: export it again."
            )
        if np.isnan(log_probs).any() or np.isposinf(log_probs).any():
            raise ModelError(f"Model '{self._path}' returns values that are not numbers: train or export it again.")
