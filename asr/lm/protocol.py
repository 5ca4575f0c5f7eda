"""What programs need of a language model."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

END = 0
"""The token at the end of a sentence, and before the first."""


class Reader(Protocol):
    """A language model that reads on."""

    def start(self) -> Any:
        """What is remembered before the first token."""
        ...

    def read(self, tokens: Sequence[int], state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of the token after the last, and what is remembered then. Shape: -> (V,)"""
        ...


class TokenModel(Protocol):
    """A language model over tokens."""

    def start(self, batch: int = 1) -> Any:
        """What is remembered before the first token. Shape: arrays (L, B, H)"""
        ...

    def log_probs(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """Natural-log probabilities of the token after each. Shape: tokens (B, T), state -> (B, T, V), state"""
        ...


class SentenceScorer(Protocol):
    """A language model that reads whole sentences."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each, its end included."""
        ...
