"""CTC prefix beam search with an n-gram language model, a vocabulary and hot words.

The score of a text is ln P(text | audio) + `lm_weight` * ln P(text) + `word_bonus` * words, the last two only with a
language model, plus the scores of unknown and hot words. The compiled search is `asr.decoding.beam.kernel`, imported
when the first `BeamSearch` is created.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asr.decoding.beam import hot_words as hot_word_automaton
from asr.decoding.beam import lexicon
from asr.decoding.beam.options import BeamOptions
from asr.decoding.forced_alignment import Frames, fit, frames_needed
from asr.decoding.protocol import Token
from asr.errors import AsrError, DataError
from asr.lm.ngram import Ngram
from asr.lm.trie import Trie, frozen
from asr.pronunciation.lexicon import Lexicon
from asr.text import BOUNDARY, FIRST_PHONE, Tokenizer

LOOKAHEAD_CACHE_SIZE = 1 << 14
"""Cached look-ahead results per utterance; most are needed again in the next frame."""
NO_PRIOR = np.zeros(0)
FIRST_SYMBOL = 0xE000
"""Code point that stands for the first phone: one for private use."""
MAX_HOMOPHONES = 8
"""Homophones that the search tells apart; rarer ones are not found."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A candidate text of an utterance."""

    text: str
    tokens: tuple[int, ...]
    score: float
    """Total score, by which hypotheses are ranked."""
    ctc_log_prob: float
    """Of the text given the audio, summed over all paths that were searched; in an n-best list, over all paths."""
    lm_log_prob: float
    """Unweighted log-probability of the language model, sentence end included; 0 without one."""


class BeamSearch:
    """Beam search over a model's tokens. Thread-safe."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: BeamOptions | None = None,
        *,
        ngram: Ngram | None = None,
        vocabulary: Sequence[str] = (),
        pronunciations: Lexicon | None = None,
        hot_words: Mapping[str, float] | None = None,
        log_prior: np.ndarray = NO_PRIOR,
    ) -> None:
        """Prepare the search.

        Args:
            tokenizer: of the acoustic model.
            options: pruning limits and weights.
            ngram: a word language model; its words are the vocabulary.
            vocabulary: the known words if there is no `ngram`.
            pronunciations: those of the words of `ngram`: the search is over phones instead of the tokenizer's tokens,
                and only words with a pronunciation can be found.
            hot_words: word or phrase -> boost, added to the score for each occurrence. An unfinished one gets a share
                in proportion to its letters so far. In a closed vocabulary, words outside it have no effect. Over
                phones, those with `pronunciations` become part of the vocabulary, and others have no effect.
            log_prior: is subtracted from the log-probs, which are then normalised again. Shape: (V,), or (0,) for none

        Raises:
            AsrError: a hot word or the language model cannot be written in the model's alphabet, or the options demand
                a closed vocabulary and there is none.
        """
        from asr.decoding.beam import pruning, rules

        self.tokenizer = tokenizer
        self.options = options or BeamOptions()
        self.ngram = ngram
        """The language model; None for none."""
        words = vocabulary if ngram is None else ngram.words
        phrases = hot_word_automaton.phrases(tokenizer, hot_words or {})
        self.words: Sequence[str] = words
        """The known words, and hot ones that the language model does not have."""
        if ngram is not None and pronunciations is not None:
            self.words = [*words, *_missing(phrases, ngram, pronunciations)]
            known, spelling = _by_phones(self.words, ngram, pronunciations, tokenizer.alphabet)
            self.options = replace(self.options, closed=True)
        else:
            known, spelling = lexicon.build(words, tokenizer.alphabet), lexicon.spelling(tokenizer)
        self.pronunciations, self.log_prior = pronunciations, log_prior
        self.columns = tokenizer.size if pronunciations is None else FIRST_PHONE + len(pronunciations.phones)
        """Number of columns of the log-probs."""
        if len(words) and len(known.word) == 1:
            raise AsrError(
                f"None of the {len(words):,} words of the vocabulary, such as {words[-1]!r}, can be written in the "
                f"model's alphabet {tokenizer.alphabet!r}: train the language model on text normalised the same way."
            )
        if self.options.closed and not len(words):
            raise AsrError("A closed vocabulary (`closed`) needs words: give a language model or a vocabulary.")
        best_unigram, word_range = np.zeros(len(known.word)), np.zeros((len(known.word), 2), np.int32)
        if ngram is not None:
            word_range = lexicon.words_below(known, len(words))
            nodes, numbers = lexicon.ends(known)
            best_unigram[:] = -np.inf
            numbers = np.where(numbers < len(words), numbers, ngram.unknown)
            np.maximum.at(best_unigram, nodes, ngram.trie.log_prob[numbers + 1])
            best_unigram = lexicon.best_below(known, best_unigram)
        self.lm_weight = float(self.options.lm_weight) if ngram is not None else 0.0
        """Weight of the language model; 0 without one."""
        self.word_bonus = word_bonus = float(self.options.word_bonus) if ngram is not None else 0.0
        """Added to the score for each word; 0 without a language model."""
        min_pending = float(self.options.unknown_score) if len(words) and not self.options.closed else -math.inf
        letters = max(1, len(set(tokenizer.alphabet) - {" "}))
        unknown_letter = -float(self.options.lm_weight) * math.log(letters)
        self._rules = rules.Rules(
            spelling=spelling,
            vocabulary=known,
            best_unigram=best_unigram,
            word_range=word_range,
            ngram=ngram.trie if ngram is not None else _no_ngram(),
            cache_keys=np.zeros(1, np.uint64),
            cache_values=np.zeros(1),
            **_boosts(self._automaton({}), {}, word_bonus, min_pending, unknown_letter),
            num_known=len(words),
            unknown=ngram.unknown if ngram is not None else 0,
            end=ngram.end if ngram is not None else 0,
            has_vocabulary=len(words) > 0,
            has_ngram=ngram is not None,
            closed=self.options.closed,
            by_phones=pronunciations is not None,
            lm_weight=float(self.options.lm_weight),
            word_bonus=word_bonus,
            unknown_score=float(self.options.unknown_score),
            unknown_letter=unknown_letter,
            min_pending=min_pending,
        )
        self._pruning = pruning.Pruning(
            width=self.options.width,
            threshold=float(self.options.threshold),
            tokens=self.options.tokens,
            token_threshold=float(self.options.token_threshold),
            recombine=self.options.recombine and ngram is not None,
            several=False,
        )
        self._start = ngram.start() if ngram is not None else 0
        if phrases:
            self._rules = self._with_phrases(phrases)

    def with_hot_words(self, hot_words: Mapping[str, float], pronunciations: Lexicon | None = None) -> "BeamSearch":
        """The same search with other hot words, made in no time; over phones, with pronunciations that have theirs.

        There it takes half a second if the search does not know a word yet.

        Raises:
            AsrError: a word cannot be written in the model's alphabet.
        """
        phrases = hot_word_automaton.phrases(self.tokenizer, hot_words)
        if self.ngram is not None and self.pronunciations is not None:
            sounds = pronunciations or self.pronunciations
            hot = {word for words in phrases for word in words if word in sounds.words}
            added = self.words[len(self.ngram.words) :]
            is_new = any(
                word not in self.pronunciations.words or (word not in self.ngram.vocabulary and word not in added)
                for word in hot
            )
        else:
            sounds, is_new = None, False
        if is_new:
            return BeamSearch(
                self.tokenizer,
                self.options,
                ngram=self.ngram,
                pronunciations=sounds,
                hot_words=hot_words,
                log_prior=self.log_prior,
            )
        search = copy.copy(self)
        search._rules = self._with_phrases(phrases)
        return search

    def _with_phrases(self, phrases: Mapping[tuple[str, ...], float]) -> Any:
        rules = self._rules
        hot = self._automaton(phrases)
        boosts = _boosts(hot, phrases, rules.word_bonus, rules.min_pending, rules.unknown_letter)
        return rules._replace(**boosts)

    def _automaton(self, phrases: Mapping[tuple[str, ...], float]) -> hot_word_automaton.HotWords:
        """The phrases in the letters, or phones, of this search."""
        if self.pronunciations is None:
            return hot_word_automaton.spelled(self.tokenizer, phrases)
        symbols, known = _symbols(self.pronunciations), self.pronunciations.words
        return hot_word_automaton.pronounced(
            "".join(symbols.values()),
            self.words,
            phrases,
            lambda word: ["".join(map(symbols.__getitem__, phones)) for phones in known.get(word, ())],
        )

    def start(self, *, several: bool = False) -> "BeamStream":
        """Begin an utterance that comes in chunks; `several`: keep what n-best lists need."""
        return BeamStream(self, self._rules, self._pruning._replace(several=several), self._start)

    def decode(self, log_probs: np.ndarray, n_best: int = 1) -> list[Hypothesis]:
        """Decode an utterance to its best texts, best first. Shape: log_probs (T, V), natural logarithm."""
        stream = self.start(several=n_best > 1)
        stream.feed(log_probs)
        return stream.hypotheses(n_best)

    def decode_batch(self, batch: Sequence[np.ndarray], n_best: int = 1, *, threads: int = 1) -> list[list[Hypothesis]]:
        """Decode several utterances in parallel threads. Shape: B times (T_b, V)"""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda log_probs: self.decode(log_probs, n_best), batch))


class BeamStream:
    """The state of the search in one utterance."""

    def __init__(self, search: BeamSearch, rules: Any, limits: Any, state: int) -> None:
        from asr.decoding.beam import kernel, n_best, pruning, tree

        self._kernel, self._tree, self._n_best = kernel, tree, n_best
        self._frames = Frames()
        self._search, self._pruning = search, limits
        self._rules = rules._replace(
            cache_keys=np.zeros(LOOKAHEAD_CACHE_SIZE, np.uint64), cache_values=np.zeros(LOOKAHEAD_CACHE_SIZE)
        )
        width = limits.width
        merges = np.zeros(64 * width if limits.several else width + 1, pruning.MERGE)
        self._beam = pruning.Beam(np.array([1, 1, 1]), np.zeros(width, pruning.PREFIX), merges)
        self._beam.prefixes[0]["other"] = -np.inf  # the empty prefix, whose one path has probability 1
        self._nodes = np.zeros(64 * width, tree.NODE)
        self._nodes[0]["state"], self._nodes[0]["scored_choice"] = state, -1

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames, any number of them. Shape: (T, V), natural logarithm.

        Raises:
            DataError: the frames do not have the model's number of tokens, or hold NaN.
        """
        size = self._search.columns
        if log_probs.ndim != 2 or log_probs.shape[1] != size or np.isnan(log_probs).any():
            raise DataError(
                f"Log-probs of shape {log_probs.shape} cannot be searched: they must have {size} columns, one for "
                "each token of the model, and no NaN."
            )
        log_probs = np.ascontiguousarray(log_probs, np.float32)
        self._frames.add(log_probs)
        log_probs = without_prior(log_probs, self._search.log_prior)
        while len(log_probs):
            done = self._kernel.search(self._rules, self._pruning, self._beam, self._nodes, log_probs)
            log_probs = log_probs[done:]
            if len(log_probs):
                self._make_room()

    def best(self) -> list[Token]:
        """The tokens of the best prefix so far, aligned with the likeliest path."""
        return self.align(self.best_tokens())

    def agreed(self, margin: float) -> int:
        """The number of tokens with which all prefixes begin whose score is at most `margin` below the best."""
        prefixes = self._beam.prefixes[: self._beam.counts[0]]
        leaves = prefixes["node"][prefixes["score"] >= prefixes["score"].max() - margin]
        return len(self._tree.tokens_of(self._nodes, self._tree.common_ancestor(self._nodes, leaves)))

    def commit(self, count: int) -> None:
        """Drop the prefixes that do not begin with the first `count` tokens of the best one."""
        counts, prefixes, _ = self._beam
        node = self._best_node()
        for _ in range(len(self._tree.tokens_of(self._nodes, node)) - count):
            node = int(self._nodes[node]["parent"])
        leaves = prefixes["node"][: counts[0]].copy()
        is_kept = self._tree.descends(self._nodes, leaves, node)
        kept = prefixes[: counts[0]][is_kept]
        self._nodes["slot"][leaves] = -1
        self._nodes["slot"][kept["node"]] = np.arange(len(kept))
        prefixes[: len(kept)] = kept
        counts[0] = len(kept)
        if self._pruning.several:  # what was recombined into these prefixes may begin otherwise
            self._nodes["merged"] = 0
            counts[2] = 1

    def _best_node(self) -> int:
        prefixes = self._beam.prefixes[: self._beam.counts[0]]
        return int(prefixes["node"][prefixes["score"].argmax()])

    def finish(self) -> list[Token]:
        """The tokens of the best text if the utterance ends here."""
        best = self.hypotheses()
        return self.align(best[0].tokens) if best else []

    def align(self, tokens: Sequence[int]) -> list[Token]:
        """Align the tokens of a text with the frames so far."""
        return self._frames.align(tokens)

    def fit(self, tokens: Sequence[int]) -> float:
        """How well a text over phones fits the frames so far, at least one; see `asr.decoding.forced_alignment.fit`.

        The boundary after the last word may have been heard or not.
        """
        log_probs, emitted = self._frames.log_probs, self._emitted(tokens).tolist()
        assert log_probs is not None
        texts = (emitted, [*emitted, BOUNDARY])
        return max(fit(log_probs, text) for text in texts if frames_needed(text) <= len(log_probs))

    def hypotheses(self, n_best: int = 1) -> list[Hypothesis]:
        """The best texts so far as if the utterance ended here, best first; more frames may follow."""
        node, choice, paths, lm, score = self._kernel.finish(self._rules, self._beam, self._nodes)
        valid = np.flatnonzero(score > -np.inf)
        columns = zip(*(column[valid].tolist() for column in (score, paths, lm, node, choice)), strict=True)
        ends = [(*scores, number, self._last_token(number, chosen)) for *scores, number, chosen in columns]
        log_probs = self._frames.log_probs if self._pruning.several else None
        if log_probs is not None:
            log_probs = without_prior(log_probs, self._search.log_prior)
        texts = self._n_best.best_texts(
            ends, self._nodes, self._beam.merges, log_probs, self.write, self._emitted, n_best
        )
        return [Hypothesis(*path) for path in texts]

    def best_tokens(self) -> list[int]:
        """The tokens of the best prefix so far, as `write` reads them."""
        return self._tree.tokens_of(self._nodes, self._best_node()).tolist()

    def best_prefixes(self, count: int) -> list[tuple[list[int], float]]:
        """The tokens and the score of the best prefixes so far, best first."""
        prefixes = self._beam.prefixes[: self._beam.counts[0]]
        best = prefixes[np.argsort(-prefixes["score"], kind="stable")[:count]]
        return [(self._tree.tokens_of(self._nodes, int(one["node"])).tolist(), float(one["score"])) for one in best]

    def write(self, tokens: Sequence[int]) -> str:
        """The text of tokens; of a head over phones only the words that have ended."""
        if not self._rules.by_phones:
            return " ".join(self._search.tokenizer.decode(tokens).split())
        numbers = self._tree.words_of(self._rules, np.array(tokens, np.int64))
        return " ".join(str(self._search.words[number]) for number in numbers.tolist())

    def _last_token(self, node: int, choice: int) -> tuple[int, ...]:
        """What completes a prefix: in a head over phones the boundary after the chosen word, if one has begun."""
        if not self._rules.by_phones or self._nodes[node]["letters"] == 0:
            return ()
        return (BOUNDARY if choice == 0 else self._search.columns + choice - 1,)

    def _emitted(self, tokens: Sequence[int]) -> np.ndarray:
        """The columns that emit the tokens; the boundary after the last word needs none."""
        numbers = np.array(tokens, np.int64)
        if not self._rules.by_phones:
            return numbers
        numbers[numbers >= self._search.columns] = BOUNDARY
        return numbers[:-1] if len(numbers) and numbers[-1] == BOUNDARY else numbers

    def _make_room(self) -> None:
        """Remove dead prefixes, unless an n-best list may need them; double whichever array is nearly full."""
        counts, prefixes, merges = self._beam
        if not self._pruning.several:
            counts[1] = self._tree.compact(self._nodes, counts[1], prefixes["node"][: counts[0]])
        if 2 * counts[1] + 2 * self._pruning.width > len(self._nodes):
            self._nodes = np.concatenate([self._nodes, np.zeros_like(self._nodes)])
        if counts[2] + self._pruning.width > len(merges):
            self._beam = self._beam._replace(merges=np.concatenate([merges, np.zeros_like(merges)]))


def without_prior(log_probs: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    """Divide probabilities by how likely each token is anyway, and normalise them again.

    What is left is proportional to the likelihood of the audio given the token, which is what a language model should
    be multiplied with, as in hybrid models (Bourlard and Morgan 1994; with CTC: Miao et al. 2015).

    Shape: (T, V), (V,) or (0,) -> (T, V)
    """
    if not len(log_prior):
        return log_probs
    scaled = log_probs - log_prior.astype(np.float32)
    scaled -= np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    return scaled


def _symbols(pronunciations: Lexicon) -> dict[str, str]:
    """The character that stands for each phone."""
    return {phone: chr(FIRST_SYMBOL + number) for number, phone in enumerate(pronunciations.phones)}


def _missing(phrases: Mapping[tuple[str, ...], float], ngram: Ngram, pronunciations: Lexicon) -> list[str]:
    """The words of phrases that have a pronunciation, but are not in the language model."""
    words = {word for words in phrases for word in words if word in pronunciations.words}
    return sorted(words - ngram.vocabulary.keys()) if words else []


def _by_phones(
    words: Sequence[str], ngram: Ngram, pronunciations: Lexicon, alphabet: str
) -> tuple[lexicon.Lexicon, lexicon.Spelling]:
    """The pronunciations of words that the alphabet can write; of homophones the likelier first.

    The first words are those of the language model; others come before their homophones.
    """
    symbols = _symbols(pronunciations)
    costs = [*(-ngram.trie.log_prob[1 : len(ngram.words) + 1]).tolist(), *[-math.inf] * (len(words) - len(ngram.words))]
    entries = [
        (costs[number], number, "".join(symbols[phone] for phone in phones))
        for number, word in enumerate(words)
        if set(word) <= set(alphabet) and word.strip("'")
        for phones in pronunciations.words.get(word, ())
    ]
    entries.sort()
    numbers = np.array([number for _, number, _ in entries], np.int32)
    trie = lexicon.build([sounds for _, _, sounds in entries], "".join(symbols.values()))
    trie = trie._replace(word=np.where(trie.word >= 0, numbers[trie.word], -1), others=numbers[trie.others])
    most = int(np.diff(trie.others_first).max(initial=0))
    return trie, lexicon.phone_spelling(len(symbols), 1 + min(most, MAX_HOMOPHONES - 1))


def _boosts(
    hot: hot_word_automaton.HotWords,
    phrases: Mapping[tuple[str, ...], float],
    word_bonus: float,
    min_pending: float,
    unknown_letter: float,
) -> dict[str, Any]:
    """The rules that depend on the hot words."""
    max_boost_step = float(hot.partial_boost.max() - hot.partial_boost.min())
    max_word_end = word_bonus + max(0.0, hot.boost.max()) + max(0.0, min_pending)
    return {
        "hot": hot,
        "max_boost_step": max_boost_step,
        "min_pending_per_letter": 0.0 if phrases else unknown_letter,
        "max_gain": max(0.0, max_word_end) + max(0.0, min_pending) + max_boost_step,
    }


def _no_ngram() -> Trie:
    """A placeholder of the same types, so that one compiled search works with and without a language model."""
    integer, real = np.zeros(2, np.int32), np.zeros(2, np.float32)
    return frozen(Trie(integer, real, integer, real, integer))
