"""Interfaces of language models: those of all, and those of models over tokens."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np

END = 0
"""The token at the end of a sentence and before its first token."""


Unit = Literal["word", "token"]
"""What a language model predicts: words, or the tokens of an acoustic model."""


class SentenceScorer(Protocol):
    """A language model that scores sentences; all of them do."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each text, including its end."""
        ...


class LanguageModel(SentenceScorer, Protocol):
    """A language model of any kind."""

    @property
    def unit(self) -> Unit:
        """The unit it predicts."""
        ...

    @property
    def kind(self) -> str:
        """Its kind, such as "3-gram"."""
        ...

    @property
    def size(self) -> tuple[int, ...]:
        """Its number of n-grams of each order, or of parameters; used to detect a model that was not tuned for."""
        ...


class TokenModel(Protocol):
    """A language model over tokens that reads a batch of texts."""

    def start(self, batch: int = 1) -> Any:
        """The state before the first token. Shape: arrays (L, B, H)"""
        ...

    def log_probs(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of each next token. Shape: tokens (B, T), state -> (B, T, V), state"""
        ...


class Reader(Protocol):
    """A language model over tokens that reads one text."""

    def start(self) -> Any:
        """The state before the first token."""
        ...

    def read(self, tokens: Sequence[int], state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of the token after the last one, and the new state. Shape: -> (V,)"""
        ...
