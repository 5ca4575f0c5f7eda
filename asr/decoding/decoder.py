"""Decodes log-probs to tokens with confidence, using any search."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asr.decoding.greedy import GREEDY, greedy
from asr.decoding.phone_search import PhoneSearch
from asr.decoding.protocol import Search, Token, decode
from asr.decoding.tokens_to_words import to_words
from asr.text import BLANK, Tokenizer

LIMIT = 1_000
"""Default maximum length of a segment in frames: 40 s at 25 frames per second."""


@dataclass(frozen=True)
class Decoder:
    """A search with its confidence calibration. Thread-safe."""

    search: Search = GREEDY
    temperature: float = 1.0
    """Divides the log-probs before the confidence is computed; the text does not change."""
    min_confidence: float = 0.0
    """A segment whose mean word confidence is lower yields no tokens."""
    about: str = "greedy (best path), no language model"
    """Description of the search for reports."""
    remark: str = ""
    """A notice for the user, such as that weights were not tuned; may be empty."""

    def __call__(self, log_probs: np.ndarray, tokenizer: Tokenizer, limit: int = LIMIT) -> list[Token]:
        """Decode a recording. Shape: log_probs (T, V), with a head over phones (T, V + P), natural logarithm."""
        return [token for tokens in self.stream([log_probs], tokenizer, limit) for token in tokens]

    def stream(self, chunks: Iterable[np.ndarray], tokenizer: Tokenizer, limit: int = LIMIT) -> Iterator[list[Token]]:
        """Decode a recording whose log-probs come in chunks: yield the tokens of one segment after the other.

        The segments, and thus the tokens, do not depend on how the log-probs are cut into chunks.

        Shape: chunks (T_i, V), with a head over phones (T_i, V + P), natural logarithm

        Args:
            chunks: the log-probs, in order.
            tokenizer: of the model.
            limit: maximum number of frames of a segment; segments are cut between words.
        """
        for first, log_probs in segments(chunks, tokenizer, limit):
            tokens = decode(self.search, searched(self.search, log_probs, tokenizer))
            tokens = tempered(tokens, letters_of(log_probs, tokenizer), self.temperature)
            if self.min_confidence and mean_confidence(tokens, tokenizer) < self.min_confidence:
                tokens = []
            yield [replace(token, start=token.start + first, end=token.end + first) for token in tokens]


def letters_of(log_probs: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    """The log-probs of the tokenizer's tokens, without those of phones. Shape: (T, V) or (T, V + P) -> (T, V)"""
    return log_probs[:, : tokenizer.size]


def searched(search: Search, log_probs: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    """The columns that a search reads: all, or those of the letters. Shape: (T, V + P) -> (T, V + P) or (T, V)"""
    return log_probs if isinstance(search, PhoneSearch) else letters_of(log_probs, tokenizer)


def mean_confidence(tokens: Sequence[Token], tokenizer: Tokenizer) -> float:
    """The unweighted mean of the word confidences; 1 without words."""
    words = to_words(tokens, tokenizer, 1.0, math.inf)
    return sum(word.confidence for word in words) / len(words) if words else 1.0


def tempered(tokens: Sequence[Token], log_probs: np.ndarray, temperature: float) -> list[Token]:
    """Recompute the tokens' log-probabilities after temperature scaling (Guo et al. 2017); the text does not change.

    A temperature above 1 lowers the confidence, one below 1 raises it. Shape: log_probs (T, V)
    """
    if temperature == 1 or not tokens:
        return list(tokens)
    scaled = log_probs / np.float32(temperature)
    scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    return [replace(token, log_prob=float(scaled[token.start : token.end, token.number].max())) for token in tokens]


def segments(chunks: Iterable[np.ndarray], tokenizer: Tokenizer, limit: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a recording between words: yield the index of each segment's first frame and its log-probs.

    Up to `limit` frames are one segment. A longer recording is cut, no earlier than after a third of `limit`, in the
    middle of the longest pause between two words that greedy decoding finds, or else at the likeliest blank.
    Shape: chunks (T_i, V) -> (T_s, V) with T_s <= limit; an empty recording is one empty segment
    """
    buffer, first = np.zeros((0, 0), np.float32), 0
    for chunk in chunks:
        buffer = np.concatenate([buffer, chunk]) if buffer.size else chunk
        while len(buffer) > limit:
            cut = _cut_frame(buffer[: limit + 1], tokenizer, max(1, limit // 3))
            yield first, buffer[:cut]
            buffer, first = buffer[cut:], first + cut
    if len(buffer) or not first:
        yield first, buffer


def _cut_frame(log_probs: np.ndarray, tokenizer: Tokenizer, low: int) -> int:
    """The best frame to cut at, from `low` on. Shape: log_probs (T, V)"""
    tokens = greedy(letters_of(log_probs, tokenizer))
    spans = tokenizer.words([token.number for token in tokens])
    starts, ends = [tokens[first].start for first, _ in spans], [tokens[last - 1].end for _, last in spans]
    pauses = [
        (start - end, (start + end) // 2)
        for end, start in zip([0, *ends], [*starts, len(log_probs)], strict=True)
        if start > end and low <= (start + end) // 2
    ]
    return max(pauses)[1] if pauses else low + int(log_probs[low:, BLANK].argmax())
