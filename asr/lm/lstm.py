"""An exported LSTM language model in onnxruntime: predicts the next token and scores sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from asr.errors import ModelError
from asr.lm.protocol import END
from asr.models.description import language_from_metadata
from asr.models.session import metadata_of, open_session

State = tuple[np.ndarray, np.ndarray]
"""Outputs and cells of the layers. Shape: both (L, B, H)"""
BATCH = 64
"""Number of texts scored at a time."""


class OnnxLanguageModel:
    """An exported language model: a `LanguageModel` over tokens."""

    unit: Literal["token"] = "token"
    kind: str = "LSTM"

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Open a model file; `threads` 0 uses all cores.

        Raises:
            ModelError: no such file, not ONNX, or not a language model made by `asr export`.
        """
        self._session = open_session(path, threads)
        self.description = language_from_metadata(metadata_of(self._session, path), f"'{path}'")
        shapes = {node.name: node.shape for node in self._session.get_inputs()}
        if "outputs" not in shapes:
            raise ModelError(f"Model '{path}' has no input for the LSTM state: export it again.")
        self._layers, _, self._hidden = shapes["outputs"]

    @property
    def size(self) -> tuple[int, ...]:
        """Its number of parameters."""
        return (self.description.parameters,)

    def start(self, batch: int = 1) -> State:
        """The state before the first token: zeros."""
        zeros = np.zeros((self._layers, batch, self._hidden), dtype=np.float32)
        return zeros, zeros

    def log_probs(self, tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Natural-log probabilities of each next token. Shape: tokens (B, T), state -> (B, T, V), state"""
        outputs, cells = state
        inputs = {"tokens": tokens.astype(np.int64), "outputs": outputs, "cells": cells}
        names = ["log_probs", "outputs_after", "cells_after"]
        log_probs, outputs, cells = map(np.asarray, self._session.run(names, inputs))
        return log_probs, (outputs, cells)

    def read(self, tokens: Sequence[int], state: State) -> tuple[np.ndarray, State]:
        """Log-probabilities of the token after the last one, for one text. Shape: -> (V,), state"""
        log_probs, state = self.log_probs(np.array([tokens]), state)
        return log_probs[0, -1], state

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each text as a sentence, including its end.

        Raises:
            DataError: a text has a character outside the model's alphabet.
        """
        encoded = [[*self.description.tokenizer.encode(text), END] for text in texts]
        by_length = sorted(range(len(texts)), key=lambda index: len(encoded[index]))
        scores = [0.0] * len(texts)
        for first in range(0, len(texts), BATCH):
            batch = by_length[first : first + BATCH]
            targets = np.full((len(batch), len(encoded[batch[-1]])), END)
            for row, index in zip(targets, batch, strict=True):
                row[: len(encoded[index])] = encoded[index]
            inputs = np.pad(targets[:, :-1], ((0, 0), (1, 0)), constant_values=END)
            log_probs, _ = self.log_probs(inputs, self.start(len(batch)))
            of_targets = np.take_along_axis(log_probs, targets[:, :, None], axis=2)[:, :, 0]
            for row, index in zip(of_targets, batch, strict=True):
                scores[index] = float(row[: len(encoded[index])].sum(dtype=np.float64))
        return scores
