"""Intervals compared with simple loops and Student's distribution, their coverage, and cases known exactly."""

import math
import random
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from asr.scoring import intervals
from asr.scoring.intervals import Interval, bootstrap, difference, groups

COVERAGE = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "interval_coverage.py"))


def corpus(seed: int, utterances: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    reference = generator.integers(1, 40, utterances)
    return generator.binomial(reference, 0.1), reference


def get(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def loop(units: list[tuple[int, ...]], draws: int) -> np.ndarray:
    """The sums of the columns, one draw at a time. Shape: -> (draws, columns)"""
    dice = random.Random(1)
    return np.array([np.sum(dice.choices(units, k=len(units)), axis=0) for _ in range(draws)])


def expected(units: list[tuple[int, int]], draws: int, confidence: float = 0.95) -> tuple[float, float]:
    """The definition, with SciPy's Student distribution."""
    drawn = loop(units, draws)
    errors, words = np.sum(units, axis=0)
    count = len(units)
    error = np.std(drawn[:, 0] / drawn[:, 1]) * math.sqrt(count / (count - 1))
    factor = math.exp(stats.t.ppf((1 + confidence) / 2, count - 1) * error / (errors / words))
    return errors / words / factor, errors / words * factor


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_against_a_simple_loop(confidence: float) -> None:
    errors, reference = corpus(0, 60)
    got = get(bootstrap(errors, reference, confidence=confidence))
    low, high = expected(list(zip(errors.tolist(), reference.tolist(), strict=True)), 3_000, confidence)
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert (got.confidence, got.by, got.units, got.draws) == (confidence, "utterance", 60, 10_000)


def test_by_speaker_against_a_simple_loop() -> None:
    errors, reference = corpus(1, 60)
    speakers = [f"speaker {number % 7}" for number in range(60)]
    errors[::7] *= 3
    got = get(bootstrap(errors, reference, speakers))
    units = [(int(errors[first::7].sum()), int(reference[first::7].sum())) for first in range(7)]
    low, high = expected(units, 5_000)
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.05 * (high - low))
    assert (got.by, got.units) == ("speaker", 7)


def test_student_t() -> None:
    for degrees in (1, 2, 3, 9, 39, 500, 20_000):
        for confidence in (0.5, 0.9, 0.95, 0.99):
            got = intervals._student_t(confidence, degrees)
            assert got == pytest.approx(stats.t.ppf((1 + confidence) / 2, degrees), rel=1e-5)


@pytest.mark.parametrize(("speakers", "slack"), [(40, 0.04), (10, 0.05), (4, 0.05)])
def test_the_coverage_equals_the_confidence(speakers: int, slack: float) -> None:
    shares = COVERAGE["coverage"](speakers, 0.10, 0.06, 200)
    assert shares["asr"] == pytest.approx(0.95, abs=slack)
    assert shares["difference"] == pytest.approx(0.95, abs=slack)
    assert shares["of runs"] == pytest.approx(0.96, abs=slack)
    assert shares["by utterance"] < 0.6  # resampling utterances ignores the differences between speakers


def test_blocks_cover_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, reference = corpus(2, 50)
    whole = get(bootstrap(errors, reference, draws=3_001))
    monkeypatch.setattr(intervals, "BLOCK", 1_000)
    blocks = get(bootstrap(errors, reference, draws=3_001))
    assert blocks.draws == whole.draws == 3_001
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high), rel=0.1)


def test_one_utterance_per_speaker_equals_by_utterance() -> None:
    errors, reference = corpus(4, 30)
    by_utterance = get(bootstrap(errors, reference))
    by_speaker = get(bootstrap(errors, reference, [f"{number:02d}" for number in range(30)]))
    assert (by_speaker.low, by_speaker.high) == (by_utterance.low, by_utterance.high)


def test_equal_utterances_have_an_interval_of_width_zero() -> None:
    assert bootstrap(np.full(5, 3), np.full(5, 4)) == Interval(0.75, 0.75, 0.95, "utterance", 5, 10_000)


def test_draws_without_reference_words_are_skipped() -> None:
    # Of four utterances, one has reference words: (3 / 4) ** 4 of the draws miss it.
    interval = get(bootstrap(np.array([1, 3, 0, 0]), np.array([10, 0, 0, 0])))
    assert interval.draws == pytest.approx(10_000 * (1 - 0.75**4), abs=200)


@pytest.mark.parametrize(
    ("errors", "reference"),
    [
        ([400] + [3] * 9, [8000] + [10] * 9),  # a lecture and nine commands
        ([0, 1] + [0] * 8, [100] + [1] * 9),
        ([0, 0, 0, 300], [500, 0, 0, 1]),
    ],
)
def test_units_of_very_different_size_use_percentiles(errors: list[int], reference: list[int]) -> None:
    interval = get(bootstrap(np.array(errors), np.array(reference)))
    generator = np.random.default_rng(1)
    draws = generator.integers(len(errors), size=(20_000, len(errors)))
    words = np.array(reference)[draws].sum(axis=1)
    rates = np.array(errors)[draws].sum(axis=1)[words > 0] / words[words > 0]
    low, high = np.quantile(rates, [0.025, 0.975])
    assert (interval.low, interval.high) == (pytest.approx(low, rel=0.03), pytest.approx(high, rel=0.03))


def test_no_interval_if_there_is_too_little_data() -> None:
    ten = np.full(4, 10)
    assert bootstrap(np.array([1, 2, 3]), ten[:3]) is None
    assert get(bootstrap(np.array([1, 2, 3, 4]), ten)).units == 4
    assert bootstrap(np.array([], dtype=int), np.array([], dtype=int)) is None
    assert bootstrap(np.array([1, 2, 3, 4]), np.zeros(4, dtype=int)) is None
    assert bootstrap(np.zeros(4, dtype=int), ten) is None
    assert bootstrap(np.array([1, 2, 3, 4]), ten, ["ann", "bob", "bob", "cyd"]) is None


def test_groups() -> None:
    assert groups(["ann", "bob", "cyd", "dan", "ann"]) == ["ann", "bob", "cyd", "dan", "ann"]
    assert groups(["ann", "bob", "cyd", "dan", None]) is None
    assert groups(["ann", "bob", "cyd", "ann", "bob"]) is None


def test_seed() -> None:
    errors, reference = corpus(5, 40)
    assert bootstrap(errors, reference) == bootstrap(errors, reference, seed=0)
    assert bootstrap(errors, reference, draws=100) != bootstrap(errors, reference, draws=100, seed=1)


def test_difference_against_a_simple_loop() -> None:
    errors, reference = corpus(6, 48)
    other = np.maximum(0, errors + np.random.default_rng(0).integers(-2, 2, 48))
    speakers = [f"speaker {number % 6}" for number in range(48)]
    got = difference(errors, other, reference, speakers)
    assert got is not None
    columns = np.stack([errors, other, reference], axis=1)
    drawn = loop([tuple(columns[first::6].sum(axis=0).tolist()) for first in range(6)], 5_000)
    error = float(np.std((drawn[:, 1] - drawn[:, 0]) / drawn[:, 2])) * math.sqrt(6 / 5)
    half = float(stats.t.ppf(0.975, 5)) * error
    assert got.rate == pytest.approx((other.sum() - errors.sum()) / reference.sum())
    interval = get(got.interval)
    assert (interval.low, interval.high) == pytest.approx((got.rate - half, got.rate + half), abs=0.1 * half)
    assert (interval.by, interval.units, interval.draws) == ("speaker", 6, 10_000)
    assert got.better == pytest.approx(np.mean(drawn[:, 1] < drawn[:, 0]), abs=0.02)
    assert got.worse == pytest.approx(np.mean(drawn[:, 1] > drawn[:, 0]), abs=0.02)


def test_difference_of_runs_against_a_simple_loop() -> None:
    """The variance of the speakers and that of the means of both systems' runs, with Welch's degrees of freedom."""
    random = np.random.default_rng(8)
    reference = random.integers(5, 40, 48)
    runs_a, runs_b = (random.binomial(reference, 0.2 * random.uniform(0.8, 1.2, (count, 1))) for count in (3, 4))
    speakers = [f"speaker {number % 6}" for number in range(48)]
    got = difference(runs_a, runs_b, reference, speakers)
    assert got is not None
    columns = np.stack([*runs_a, *runs_b, reference], axis=1)
    drawn = loop([tuple(columns[first::6].sum(axis=0).tolist()) for first in range(6)], 5_000)
    mean_a, mean_b = drawn[:, :3].mean(axis=1), drawn[:, 3:7].mean(axis=1)
    rates_a, rates_b = (runs.sum(axis=1) / reference.sum() for runs in (runs_a, runs_b))
    variances = {
        5: np.var((mean_b - mean_a) / drawn[:, 7]) * 6 / 5,
        2: np.var(rates_a, ddof=1) / 3,
        3: np.var(rates_b, ddof=1) / 4,
    }
    total = sum(variances.values())
    degrees = total**2 / sum(variance**2 / count for count, variance in variances.items())
    half = float(stats.t.ppf(0.975, degrees) * np.sqrt(total))
    assert got.rate == pytest.approx(rates_b.mean() - rates_a.mean())
    interval = get(got.interval)
    assert (interval.low, interval.high) == pytest.approx((got.rate - half, got.rate + half), abs=0.1 * half)
    dice = np.random.default_rng(1)
    drawn_a, drawn_b = (
        np.array([row[dice.integers(0, len(row), len(row))].mean() for row in rows])
        for rows in (drawn[:, :3], drawn[:, 3:7])
    )
    assert got.better == pytest.approx(np.mean(drawn_b < drawn_a - 1e-9), abs=0.02)
    assert got.worse == pytest.approx(np.mean(drawn_b > drawn_a + 1e-9), abs=0.02)


def test_equal_runs_are_one_run() -> None:
    errors, reference = corpus(9, 40)
    other = np.roll(errors, 3)
    one, three = (get(bootstrap(runs, reference)) for runs in (errors, np.stack([errors] * 3)))
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    single, several = (
        difference(a, b, reference) for a, b in ((errors, other), (np.stack([errors] * 3), np.stack([other] * 2)))
    )
    assert single is not None
    assert several is not None
    assert (several.rate, several.better, several.worse) == (single.rate, single.better, single.worse)
    one, three = get(single.interval), get(several.interval)
    assert (three.low, three.high) == pytest.approx((one.low, one.high))


def test_difference_in_known_cases() -> None:
    ten = np.full(5, 10)
    assert difference(ten, ten, np.zeros(5, dtype=int)) is None
    equal = difference(ten, ten, ten)
    assert equal is not None
    assert (equal.rate, equal.interval, equal.better, equal.worse) == (0.0, None, 0.0, 0.0)
    few = difference(np.array([1, 2]), np.array([1, 1]), ten[:2])
    assert few is not None
    assert (few.rate, few.interval, few.worse) == (-0.05, None, 0.0)
    assert few.better == pytest.approx(0.75, abs=0.02)


def test_pairing_narrows_the_interval_of_the_difference() -> None:
    """If systems fail on the same utterances, the interval of the difference is narrower than that of a rate."""
    random = np.random.default_rng(7)
    reference = np.full(100, 10)
    errors = random.integers(0, 8, 100)
    got = difference(errors, errors + (np.arange(100) % 4 == 0), reference)
    assert got is not None
    single, paired = get(bootstrap(errors, reference)), get(got.interval)
    assert paired.low > 0
    assert paired.high - paired.low < 0.5 * (single.high - single.low)
