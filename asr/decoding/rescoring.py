"""A second language model chooses among the best texts that a beam search found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.decoding.beam.search import BeamSearch, BeamStream, Hypothesis
from asr.decoding.protocol import Token
from asr.lm.protocol import SentenceScorer
from asr.models.decoding_settings import Rescoring

N_BEST = 100
"""Texts of an utterance that are read by the second model."""


def totals(hypotheses: Sequence[Hypothesis], second: Sequence[float], search: BeamSearch, by: Rescoring) -> np.ndarray:
    """The score of each text with both language models.

    ln P(text | sound), and what hot and unknown words add, stay as the search had them. Shape: N, N -> (N,)
    """
    words = [len(hypothesis.text.split()) for hypothesis in hypotheses]
    first = [hypothesis.lm_log_prob for hypothesis in hypotheses]
    return (
        np.array([hypothesis.score for hypothesis in hypotheses])
        + (by.lm_weight - search.lm_weight) * np.array(first)
        + (by.word_bonus - search.word_bonus) * np.array(words)
        + by.weight * np.array(second)
    )


def best(hypotheses: Sequence[Hypothesis], model: SentenceScorer, search: BeamSearch, by: Rescoring) -> Hypothesis:
    """The text with the highest score; of equal ones the search's own favourite."""
    second = model.score([hypothesis.text for hypothesis in hypotheses])
    return hypotheses[int(totals(hypotheses, second, search, by).argmax())]


@dataclass(frozen=True)
class RescoredSearch:
    """A beam search whose best texts are scored again, with a second language model."""

    search: BeamSearch
    second: SentenceScorer
    by: Rescoring

    def start(self) -> "RescoredStream":
        """Begin an utterance."""
        return RescoredStream(self, self.search.start(several=True))


class RescoredStream:
    """The search of one utterance; the second model reads its texts at the end."""

    def __init__(self, rescored: RescoredSearch, stream: BeamStream) -> None:
        self._rescored, self._stream = rescored, stream

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames. Shape: (T, V), natural logarithm."""
        self._stream.feed(log_probs)

    def best(self) -> list[Token]:
        """The tokens of the first search's best text so far."""
        return self._stream.best()

    def finish(self) -> list[Token]:
        """The tokens of the text that both language models and the recording like best, if the utterance ends here."""
        hypotheses = self._stream.hypotheses(N_BEST)
        if not hypotheses:
            return []
        chosen = best(hypotheses, self._rescored.second, self._rescored.search, self._rescored.by)
        return self._stream.place(chosen.tokens)
