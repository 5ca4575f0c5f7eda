"""CTC prefix beam search in which an LSTM language model foretells each token (shallow fusion).

The score of a text is ln P(text | sound) + `lm_weight` * ln P(text) + `word_bonus` * words, as in `asr.decoding.beam`,
but the language model reads tokens instead of words, so it also judges words that it has never seen. After each frame
the prefixes that are new and have survived are read by the language model together.
"""

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
"""A prefix is dropped when its score is this far below the best."""
TOKEN_THRESHOLD = -7.0
"""A prefix does not grow by a token below this log-probability."""


@dataclass(eq=False)
class Prefix:
    """A beginning of a text."""

    tokens: tuple[int, ...]
    bonus: float
    """What the language model and its words add."""
    state: Any = None
    """What the language model remembers. Shape: arrays (L, H)"""
    ahead: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """What it expects next; empty while it has not read the last token. Shape: (V,)"""
    children: dict[int, "Prefix"] = field(default_factory=dict)
    blank: float = -math.inf
    """Log-probability of the paths that end in a blank, and of the others."""
    other: float = -math.inf

    @property
    def last(self) -> int:
        """The last token; the blank where there is none."""
        return self.tokens[-1] if self.tokens else BLANK

    @property
    def paths(self) -> float:
        """Log-probability of all its paths."""
        return float(np.logaddexp(self.blank, self.other))


class FusionSearch:
    """A decoder for a model's tokens with a language model over the same tokens."""

    def __init__(
        self, tokenizer: Tokenizer, model: TokenModel, *, width: int, lm_weight: float, word_bonus: float
    ) -> None:
        """Prepare the search.

        Args:
            tokenizer: of both models.
            model: the language model.
            width: prefixes that are kept after each frame.
            lm_weight: what the language model's log-probabilities are multiplied by.
            word_bonus: what each word adds.

        Raises:
            AsrError: `width` is below 1.
        """
        if width < 1:
            raise AsrError(f"The beam search's `width` (={width}) must be 1 or more.")
        self.tokenizer, self.model, self.width = tokenizer, model, width
        self.lm_weight, self.word_bonus = lm_weight, word_bonus
        tokens = range(1, tokenizer.size)
        after = [[], *([token] for token in tokens)]  # nothing, or the token before
        self._begins_word = [
            [False, *(len(tokenizer.words([*last, token])) > len(tokenizer.words(last)) for token in tokens)]
            for last in after
        ]

    def start(self) -> "FusionStream":
        """Begin an utterance."""
        return FusionStream(self)

    def step(self, beam: list[Prefix], row: np.ndarray) -> list[Prefix]:
        """The prefixes after one more frame. Shape: row (V,)"""
        likely = [int(token) for token in np.flatnonzero(row > TOKEN_THRESHOLD) if token != BLANK]
        found: dict[Prefix, tuple[float, float]] = {}
        for prefix in beam:
            paths = prefix.paths
            last = prefix.last
            repeated = prefix.other + row[last] if last != BLANK else -math.inf
            blank, other = found.get(prefix, (-math.inf, -math.inf))
            found[prefix] = (np.logaddexp(blank, paths + row[BLANK]), np.logaddexp(other, repeated))
            for token in likely:
                child = prefix.children.get(token)
                if child is None:
                    child = prefix.children[token] = self._grow(prefix, token)
                grown = (prefix.blank if token == last else paths) + row[token]
                blank, other = found.get(child, (-math.inf, -math.inf))
                found[child] = (blank, np.logaddexp(other, grown))
        scores = {prefix: np.logaddexp(*ends) + prefix.bonus for prefix, ends in found.items()}
        kept = sorted(found, key=lambda prefix: -scores[prefix])[: self.width]
        kept = [prefix for prefix in kept if scores[prefix] > scores[kept[0]] - THRESHOLD]
        for prefix in beam:
            prefix.blank = prefix.other = -math.inf
        for prefix in kept:
            prefix.blank, prefix.other = found[prefix]
        self.read([prefix for prefix in kept if not len(prefix.ahead)])
        return kept

    def _grow(self, prefix: Prefix, token: int) -> Prefix:
        bonus = self.lm_weight * float(prefix.ahead[token])
        if self._begins_word[prefix.last][token]:
            bonus += self.word_bonus
        return Prefix((*prefix.tokens, token), prefix.bonus + bonus, prefix.state)

    def read(self, prefixes: list[Prefix]) -> None:
        """Let the language model read the last token of each; before the first that is END, the number of the blank."""
        if not prefixes:
            return
        last = np.array([[prefix.last] for prefix in prefixes])
        if prefixes[0].state is None:
            states = self.model.start(len(prefixes))
        else:
            states = tuple(np.stack(part, axis=1) for part in zip(*(prefix.state for prefix in prefixes), strict=True))
        ahead, states = self.model.log_probs(last, states)
        for number, prefix in enumerate(prefixes):
            prefix.ahead = ahead[number, 0]
            prefix.state = tuple(part[:, number] for part in states)


class FusionStream:
    """The search of one utterance, between two parts of it."""

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
        """The tokens of the best prefix so far, where the likeliest path has them."""
        return self._frames.place(max(self._beam, key=lambda prefix: prefix.paths + prefix.bonus).tokens)

    def finish(self) -> list[Token]:
        """The tokens of the best text if the utterance ends here."""
        weight = self._search.lm_weight
        return self._frames.place(
            max(self._beam, key=lambda prefix: prefix.paths + prefix.bonus + weight * prefix.ahead[END]).tokens
        )
