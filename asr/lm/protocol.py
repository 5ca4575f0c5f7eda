"""What every language model answers, and what one over tokens answers besides."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np

END = 0
"""The token at the end of a sentence, and before the first."""


Unit = Literal["word", "token"]
"""What a language model predicts: words, or the tokens that an acoustic model writes."""


class SentenceScorer(Protocol):
    """A language model that scores whole sentences; every one does."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each, its end included."""
        ...


class LanguageModel(SentenceScorer, Protocol):
    """A language model of any kind."""

    @property
    def unit(self) -> Unit:
        """What it predicts."""
        ...

    @property
    def kind(self) -> str:
        """Its kind in a word, such as "3-gram"."""
        ...

    @property
    def size(self) -> tuple[int, ...]:
        """Its n-grams of each order, or its parameters: by which another than the one tuned for is noticed."""
        ...


class TokenModel(Protocol):
    """A language model over tokens, which reads several texts at a time."""

    def start(self, batch: int = 1) -> Any:
        """State before the first token. Shape: arrays (L, B, H)"""
        ...

    def log_probs(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of the token after each. Shape: tokens (B, T), state -> (B, T, V), state"""
        ...


class Reader(Protocol):
    """A language model over tokens, which reads one text."""

    def start(self) -> Any:
        """State before the first token."""
        ...

    def read(self, tokens: Sequence[int], state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of the token after the last, and the state then. Shape: -> (V,)"""
        ...
