"""N-best rescoring, checked weights hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from asr.decoding import rescoring
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch, Hypothesis
from asr.models.decoding_settings import Rescoring
from asr.text import CharTokenizer


class Prefers:
    """A language model that prefers one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def score(self, texts: Sequence[str]) -> list[float]:
        return [-1.0 if text == self.text else -9.0 for text in texts]


def hypotheses() -> list[Hypothesis]:
    return [
        Hypothesis("a b", (), score=-4.0, ctc_log_prob=-1.0, lm_log_prob=-8.0),
        Hypothesis("ab", (), score=-5.0, ctc_log_prob=-2.0, lm_log_prob=-6.0),
    ]


class FirstPass:
    """The weights behind the scores above."""

    lm_weight, word_bonus = 0.5, 0.5


def test_totals_are_weighted_sums() -> None:
    weights = Rescoring(weight=0.3, lm_weight=0.1, word_bonus=2.0)
    totals = rescoring.totals(hypotheses(), [-7.0, -3.0], FirstPass, weights)  # type: ignore[arg-type]
    # the scores without CTC, n-gram and word bonus: -4 - (-1 - 4 + 1) = 0, and -5 - (-2 - 3 + 0.5) = -0.5
    assert totals == pytest.approx([-1 - 0.8 + 4 - 2.1 + 0, -2 - 0.6 + 2 - 0.9 - 0.5])


def test_the_weight_of_the_second_model_decides() -> None:
    for weight, text in ((0.0, "a b"), (0.1, "a b"), (0.2, "ab")):
        weights = Rescoring(weight=weight, lm_weight=0.5, word_bonus=0.5)
        assert rescoring.best(hypotheses(), Prefers("ab"), FirstPass, weights).text == text  # type: ignore[arg-type]


def test_without_weights_the_ranking_of_the_search_stays() -> None:
    search = BeamSearch(CharTokenizer(" ab"), BeamOptions(width=20))
    rows = np.log(np.random.default_rng(0).dirichlet(np.ones(4), 12)).astype(np.float32)
    texts = search.decode(rows, 10)
    same = Rescoring(weight=0.0, lm_weight=0.0, word_bonus=0.0)
    assert rescoring.best(texts, Prefers("b"), search, same) == texts[0]
