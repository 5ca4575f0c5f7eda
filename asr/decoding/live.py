"""Decode live log-probs: words that are final, a tail that may still change, and the ends of utterances.

One search runs through an utterance. A word is final as soon as all texts that are still searched agree on it and on
its end, or when `Rules.wait_s` have passed since its end; then the texts that differ are dropped, so that it never
changes. An utterance ends after `Rules.silence_s` without a word, or when it has become `Rules.longest_s` long; the
next one begins a new search, so that the state is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asr.decoding.decoder import Decoder, letters_of, searched, tempered
from asr.decoding.protocol import Token
from asr.decoding.tokens_to_words import to_words
from asr.errors import AsrError
from asr.models.description import AcousticDescription
from asr.transcript.words import Word


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When words are final and utterances end."""

    wait_s: float = 0.8
    """Longest wait for the agreement on a word, from its end on."""
    margin: float = 5.0
    """A text whose score is further below the best one's does not count in the agreement."""
    tail_s: float = 0.2
    """Time from the end of a word until it is shown in the tail: earlier ones change too often."""
    silence_s: float = 1.2
    """Time without words that ends an utterance."""
    longest_s: float = 30.0
    """Length at which an utterance is ended between two words."""

    def __post_init__(self) -> None:
        """Raises AsrError for a time that is out of its range."""
        for name, lowest in (("wait_s", 0.0), ("margin", 0.0), ("tail_s", 0.0), ("silence_s", 0.2), ("longest_s", 5.0)):
            if not lowest <= getattr(self, name) <= 3600:
                raise AsrError(f"`{name}` (={getattr(self, name):g}) must be between {lowest:g} and 3600 seconds.")


@dataclass(frozen=True, slots=True)
class Update:
    """What is new in a stream. Times are seconds from its beginning."""

    words: tuple[Word, ...]
    """The next final words; they never change."""
    tail: tuple[Word, ...]
    """The tentative words after them, instead of those of the last update."""
    ends_utterance: bool
    """Whether an utterance ends after `words`."""
    time_s: float
    """Time up to which the stream was decoded."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to what `asr listen --json` prints and the server sends."""
        return {
            "words": [_to_dict(word) for word in self.words],
            "tail": [_to_dict(word) for word in self.tail],
            "ends_utterance": self.ends_utterance,
            "time_s": round(self.time_s, 3),
        }


def _to_dict(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 4),
    }


class LiveDecoder:
    """Decodes log-probs that come in pieces."""

    def __init__(self, decoder: Decoder, description: AcousticDescription, rules: Rules) -> None:
        self._decoder, self._tokenizer = decoder, description.tokenizer
        self._shift_s = description.frame_shift_s
        self._wait, self._tail = round(rules.wait_s / self._shift_s), round(rules.tail_s / self._shift_s)
        self._silence, self._longest = round(rules.silence_s / self._shift_s), round(rules.longest_s / self._shift_s)
        self._margin = rules.margin
        self._offset = 0  # index of the first frame of the utterance
        self._end_s = 0.0  # of the last word
        self._begin()

    @property
    def time_s(self) -> float:
        """Time up to which the stream was decoded."""
        return (self._offset + self._num_frames) * self._shift_s

    def feed(self, log_probs: np.ndarray) -> Update:
        """Continue with the next frames. Shape: (T, V), natural logarithm"""
        self._add(log_probs)
        tokens = self._search.best()
        final = self._commit(tokens)
        time_s = self.time_s
        spans = self._spans(tokens)
        last_end = tokens[self._ends_at(tokens) - 1].end if self._ends_at(tokens) else 0
        ended = False
        if last_end and self._num_frames - last_end >= self._silence:
            final += self._end()
            ended = True
        elif self._num_frames >= self._longest:
            final += self._cut(tokens)
            ended = True
        elif not last_end and self._num_frames >= 2 * self._silence:
            self._restart(self._num_frames - self._silence)
        if ended:
            return Update(tuple(final), (), True, time_s)
        shown = [last for _, last in spans if tokens[last - 1].end + self._tail <= self._num_frames]
        tail = self._words(tokens[self._committed : shown[-1]]) if shown else ()
        return Update(tuple(final), (*self._withheld, *tail) if self._is_sure(tail) else (), False, time_s)

    def finish(self, log_probs: np.ndarray, duration_s: float) -> Update:
        """End the stream with its last frames; its last word ends no later than `duration_s`. Shape: (T, V)"""
        self._add(log_probs)
        return Update(tuple(self._end(duration_s)), (), True, duration_s)

    def _begin(self) -> None:
        """Begin an utterance at `_offset`."""
        self._search = self._decoder.search.start()
        self._chunks: list[np.ndarray] = []
        self._num_frames = self._committed = 0
        self._withheld: list[Word] = []
        self._confidence, self._num_words = 0.0, 0

    def _add(self, log_probs: np.ndarray) -> None:
        self._search.feed(searched(self._decoder.search, log_probs, self._tokenizer))
        self._chunks.append(log_probs)
        self._num_frames += len(log_probs)

    def _restart(self, frame: int) -> None:
        """Begin an utterance at a frame of the current one."""
        rest = np.concatenate(self._chunks)[frame:]
        self._offset += frame
        self._begin()
        self._add(rest)

    def _spans(self, tokens: Sequence[Token]) -> list[tuple[int, int]]:
        """The words after the final ones: spans (first, last + 1) of tokens."""
        numbers = [token.number for token in tokens[self._committed :]]
        return [(self._committed + first, self._committed + last) for first, last in self._tokenizer.words(numbers)]

    def _ends_at(self, tokens: Sequence[Token]) -> int:
        """One past the last token of the last word."""
        spans = self._spans(tokens)
        return spans[-1][1] if spans else self._committed

    def _commit(self, tokens: Sequence[Token]) -> list[Word]:
        """Make words final."""
        agreed = self._search.agreed(self._margin)
        first = self._committed
        for _, last in self._spans(tokens):
            if agreed > last:
                self._search.commit(last + 1)
            elif tokens[last - 1].end + self._wait <= self._num_frames:
                self._search.commit(last)
                agreed = self._search.agreed(self._margin)
            else:
                break
            self._committed = last
        return self._final(self._words(tokens[first : self._committed]))

    def _end(self, duration_s: float | None = None) -> list[Word]:
        """End the utterance here and begin the next one."""
        tokens = self._search.finish()
        words = self._final(self._words(tokens[self._committed :], duration_s))
        self._offset += self._num_frames
        self._begin()
        return words

    def _cut(self, tokens: Sequence[Token]) -> list[Word]:
        """End the utterance after its last final word; what follows begins the next one."""
        end = tokens[self._committed - 1].end if self._committed else 0
        following = [tokens[first].start for first, _ in self._spans(tokens)]
        start = following[0] if following else self._num_frames
        self._restart(max((end + start) // 2, start - self._silence))
        return []

    def _words(self, tokens: Sequence[Token], duration_s: float | None = None) -> tuple[Word, ...]:
        """Tokens as words with times of the stream, after the last final one."""
        if not tokens:
            return ()
        log_probs = letters_of(np.concatenate(self._chunks), self._tokenizer)
        tokens = tempered(tokens, log_probs, self._decoder.temperature)
        moved = [replace(token, start=token.start + self._offset, end=token.end + self._offset) for token in tokens]
        limit_s = self.time_s if duration_s is None else duration_s
        words, end_s = [], self._end_s
        for word in to_words(moved, self._tokenizer, self._shift_s, limit_s):
            start_s = min(max(word.start_s, end_s), limit_s)
            end_s = max(word.end_s, start_s)
            words.append(replace(word, start_s=start_s, end_s=end_s))
        return tuple(words)

    def _final(self, words: Sequence[Word]) -> list[Word]:
        """Take final words; return those up to which the mean confidence of the utterance is high enough."""
        ready: list[Word] = []
        for word in words:
            self._end_s = word.end_s
            self._withheld.append(word)
            self._confidence += word.confidence
            self._num_words += 1
            if self._confidence >= self._decoder.min_confidence * self._num_words:
                ready += self._withheld
                self._withheld = []
        return ready

    def _is_sure(self, tail: Sequence[Word]) -> bool:
        """Whether the mean confidence of the utterance, with these words, is high enough to show them."""
        confidence = self._confidence + sum(word.confidence for word in tail)
        return confidence >= self._decoder.min_confidence * (self._num_words + len(tail))
