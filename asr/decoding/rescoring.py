"""N-best rescoring: a second language model re-ranks the best texts of a beam search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.decoding.beam.search import BeamSearch, BeamStream, Hypothesis
from asr.decoding.protocol import Token
from asr.lm.protocol import SentenceScorer
from asr.models.decoding_settings import Rescoring

N_BEST = 100
"""Size of the list that the second model rescores."""


def totals(
    hypotheses: Sequence[Hypothesis], second_lm: Sequence[float], search: BeamSearch, weights: Rescoring
) -> np.ndarray:
    """The score of each text with both language models.

    ln P(text | audio) and the contributions of hot and unknown words are those of the search. Shape: N, N -> (N,)
    """
    words = [len(hypothesis.text.split()) for hypothesis in hypotheses]
    first_lm = [hypothesis.lm_log_prob for hypothesis in hypotheses]
    return (
        np.array([hypothesis.score for hypothesis in hypotheses])
        + (weights.lm_weight - search.lm_weight) * np.array(first_lm)
        + (weights.word_bonus - search.word_bonus) * np.array(words)
        + weights.weight * np.array(second_lm)
    )


def best(hypotheses: Sequence[Hypothesis], model: SentenceScorer, search: BeamSearch, weights: Rescoring) -> Hypothesis:
    """The text with the highest score; of equal ones the one that the search ranked first."""
    second_lm = model.score([hypothesis.text for hypothesis in hypotheses])
    return hypotheses[int(totals(hypotheses, second_lm, search, weights).argmax())]


@dataclass(frozen=True)
class RescoredSearch:
    """A beam search whose n-best list is rescored with a second language model."""

    search: BeamSearch
    second_lm: SentenceScorer
    weights: Rescoring

    def start(self) -> "RescoredStream":
        """Begin an utterance."""
        return RescoredStream(self, self.search.start(several=True))


class RescoredStream:
    """The search of one utterance; the second model rescores its n-best list at the end."""

    def __init__(self, rescored: RescoredSearch, stream: BeamStream) -> None:
        self._rescored, self._stream = rescored, stream

    def feed(self, log_probs: np.ndarray) -> None:
        """Continue with the next frames. Shape: (T, V), natural logarithm."""
        self._stream.feed(log_probs)

    def best(self) -> list[Token]:
        """The tokens of the first search's best text so far."""
        return self._stream.best()

    def agreed(self, margin: float) -> int:
        """The number of tokens with which all texts begin that the first search scores at most `margin` lower."""
        return self._stream.agreed(margin)

    def commit(self, count: int) -> None:
        """Drop the texts that begin otherwise than the first search's best one."""
        self._stream.commit(count)

    def finish(self) -> list[Token]:
        """The tokens of the text with the highest rescored total, if the utterance ends here."""
        hypotheses = self._stream.hypotheses(N_BEST)
        if not hypotheses:
            return []
        chosen = best(hypotheses, self._rescored.second_lm, self._rescored.search, self._rescored.weights)
        return self._stream.align(chosen.tokens)
