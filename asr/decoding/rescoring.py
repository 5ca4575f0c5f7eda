"""A second language model chooses among the best texts that a beam search found."""

from collections.abc import Sequence

import numpy as np

from asr.decoding.beam.search import BeamSearch, Hypothesis
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
