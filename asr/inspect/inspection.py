"""What a model does with one recording, from the waveform to the words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr import audio
from asr.decoding.greedy import greedy
from asr.errors import AudioError, ModelError
from asr.inspect import network
from asr.inspect.behaviour import Behaviour, describe, loudness
from asr.inspect.connectivity import REACH_S, gradients
from asr.inspect.network import Network, Trace
from asr.models.description import AcousticDescription
from asr.models.session import OnnxModel
from asr.progress import Progress, silent
from asr.text import Tokenizer
from asr.transcript.words import Word
from asr.transcription.transcriber import Transcriber
from asr.transcription.windows import leveller

MAX_DURATION_S = 30.0
"""Longest recording: a page about a longer one would be too large, and nobody could look at all of it."""
TOLERANCE = {"float": 1e-2, "int8": 0.5}
"""Largest root mean square difference between the log-probs computed here and those of onnxruntime."""


@dataclass(frozen=True)
class Letter:
    """A token of the best path, and what drove it."""

    token: int
    text: str
    frame: int
    """Where it is likeliest."""
    probability: float
    gradient: np.ndarray
    """Of its log-probability by the features. Shape: (N, F)"""

    @property
    def connectivity(self) -> np.ndarray:
        """How strongly each moment drove it: the length of the gradient over the bands. Shape: (N,)"""
        return np.linalg.norm(self.gradient, axis=1)


@dataclass(frozen=True)
class Inspection:
    """All there is to show."""

    description: AcousticDescription
    network: Network
    waveform: np.ndarray
    trace: Trace
    log_probs: np.ndarray
    """Of the tokens, from onnxruntime. Shape: (T, V)"""
    difference: float
    """Root mean square difference between these and those of `trace`."""
    letters: list[Letter]
    words: Sequence[Word]
    """As the search found them, without punctuation."""
    tokens: list[int]
    """The tokens of the best path, each once."""
    behaviours: list[tuple[Behaviour, Behaviour]]
    """Of each recurrent layer, forward and backward."""

    @property
    def duration_s(self) -> float:
        """Duration of the recording."""
        return len(self.waveform) / self.description.sample_rate

    @property
    def feature_shift_s(self) -> float:
        """Seconds per row of the features."""
        return self.network.spectrum.hop / self.description.sample_rate

    @property
    def centre_s(self) -> float:
        """Time of the middle of the first window, and so of the first frame of every stage."""
        return self.network.spectrum.window / 2 / self.description.sample_rate

    def token_text(self, token: int) -> str:
        """A token as it is shown; the space is \"␣\"."""
        return token_text(self.description.tokenizer, token)


def read(source: str, sample_rate: int, *, start_s: float = 0.0, duration_s: float | None = None) -> np.ndarray:
    """Read the recording, or a part of it, and no more of it than can be shown. Shape: -> (S,)

    Raises:
        AudioError: it cannot be read, or is longer than `MAX_DURATION_S`.
    """
    parts: list[np.ndarray] = []
    for block in audio.blocks(source, sample_rate, offset_s=start_s, duration_s=duration_s):
        parts.append(block)
        if sum(map(len, parts)) > MAX_DURATION_S * sample_rate:
            raise AudioError(
                f"'{source}' is longer than the {MAX_DURATION_S:.0f} s that can be looked into: choose a part of it, "
                "such as --start 10 --duration 5."
            )
    return np.concatenate(parts)


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """A token as it is shown; the space is \"␣\"."""
    return tokenizer.decode([token]).strip() or "␣"


def inspect(path: Path, transcriber: Transcriber, waveform: np.ndarray, progress: Progress = silent) -> Inspection:
    """Run a model file on a recording of up to `MAX_DURATION_S` and keep everything.

    Args:
        path: the model file.
        transcriber: of the same file.
        waveform: the recording at the model's sample rate. Shape: (S,)
        progress: receives the progress.

    Raises:
        ModelError: the model was not written by `asr export`.
    """
    model = transcriber.model
    assert isinstance(model, OnnxModel)
    description = model.description
    tokenizer, shift_s = description.tokenizer, description.frame_shift_s
    loaded = network.load(path)
    words = transcriber.transcribe(waveform).spoken
    levelled, _ = leveller(description)(waveform)
    log_probs = model.log_probs([levelled])[0][:, : tokenizer.size]
    trace = network.run(loaded, levelled)
    difference = _difference(path, description, network.averaged(loaded, trace), log_probs)

    path_tokens = greedy(log_probs)
    frames = [span.start + int(log_probs[span.start : span.end, span.number].argmax()) for span in path_tokens]
    spots = [(frame, span.number) for frame, span in zip(frames, path_tokens, strict=True)]
    found = gradients(loaded, trace, spots, round(REACH_S / shift_s), progress)
    letters = [
        Letter(token, token_text(tokenizer, token), frame, float(np.exp(log_probs[frame, token])), gradient)
        for (frame, token), gradient in zip(spots, found, strict=True)
    ]
    tokens = sorted({letter.token for letter in letters})
    names = [token_text(tokenizer, token) for token in tokens]
    loud = loudness(trace.features, len(log_probs))
    probabilities = np.exp(trace.log_probs[:, tokens])
    ahead, back = (
        [describe(pair[side], loud, probabilities, names, shift_s) for pair in trace.cells] for side in (0, 1)
    )
    return Inspection(
        description=description,
        network=loaded,
        waveform=waveform,
        trace=trace,
        log_probs=log_probs,
        difference=difference,
        letters=letters,
        words=words,
        tokens=tokens,
        behaviours=list(zip(ahead, back, strict=True)),
    )


def _difference(path: Path, description: AcousticDescription, own: np.ndarray, run: np.ndarray) -> float:
    """Compare the log-probs computed here with onnxruntime's. Raises ModelError if these are not the same model's."""
    limit = TOLERANCE["float" if description.precision == "float" else "int8"]
    difference = float(np.sqrt(np.square(own - run).mean())) if own.shape == run.shape else np.inf
    if not difference <= limit:
        raise ModelError(
            f"Model '{path}' cannot be inspected because what its weights compute differs from what onnxruntime "
            f"computes by {difference:.2g}, and at most {limit:g} is allowed: export it again."
        )
    return difference
