"""CTC prefix beam search with shallow fusion: an LSTM language model scores every token during the search.

The score of a text is ln P(text | audio) + `lm_weight` * ln P(text) + `word_bonus` * words, as in `asr.decoding.beam`,
but the language model predicts tokens instead of words, so it can also score words that it has never seen. After each
frame, the language model reads all new prefixes that survived pruning in one batch.
"""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from asr.decoding.forced_alignment import Frames
from asr.decoding.protocol import Token
from asr.errors import AsrError
from asr.lm.protocol import END, TokenModel
from asr.text import BLANK, Tokenizer

THRESHOLD = 15.0
"""A prefix is pruned when its score is this far below the best."""
TOKEN_THRESHOLD = -7.0
"""A prefix is not extended by a token below this log-probability."""


@dataclass(eq=False)
class Prefix:
    """A partial hypothesis."""

    tokens: tuple[int, ...]
    bonus: float
    """Weighted log-probability of the language model, plus the word bonus."""
    state: Any = None
    """State of the language model. Shape: arrays (L, H)"""
    next_log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Its log-probabilities of the next token; empty until it has read the last one. Shape: (V,)"""
    children: dict[int, "Prefix"] = field(default_factory=dict)
    blank: float = -math.inf
    """Log-probability of the paths that end in a blank, and of the others."""
    other: float = -math.inf

    @property
    def last(self) -> int:
        """The last token; the blank if there is none."""
        return self.tokens[-1] if self.tokens else BLANK

    @property
    def ctc_log_prob(self) -> float:
        """Log-probability summed over all its paths."""
        return float(np.logaddexp(self.blank, self.other))


class FusionSearch:
    """Beam search with a language model over the acoustic model's own tokens."""

    def __init__(
        self, tokenizer: Tokenizer, model: TokenModel, *, width: int, lm_weight: float, word_bonus: float
    ) -> None:
        """Prepare the search.

        Args:
            tokenizer: shared by both models.
            model: the language model.
            width: number of prefixes kept after each frame.
            lm_weight: weight of the language model's log-probabilities.
            word_bonus: added to the score for each word.

        Raises:
            AsrError: `width` is below 1.
        """
        if width < 1:
            raise AsrError(f"The beam search's `width` (={width}) must be 1 or more.")
        self.tokenizer, self.model, self.width = tokenizer, model, width
        self.lm_weight, self.word_bonus = lm_weight, word_bonus
        tokens = range(1, tokenizer.size)
        after = [[], *([token] for token in tokens)]  # no token, or the previous one
        self._begins_word = [
            [False, *(len(tokenizer.words([*last, token])) > len(tokenizer.words(last)) for token in tokens)]
            for last in after
        ]

    def start(self) -> "FusionStream":
        """Begin an utterance."""
        return FusionStream(self)

    def step(self, beam: list[Prefix], row: np.ndarray) -> list[Prefix]:
        """Advance the beam by one frame. Shape: row (V,)"""
        likely = [int(token) for token in np.flatnonzero(row > TOKEN_THRESHOLD) if token != BLANK]
        # log-probability of the paths that end in a blank, and of the others
        candidates: dict[Prefix, tuple[float, float]] = {}
        for prefix in beam:
            total = prefix.ctc_log_prob
            last = prefix.last
            repeated = prefix.other + row[last] if last != BLANK else -math.inf
            blank, other = candidates.get(prefix, (-math.inf, -math.inf))
            candidates[prefix] = (np.logaddexp(blank, total + row[BLANK]), np.logaddexp(other, repeated))
            for token in likely:
                child = prefix.children.get(token)
                if child is None:
                    child = prefix.children[token] = self._extend(prefix, token)
                extended = (prefix.blank if token == last else total) + row[token]
                blank, other = candidates.get(child, (-math.inf, -math.inf))
                candidates[child] = (blank, np.logaddexp(other, extended))
        scores = {prefix: np.logaddexp(*paths) + prefix.bonus for prefix, paths in candidates.items()}
        best = sorted(candidates, key=lambda prefix: -scores[prefix])[: self.width]
        best = [prefix for prefix in best if scores[prefix] > scores[best[0]] - THRESHOLD]
        for prefix in beam:
            prefix.blank = prefix.other = -math.inf
        for prefix in best:
            prefix.blank, prefix.other = candidates[prefix]
        self.read([prefix for prefix in best if not len(prefix.next_log_probs)])
        return best

    def _extend(self, prefix: Prefix, token: int) -> Prefix:
        bonus = self.lm_weight * float(prefix.next_log_probs[token])
        if self._begins_word[prefix.last][token]:
            bonus += self.word_bonus
        return Prefix((*prefix.tokens, token), prefix.bonus + bonus, prefix.state)

    def read(self, prefixes: list[Prefix]) -> None:
        """Run the language model on the last token of each prefix; for the empty one that is END (the blank)."""
        if not prefixes:
            return
        last = np.array([[prefix.last] for prefix in prefixes])
        if prefixes[0].state is None:
            states = self.model.start(len(prefixes))
        else:
            states = tuple(
                np.stack(array, axis=1) for array in zip(*(prefix.state for prefix in prefixes), strict=True)
            )
        log_probs, states = self.model.log_probs(last, states)
        for row, prefix in enumerate(prefixes):
            prefix.next_log_probs = log_probs[row, 0]
            prefix.state = tuple(array[:, row] for array in states)


class FusionStream:
    """The state of the search in one utterance."""

    def __init__(self, search: FusionSearch) -> None:
        self._search, self._frames = search, Frames()
        root = Prefix((), 0.0, blank=0.0)
        search.read([root])
        self._beam = [root]

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames. Shape: (T, V), natural logarithm."""
        self._frames.add(log_probs)
        for row in log_probs.astype(np.float64):
            self._beam = self._search.step(self._beam, row)

    def best(self) -> list[Token]:
        """The tokens of the best prefix so far, aligned with the likeliest path."""
        return self._frames.align(self._best().tokens)

    def agreed(self, margin: float) -> int:
        """The number of tokens with which all prefixes begin whose score is at most `margin` below the best."""
        lowest = _score(self._best()) - margin
        columns = zip(*(prefix.tokens for prefix in self._beam if _score(prefix) >= lowest), strict=False)
        return sum(1 for _ in itertools.takewhile(lambda tokens: len(set(tokens)) == 1, columns))

    def commit(self, count: int) -> None:
        """Drop the prefixes that do not begin with the first `count` tokens of the best one."""
        start = self._best().tokens[:count]
        self._beam = [prefix for prefix in self._beam if prefix.tokens[:count] == start]

    def _best(self) -> Prefix:
        return max(self._beam, key=_score)

    def finish(self) -> list[Token]:
        """The tokens of the best text if the utterance ends here."""
        weight = self._search.lm_weight

        def score(prefix: Prefix) -> float:
            return prefix.ctc_log_prob + prefix.bonus + weight * prefix.next_log_probs[END]

        return self._frames.align(max(self._beam, key=score).tokens)


def _score(prefix: Prefix) -> float:
    """The score of a prefix, by which the beam is ranked."""
    return prefix.ctc_log_prob + prefix.bonus
