"""How well a language model predicts a text."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.errors import DataError
from asr.lm.ngram import Ngram
from asr.lm.protocol import SentenceScorer
from asr.lm.sentences import Encoder, Share, count_words, encode_all, lines
from asr.text import Tokenizer

SENTENCES = 4_096
"""Sentences that a speller is given at a time, so that those of like length can be read together."""


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
        DataError: a text cannot be read, is not UTF-8, or holds a mark such as `<s>`; there is no word at all, or none
            that the model knows.
    """
    from asr.lm import lookup

    counts = count_words(texts, normalised, lambda part: share(part / 2))
    if not counts:
        raise DataError(f"{', '.join(map(str, texts))}: there is no word to measure on; give text, a sentence a line.")
    if not any(word.decode() in ngram.vocabulary for word in counts):
        raise DataError(
            f"{', '.join(map(str, texts))}: the language model knows none of the {len(counts):,} words, such as "
            f"{next(iter(counts)).decode()!r}; give text as the model has it, or --normalise."
        )
    encoder = Encoder({word.encode(): number for word, number in ngram.vocabulary.items()}, normalised)
    start = ngram.start()
    log_prob = unknown_log_prob = 0.0
    sentences = unknown = 0
    for _, numbers in encode_all(texts, encoder, lambda part: share((1 + part) / 2)):
        log_probs = np.empty(len(numbers))
        lookup.sentence_log_probs(ngram.trie, start, numbers, ngram.end, log_probs)
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


@dataclass(frozen=True)
class Spelled:
    """A model that spells, such as an LSTM over characters, on a text."""

    sentences: int
    words: int
    left_out: int
    """Lines with letters or digits that the model does not know; the other figures are without them."""
    all: Part
    """The spelling of every word is paid for."""


def measure_speller(
    model: SentenceScorer, tokenizer: Tokenizer, texts: Sequence[Path], share: Share = lambda share: None
) -> Spelled:
    """Score text files, a sentence a line, normalised to the model's alphabet.

    Raises:
        DataError: a text cannot be read, is not UTF-8, or holds a mark such as `<s>`; no sentence can be spelled.
    """
    left_out = sentences = words = characters = 0
    log_prob = 0.0
    for batch in _batches(tokenizer.normalise(line) for _, line in lines(texts, share)):
        known = [text for text in batch if not set(text) - set(tokenizer.alphabet)]
        left_out += len(batch) - len(known)
        sentences += len(known)
        words += sum(len(text.split()) for text in known)
        characters += sum(len(text) + 1 for text in known)
        log_prob += math.fsum(model.score(known))
    if not sentences:
        raise DataError(
            f"{', '.join(map(str, texts))}: there is no sentence in the model's alphabet, {tokenizer.alphabet!r}; give "
            "text, a sentence a line."
        )
    return Spelled(sentences, words, left_out, Part(words + sentences, characters, log_prob))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Those that are not empty, many at a time."""
    filled = (text for text in texts if text)
    while batch := list(itertools.islice(filled, SENTENCES)):
        yield batch
