"""Back-off n-gram language models (Katz 1987)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from asr.lm.trie import Trie, bounds, rearranged

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""The special words for sentence begin, sentence end and out-of-vocabulary words."""


@dataclass(frozen=True, eq=False)
class Ngram:
    """An n-gram model: a `LanguageModel` over words, queried word by word with `start`, `advance` and `finish`."""

    order: int
    words: Sequence[str]
    """Word number -> word, including `<s>`, `</s>` and `<unk>`; sorted by code points, if not `in_order`."""
    trie: Trie

    unit: Literal["word"] = field(default="word", init=False)

    @property
    def kind(self) -> str:
        """Such as "3-gram"."""
        return f"{self.order}-gram"

    @property
    def size(self) -> tuple[int, ...]:
        """The number of n-grams of each order, from 1 up."""
        return tuple(self.counts)

    @functools.cached_property
    def vocabulary(self) -> dict[str, int]:
        """Word -> its number."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def unknown(self) -> int:
        """The number of `<unk>`."""
        return self.vocabulary[UNKNOWN]

    @property
    def begin(self) -> int:
        """The number of `<s>`."""
        return self.vocabulary[BEGIN]

    @property
    def end(self) -> int:
        """The number of `</s>`."""
        return self.vocabulary[END]

    @property
    def counts(self) -> list[int]:
        """The number of n-grams of each order, from 1 up."""
        return np.diff(bounds(self.trie, self.order)).tolist()

    def in_order(self, numbers: Sequence[int]) -> "Ngram":
        """The same model with its words in another order, given by their present numbers."""
        rank = np.empty(len(numbers), np.int64)
        rank[np.asarray(numbers)] = np.arange(len(numbers))
        words = [self.words[number] for number in numbers]
        return Ngram(self.order, words, rearranged(self.trie, self.counts, rank))

    def start(self) -> int:
        """The state at the beginning of a sentence."""
        from asr.lm import lookup

        return lookup.state_of(self.trie, self.begin + 1)

    def advance(self, state: int, word: str) -> tuple[float, int]:
        """Natural log-probability of a word after a state, and the next state."""
        from asr.lm import lookup

        return lookup.advance(self.trie, state, self.vocabulary.get(word, self.unknown))

    def finish(self, state: int) -> float:
        """Natural log-probability that the sentence ends here."""
        return self.advance(state, END)[0]

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural-log probability of each text, including its end; unknown words are scored as `<unk>`."""
        return [self._sentence(text.split()) for text in texts]

    def _sentence(self, words: Sequence[str]) -> float:
        state, total = self.start(), 0.0
        for word in words:
            log_prob, state = self.advance(state, word)
            total += log_prob
        return total + self.finish(state)
