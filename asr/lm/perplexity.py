"""Perplexity of language models on text."""

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
"""Number of sentences passed to a token model at a time, so that it can batch those of similar length."""


@dataclass(frozen=True)
class Part:
    """Score of the sentence ends and the words of a text: all words, or those in the vocabulary."""

    tokens: int
    """Number of words and sentence ends."""
    characters: int
    """Number of characters of the words, counting the space or line end after each."""
    log_prob: float
    """Natural logarithm."""

    @property
    def perplexity(self) -> float:
        try:
            return math.exp(-self.log_prob / self.tokens)
        except OverflowError:  # a model that excludes its text
            return math.inf

    @property
    def bits_per_word(self) -> float:
        """The binary logarithm of the perplexity; a sentence end counts as a word."""
        return -self.log_prob / self.tokens / math.log(2)

    @property
    def bits_per_character(self) -> float:
        return -self.log_prob / self.characters / math.log(2)


@dataclass(frozen=True)
class Perplexity:
    """Result of a word model on a text."""

    sentences: int
    words: int
    unknown: int
    """Number of words outside the vocabulary."""
    all: Part
    """Unknown words scored as `<unk>`, without the cost of their spelling."""
    known: Part
    """Without unknown words, except as context of others."""


def measure(
    ngram: Ngram, texts: Sequence[Path], normalised: bool = False, share: Share = lambda share: None
) -> Perplexity:
    """Score text files with one sentence per line; `normalised`: normalise them like the recogniser's output.

    Raises:
        DataError: a text cannot be read, is not UTF-8 or contains a special word such as `<s>`; there are no words, or
            none that the model knows.
    """
    from asr.lm import lookup

    counts = count_words(texts, normalised, lambda fraction: share(fraction / 2))
    if not counts:
        raise DataError(
            f"{', '.join(map(str, texts))}: there are no words to evaluate; give text with one sentence per line."
        )
    if not any(word.decode() in ngram.vocabulary for word in counts):
        raise DataError(
            f"{', '.join(map(str, texts))}: the language model knows none of the {len(counts):,} words, such as "
            f"{next(iter(counts)).decode()!r}; give text normalised like the training text, or --normalise."
        )
    encoder = Encoder({word.encode(): number for word, number in ngram.vocabulary.items()}, normalised)
    start = ngram.start()
    log_prob = unknown_log_prob = 0.0
    sentences = unknown = 0
    for _, numbers in encode_all(texts, encoder, lambda fraction: share((1 + fraction) / 2)):
        log_probs = np.empty(len(numbers))
        lookup.sentence_log_probs(ngram.trie, start, numbers, ngram.end, log_probs)
        is_unknown = numbers == ngram.unknown
        sentences += int((numbers == ngram.end).sum())
        unknown += int(is_unknown.sum())
        log_prob += float(log_probs.sum())
        unknown_log_prob += float(log_probs[is_unknown].sum())
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
    """Result of a token model, such as an LSTM over characters, on a text."""

    sentences: int
    words: int
    left_out: int
    """Number of lines skipped because of letters or digits outside the model's alphabet."""
    all: Part
    """Every word includes the cost of its spelling."""


def measure_speller(
    model: SentenceScorer, tokenizer: Tokenizer, texts: Sequence[Path], share: Share = lambda share: None
) -> Spelled:
    """Score text files with one sentence per line, normalised to the model's alphabet.

    Raises:
        DataError: a text cannot be read, is not UTF-8 or contains a special word such as `<s>`; no sentence is within
            the alphabet.
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
            "text with one sentence per line."
        )
    return Spelled(sentences, words, left_out, Part(words + sentences, characters, log_prob))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Group the texts that are not empty into batches of `SENTENCES`."""
    non_empty = (text for text in texts if text)
    while batch := list(itertools.islice(non_empty, SENTENCES)):
        yield batch
