"""The bootstrap interval against a plain loop, against what it promises, and in cases known exactly."""

import random

import numpy as np
import pytest

from asr.scoring import intervals
from asr.scoring.intervals import Interval, bootstrap


def corpus(seed: int, utterances: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    reference = generator.integers(1, 40, utterances)
    return generator.binomial(reference, 0.1), reference


def get(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def loop(units: list[tuple[int, int]], draws: int) -> tuple[float, float]:
    """The definition, one draw at a time: the 2.5 % and 97.5 % points of the sorted rates."""
    dice = random.Random(1)
    rates = []
    for _ in range(draws):
        sample = dice.choices(units, k=len(units))
        rates.append(sum(errors for errors, _ in sample) / sum(words for _, words in sample))
    rates.sort()
    return rates[int(0.025 * draws)], rates[int(0.975 * draws)]


def test_against_a_plain_loop() -> None:
    errors, reference = corpus(0, 60)
    got = get(bootstrap(errors, reference))
    low, high = loop(list(zip(errors.tolist(), reference.tolist(), strict=True)), 5_000)
    width = high - low
    assert got.low == pytest.approx(low, abs=0.05 * width)
    assert got.high == pytest.approx(high, abs=0.05 * width)
    assert (got.confidence, got.by, got.units, got.draws) == (0.95, "utterance", 60, 10_000)


def test_by_speaker_against_a_plain_loop() -> None:
    errors, reference = corpus(1, 60)
    speakers = [f"speaker {number % 7}" for number in range(60)]
    errors[::7] *= 3
    got = get(bootstrap(errors, reference, speakers))
    units = [(int(errors[first::7].sum()), int(reference[first::7].sum())) for first in range(7)]
    low, high = loop(units, 5_000)
    width = high - low
    assert got.low == pytest.approx(low, abs=0.05 * width)
    assert got.high == pytest.approx(high, abs=0.05 * width)
    assert (got.by, got.units) == ("speaker", 7)


def test_blocks_cover_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, reference = corpus(2, 50)
    whole = get(bootstrap(errors, reference, draws=3_001))
    monkeypatch.setattr(intervals, "BLOCK", 1_000)
    blocks = get(bootstrap(errors, reference, draws=3_001))
    assert blocks.draws == whole.draws == 3_001
    width = whole.high - whole.low
    assert blocks.low == pytest.approx(whole.low, abs=0.1 * width)
    assert blocks.high == pytest.approx(whole.high, abs=0.1 * width)


def test_it_covers_the_true_rate_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        errors, reference = corpus(seed, 100)
        interval = get(bootstrap(errors, reference, draws=400, confidence=0.9, seed=seed))
        covered += interval.low <= 0.1 <= interval.high
    assert 0.85 <= covered / 200 <= 0.95


def test_speakers_who_differ_widen_it() -> None:
    generator = np.random.default_rng(3)
    reference = np.full(200, 20)
    rates = np.repeat([0.02, 0.05, 0.1, 0.2, 0.4], 40)
    errors = generator.binomial(reference, rates)
    speakers = [f"{rate}" for rate in rates]
    by_utterance, by_speaker = get(bootstrap(errors, reference)), get(bootstrap(errors, reference, speakers))
    assert by_speaker.high - by_speaker.low > 2 * (by_utterance.high - by_utterance.low)


def test_one_utterance_a_speaker_is_by_utterance() -> None:
    errors, reference = corpus(4, 30)
    by_utterance = get(bootstrap(errors, reference))
    by_speaker = get(bootstrap(errors, reference, [f"{number:02d}" for number in range(30)]))
    assert (by_speaker.low, by_speaker.high) == (by_utterance.low, by_utterance.high)


def test_two_utterances_exactly() -> None:
    # The rate of a draw is 0, 1/2 or 1 with the chances 1/4, 1/2, 1/4.
    errors, reference = np.array([0, 10]), np.array([10, 10])
    assert bootstrap(errors, reference) == Interval(0.0, 1.0, 0.95, "utterance", 2, 10_000)
    assert bootstrap(errors, reference, confidence=0.4) == Interval(0.5, 0.5, 0.4, "utterance", 2, 10_000)


def test_equal_utterances_leave_no_doubt() -> None:
    assert bootstrap(np.full(5, 3), np.full(5, 4)) == Interval(0.75, 0.75, 0.95, "utterance", 5, 10_000)


def test_draws_without_a_reference_word_are_left_out() -> None:
    # Of two utterances, one has no reference word: a quarter of the draws take it twice.
    interval = get(bootstrap(np.array([3, 1]), np.array([0, 10])))
    assert (interval.low, interval.high) == (0.1, 0.4)
    assert interval.draws == pytest.approx(7_500, abs=200)


def test_nothing_to_vary_or_divide_by() -> None:
    assert bootstrap(np.array([1]), np.array([10])) is None
    assert bootstrap(np.array([], dtype=int), np.array([], dtype=int)) is None
    assert bootstrap(np.array([1, 2]), np.array([0, 0])) is None
    assert bootstrap(np.array([1, 2]), np.array([10, 10]), ["ann", "ann"]) is None


def test_seed() -> None:
    errors, reference = corpus(5, 40)
    assert bootstrap(errors, reference) == bootstrap(errors, reference, seed=0)
    assert bootstrap(errors, reference, draws=100) != bootstrap(errors, reference, draws=100, seed=1)
