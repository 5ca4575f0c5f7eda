"""Calibration compared with literal definitions and with SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, mannwhitneyu

from asr.scoring.calibration import calibrate, wilson

WORDS = st.lists(
    st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(WORDS)
def test_every_word_is_in_the_bin_of_its_confidence(words: list[tuple[float, bool]]) -> None:
    calibration = calibrate([word[0] for word in words], [word[1] for word in words])
    assert calibration is not None
    assert calibration.words == len(words) == sum(bin_.words for bin_ in calibration.bins)
    assert calibration.correct == sum(word[1] for word in words) == sum(bin_.correct for bin_ in calibration.bins)
    for bin_ in calibration.bins:
        inside = [c for c, _ in words if bin_.low <= c < bin_.high or (c == bin_.high == 1)]
        near = [c for c, _ in words if bin_.low - 1e-9 <= c <= bin_.high + 1e-9]
        assert len(inside) <= bin_.words + 1  # 0.3 * 10 is a little less than 3
        assert len(near) >= bin_.words
        assert bin_.low - 1e-9 <= bin_.confidence <= bin_.high + 1e-9


@given(WORDS)
def test_auc_is_the_probability_that_a_correct_word_has_a_higher_confidence(words: list[tuple[float, bool]]) -> None:
    calibration = calibrate([word[0] for word in words], [word[1] for word in words])
    assert calibration is not None
    hits, misses = ([c for c, correct in words if correct is wanted] for wanted in (True, False))
    if not hits or not misses:
        assert calibration.auc is None
        return
    assert calibration.auc is not None
    wins = sum((hit > miss) + (hit == miss) / 2 for hit in hits for miss in misses)
    assert calibration.auc == pytest.approx(wins / len(hits) / len(misses))
    statistic = mannwhitneyu(hits, misses).statistic if len(set(hits + misses)) > 1 else len(hits) * len(misses) / 2
    assert calibration.auc == pytest.approx(statistic / len(hits) / len(misses))


def test_expected_calibration_error_by_hand() -> None:
    calibration = calibrate([0.95, 0.91, 0.96, 0.55, 0.51], [True, True, False, False, True])
    assert calibration is not None
    assert [(bin_.words, bin_.accuracy) for bin_ in calibration.bins] == [(2, 0.5), (3, pytest.approx(2 / 3))]
    assert calibration.error == pytest.approx(2 / 5 * abs(0.53 - 0.5) + 3 / 5 * abs(0.94 - 2 / 3))
    assert calibration.confidence == pytest.approx(0.776)


def test_calibrated_confidence_has_a_small_error_and_overconfidence_a_large_one() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0, 1, 100_000)
    correct = random.uniform(0, 1, 100_000) < confidence
    calibrated, overconfident = (
        calibrate(confidence.tolist(), correct.tolist()),
        calibrate([1.0] * 100_000, correct.tolist()),
    )
    assert calibrated is not None
    assert overconfident is not None
    assert calibrated.error < 0.01
    assert overconfident.error == pytest.approx(0.5, abs=0.01)
    assert overconfident.auc == 0.5


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (3, 7), (0, 50), (50, 50), (723, 770)])
def test_the_interval_is_wilsons(hits: int, total: int) -> None:
    expected = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_without_words_there_is_nothing_to_calibrate() -> None:
    assert calibrate([], []) is None


def test_confidence_and_correctness_must_have_the_same_length() -> None:
    with pytest.raises(ValueError, match="2 confidences for 1 words"):
        calibrate([0.5, 0.5], [True])


def test_the_last_bin_includes_one() -> None:
    calibration = calibrate([1.0, math.nextafter(1, 0)], [True, True])
    assert calibration is not None
    assert [(bin_.low, bin_.high, bin_.words) for bin_ in calibration.bins] == [(0.9, 1.0, 2)]
