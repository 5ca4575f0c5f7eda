"""Search for words by their pronunciations, in the columns of a head over phones; their letters have a say, too.

A model of English that writes letters has to learn from the few hours it hears how English is spelled. A head over
phones need not: how words are spelled is in a lexicon, and which of those that sound alike was meant is for the
language model to say. The best texts of this search are ranked again with what the letters say of them.
"""

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from asr.decoding.beam.hot_words import phrases
from asr.decoding.beam.search import BeamSearch, BeamStream, Hypothesis, without_prior
from asr.decoding.forced_alignment import Frames, frames_needed
from asr.decoding.protocol import Token
from asr.errors import AsrError
from asr.parallel import once
from asr.pronunciation.dictionary import Phones

if TYPE_CHECKING:
    from asr.pronunciation.letters_to_sounds import Converter

N_BEST = 10
"""Number of texts that are ranked again; 30 find no better ones on the dev parts of recipes/english."""
LETTERS_SHARE = 0.3
"""Weight of the letters' log-probability of a text; the rest is that of the phones. Tuned on the dev parts of
recipes/english: 0.2 to 0.5 are level."""
AGREEMENT_SCALE = 0.3
"""Multiplies the scores of the texts before they are made probabilities, to say how far the texts agree on a word: they
are those of frames that are not independent. Tuned on the dev parts of recipes/english: 0.2 to 0.5 are level."""

IMPOSSIBLE = -1e4
"""Log-probability of a text that has more letters than frames, which its phones may still have room for."""


@dataclass(frozen=True, eq=False)
class PhoneSearch:
    """A search over phones whose best texts the letters rank again. Thread-safe."""

    by_phones: Callable[[], BeamSearch]
    """The search, which may take time at the first call."""
    log_prior: np.ndarray
    """That of the letters. Shape: (V,)"""
    by_letters: Callable[[], BeamSearch]
    """A search over letters with the same language model and without hot words, for browsers."""
    converter: "Callable[[], Converter]"
    """What pronounces hot words that have no pronunciation."""

    def with_hot_words(self, hot_words: Mapping[str, float]) -> "PhoneSearch":
        """The same search with other hot words, those without a pronunciation to be pronounced at its first use.

        Raises:
            AsrError: a word cannot be written in the model's alphabet; at the first use, one cannot be pronounced.
        """
        search = self.by_phones()
        words = {word for phrase in phrases(search.tokenizer, hot_words) for word in phrase}

        def with_pronunciations() -> BeamSearch:
            known = search.pronunciations
            assert known is not None
            missing = {word: self._pronounced(word) for word in sorted(words - known.words.keys())}
            known = replace(known, words={**known.words, **missing}) if missing else known
            return search.with_hot_words(hot_words, known)

        return replace(self, by_phones=once(with_pronunciations))

    def _pronounced(self, word: str) -> tuple[Phones]:
        phones = self.converter().pronounce(word)
        if not phones:
            raise AsrError(f"The hot word {word!r} cannot be pronounced by its spelling: write it with other letters.")
        return (phones,)

    def start(self) -> "PhoneStream":
        """Begin an utterance."""
        return PhoneStream(self)


class PhoneStream:
    """The search of one utterance, in log-probs that are those of V letters, then those of P phones."""

    def __init__(self, search: PhoneSearch) -> None:
        self._log_prior, self._tokenizer = search.log_prior, search.by_phones().tokenizer
        self._stream: BeamStream = search.by_phones().start(several=True)
        self._frames = Frames()

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames. Shape: (T, V + P), natural logarithm."""
        self._frames.add(log_probs[:, : self._tokenizer.size])
        self._stream.feed(log_probs[:, self._tokenizer.size :])

    def best(self) -> list[Token]:
        """The tokens of the words of the best text so far that have ended, as letters."""
        prefixes = self._stream.best_prefixes(N_BEST)
        texts, scores = [self._stream.write(tokens) for tokens, _ in prefixes], [score for _, score in prefixes]
        return self._judged(texts, scores, 0, prefixes[0][0])

    def agreed(self, margin: float) -> int:
        """The number of letters with which all texts begin whose score is at most `margin` below the best one's."""
        words = self._words(self._stream.best_tokens()[: self._stream.agreed(margin)])
        return self._lengths(words)[-1] + bool(words)  # with the space after the last

    def commit(self, count: int) -> None:
        """Drop the texts that do not begin with the words in the first `count` letters of `best()`."""
        tokens = self._stream.best_tokens()
        words = sum(length <= count for length in self._lengths(self._words(tokens))[1:])
        self._stream.commit(next(end for end in range(len(tokens) + 1) if len(self._words(tokens[:end])) == words))

    def finish(self) -> list[Token]:
        """The letters of the best text if the utterance ends here, with what speaks for each word."""
        hypotheses = self._stream.hypotheses(N_BEST)
        log_probs = self._frames.log_probs
        if not hypotheses or log_probs is None:
            return []
        scores = self._scores(hypotheses, log_probs)
        best = int(scores.argmax())
        return self._judged([hypothesis.text for hypothesis in hypotheses], scores, best, hypotheses[best].tokens)

    def _scores(self, hypotheses: Sequence[Hypothesis], log_probs: np.ndarray) -> np.ndarray:
        """The score of each text with the letters' share in it. Shape: N, (T, V) -> (N,)"""
        from asr.decoding.beam.n_best import forward

        probabilities = np.exp(without_prior(log_probs, self._log_prior), dtype=np.float64)
        letters = [forward(probabilities, np.array(self._tokenizer.encode(each.text), np.int64)) for each in hypotheses]
        phones = np.array([each.ctc_log_prob for each in hypotheses])
        scores = np.array([each.score for each in hypotheses])
        return scores + LETTERS_SHARE * (np.maximum(letters, IMPOSSIBLE) - phones)

    def _judged(
        self, texts: Sequence[str], scores: Sequence[float] | np.ndarray, best: int, phones: Sequence[int]
    ) -> list[Token]:
        """The letters of the best text, with how far the texts agree on each word, and how well its phones fit."""
        tokens = self._align(texts[best])
        if not tokens:
            return []
        fit = self._stream.fit(phones)
        shares = agreement([text.split() for text in texts], np.array(scores), best)
        for (first, last), share in zip(self._tokenizer.words([token.number for token in tokens]), shares, strict=True):
            tokens[first:last] = [replace(token, agreement=float(share), fit=fit) for token in tokens[first:last]]
        return tokens

    def _words(self, tokens: Sequence[int]) -> list[str]:
        return self._stream.write(tokens).split()

    def _lengths(self, words: Sequence[str]) -> list[int]:
        """How many letters the first words have together, with the spaces between them: of none, of one, ..."""
        return [len(self._tokenizer.encode(" ".join(words[:count]))) for count in range(len(words) + 1)]

    def _align(self, text: str) -> list[Token]:
        """Align a text by its letters; evenly where there are more than frames."""
        tokens, log_probs = self._tokenizer.encode(text), self._frames.log_probs
        if not tokens or log_probs is None or not len(log_probs):
            return []
        if frames_needed(tokens) <= len(log_probs):
            return self._frames.align(tokens)
        starts = np.linspace(0, len(log_probs), len(tokens), endpoint=False).astype(int).tolist()
        return [
            Token(token, start, max(end, start + 1), float(log_probs[start, token]))
            for token, (start, end) in zip(tokens, itertools.pairwise([*starts, len(log_probs)]), strict=True)
        ]


def agreement(texts: Sequence[Sequence[str]], scores: np.ndarray, best: int) -> np.ndarray:
    """The probability of each word of the best text: of all texts that have it in the same place.

    Shape: N texts of words, scores (N,) -> (words of the best text,)
    """
    weights = np.exp(AGREEMENT_SCALE * (scores - scores.max()))
    shares = np.zeros(len(texts[best]))
    for text, weight in zip(texts, weights / weights.sum(), strict=True):
        for start, _, length in difflib.SequenceMatcher(None, texts[best], text, autojunk=False).get_matching_blocks():
            shares[start : start + length] += weight
    return shares.clip(max=1.0)
