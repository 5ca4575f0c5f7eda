"""Log-probs -> tokens with confidence, however they are searched for."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asr.decoding.greedy import GREEDY, greedy
from asr.decoding.protocol import Search, Token, decode
from asr.decoding.tokens_to_words import to_words
from asr.text import BLANK, Tokenizer

LIMIT = 1_000
"""Frames of a piece where nothing else is said: 40 s at 25 a second."""


@dataclass(frozen=True)
class Decoder:
    """A search, and how its confidence is read. Safe to use from several threads."""

    search: Search = GREEDY
    temperature: float = 1.0
    """What log-probs are divided by before the confidence is read off them."""
    min_confidence: float = 0.0
    """A piece in which the words' mean confidence is lower says nothing."""
    about: str = "greedy (best path), no language model"
    """For reports."""
    remark: str = ""
    """What the user should know, such as weights that were not tuned; empty for nothing."""

    def __call__(self, log_probs: np.ndarray, tokenizer: Tokenizer, limit: int = LIMIT) -> list[Token]:
        """The tokens of a recording. Shape: log_probs (T, V), natural logarithm."""
        return [token for tokens in self.stream([log_probs], tokenizer, limit) for token in tokens]

    def stream(
        self, stretches: Iterable[np.ndarray], tokenizer: Tokenizer, limit: int = LIMIT
    ) -> Iterator[list[Token]]:
        """The tokens of a recording whose log-probs come a stretch at a time, found piece by piece.

        The pieces, and so the tokens, are the same however the log-probs are cut into stretches.

        Shape: stretches (T_i, V), natural logarithm

        Args:
            stretches: the log-probs, in order.
            tokenizer: of the model.
            limit: frames of a piece at most; pieces are cut between words.
        """
        for first, log_probs in pieces(stretches, tokenizer, limit):
            tokens = tempered(decode(self.search, log_probs), log_probs, self.temperature)
            if self.min_confidence and mean_confidence(tokens, tokenizer) < self.min_confidence:
                tokens = []
            yield [replace(token, start=token.start + first, end=token.end + first) for token in tokens]


def mean_confidence(tokens: Sequence[Token], tokenizer: Tokenizer) -> float:
    """That of the words, each of which counts as much as any other; 1 without words."""
    words = to_words(tokens, tokenizer, 1.0, math.inf)
    return sum(word.confidence for word in words) / len(words) if words else 1.0


def tempered(tokens: Sequence[Token], log_probs: np.ndarray, temperature: float) -> list[Token]:
    """The tokens with the probability they have when the log-probs are divided by a temperature.

    Above 1 it makes a model less sure of itself, below 1 surer; no text changes. Shape: log_probs (T, V)
    """
    if temperature == 1 or not tokens:
        return list(tokens)
    scaled = log_probs / np.float32(temperature)
    scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    return [replace(token, log_prob=float(scaled[token.start : token.end, token.number].max())) for token in tokens]


def pieces(stretches: Iterable[np.ndarray], tokenizer: Tokenizer, limit: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a recording between words: yield the number of each piece's first frame and its log-probs.

    What fits into `limit` frames is one piece. From more, pieces are cut off, not before a third of `limit`, in the
    middle of the longest pause between two words that greedy decoding finds, or else at the likeliest blank.
    Shape: stretches (T_i, V) -> (T_p, V) with T_p <= limit, and a piece without frames for a recording without any
    """
    held, first = np.zeros((0, 0), np.float32), 0
    for rows in stretches:
        held = np.concatenate([held, rows]) if held.size else rows
        while len(held) > limit:
            cut = _cut(held[: limit + 1], tokenizer, max(1, limit // 3))
            yield first, held[:cut]
            held, first = held[cut:], first + cut
    if len(held) or not first:
        yield first, held


def _cut(log_probs: np.ndarray, tokenizer: Tokenizer, low: int) -> int:
    """The best frame for a cut from `low` on. Shape: log_probs (T, V)"""
    tokens = greedy(log_probs)
    spans = tokenizer.words([token.number for token in tokens])
    starts, ends = [tokens[first].start for first, _ in spans], [tokens[last - 1].end for _, last in spans]
    pauses = [
        (start - end, (start + end) // 2)
        for end, start in zip([0, *ends], [*starts, len(log_probs)], strict=True)
        if start > end and low <= (start + end) // 2
    ]
    return max(pauses)[1] if pauses else low + int(log_probs[low:, BLANK].argmax())
