"""How well a language model predicts a text."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.decoding.ngram import Ngram
from asr.errors import DataError
from asr.lm.text import Encoder, Share, count_words, encode_all


@dataclass(frozen=True)
class Part:
    """Sentence ends, and all words of a text or those in the vocabulary."""

    tokens: int
    """Words and sentence ends."""
    characters: int
    """Of the words, with the space or the end of the line after each."""
    log_prob: float
    """Natural logarithm."""

    @property
    def perplexity(self) -> float:
        return math.exp(-self.log_prob / self.tokens)

    @property
    def bits_per_word(self) -> float:
        """The binary logarithm of the perplexity; a sentence end counts as a word."""
        return -self.log_prob / self.tokens / math.log(2)

    @property
    def bits_per_character(self) -> float:
        return -self.log_prob / self.characters / math.log(2)


@dataclass(frozen=True)
class Perplexity:
    """A model on a text."""

    sentences: int
    words: int
    unknown: int
    """Of the words, those outside the vocabulary."""
    all: Part
    """Unknown words at the probability of `<unk>`, which pays for no spelling."""
    known: Part
    """Unknown words left out, but for their place in the context of others."""


def measure(
    ngram: Ngram, texts: Sequence[Path], normalised: bool = False, share: Share = lambda share: None
) -> Perplexity:
    """Score text files, a sentence a line; `normalised`: as the recogniser would write them.

    Raises:
        DataError: a text cannot be read, is not UTF-8, or holds a mark such as `<s>`; there is no word at all.
    """
    from asr.decoding import ngram_lookup

    counts = count_words(texts, normalised, lambda part: share(part / 2))
    if not counts:
        raise DataError(f"{', '.join(map(str, texts))}: there is no word to measure on; give text, a sentence a line.")
    encoder = Encoder({word.encode(): number for word, number in ngram.vocabulary.items()}, normalised)
    start = ngram.start()
    log_prob = unknown_log_prob = 0.0
    sentences = unknown = 0
    for _, numbers in encode_all(texts, encoder, lambda part: share((1 + part) / 2)):
        log_probs = np.empty(len(numbers))
        ngram_lookup.sentence_log_probs(ngram.trie, start, numbers, ngram.end, log_probs)
        strange = numbers == ngram.unknown
        sentences += int((numbers == ngram.end).sum())
        unknown += int(strange.sum())
        log_prob += float(log_probs.sum())
        unknown_log_prob += float(log_probs[strange].sum())
    words = sum(counts.values())
    size = {word: (len(word.decode()) + 1) * count for word, count in counts.items()}
    known = sum(size[word] for word in counts.keys() & encoder.vocabulary.keys())
    return Perplexity(
        sentences,
        words,
        unknown,
        Part(words + sentences, sum(size.values()), log_prob),
        Part(words - unknown + sentences, known, log_prob - unknown_log_prob),
    )
