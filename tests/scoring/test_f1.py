"""F1 against its definition, and its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.scoring.f1 import F1, count, interval


def test_precision_and_recall_by_hand() -> None:
    found = count(np.array([1, 1, 0, 2, 1]), np.array([1, 0, 1, 2, 1]), 1)
    assert found == F1(correct=2, predicted=3, reference=3)
    assert found.rate == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_harmonic_mean(pairs: list[tuple[int, int]]) -> None:
    references, predictions = np.array(pairs).T
    found = count(references, predictions, 1)
    if not found.correct:
        assert not found.rate
        return
    precision, recall = found.correct / found.predicted, found.correct / found.reference
    assert found.rate == pytest.approx(2 / (1 / precision + 1 / recall))


def test_without_the_label() -> None:
    assert F1(0, 0, 0).rate is None
    assert interval([F1(0, 0, 0)]) is None
    assert interval([]) is None


def test_interval_holds_the_rate_and_narrows_with_more_texts() -> None:
    counts = [F1(7 + k % 3, 10, 10) for k in range(30)]
    low, high = interval(counts) or (0, 0)
    assert low < 0.8 < high
    assert interval([F1(8, 10, 10)] * 5) == (0.8, 0.8)
    many = interval(counts * 20) or (0, 1)
    assert many[1] - many[0] < (high - low) / 3
