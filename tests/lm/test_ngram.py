"""An n-gram model as a `LanguageModel`."""

import math

import numpy as np
import pytest

from asr.lm.ngram import Ngram
from asr.lm.trie import Level, build

WORDS = ["</s>", "<s>", "<unk>", "a"]


def test_the_score_of_a_sentence_is_the_sum_of_its_words() -> None:
    unigrams = Level(np.arange(4, dtype=np.int32)[:, None], *np.array([[-1, -9, -3, -2], [0, -0.5, 0, 0]], np.float32))
    bigrams = Level(np.array([[1, 3]], np.int32), *np.array([[-0.25], [0]], np.float32))
    ngram = Ngram(2, WORDS, build([unigrams, bigrams]))
    assert (ngram.unit, ngram.kind, ngram.size) == ("word", "2-gram", (4, 1))
    empty, known, unknown = ngram.score(["", "a", "a queue"])
    assert empty == pytest.approx(-0.5 - 1)
    assert known == pytest.approx(-0.25 - 1)
    assert unknown == pytest.approx(-0.25 - 3 - 1)
    assert math.isclose(ngram.advance(ngram.start(), "a")[0], -0.25)
