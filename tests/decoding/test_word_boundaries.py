"""Word boundaries from CTC spikes, on synthetic audio of known loudness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.word_boundaries import MAX_WIDENING_S, loudness, widen

RATE = 8_000
BACKGROUND = 1e-3


def tones_in_noise(duration_s: float, *tones: tuple[float, float, float]) -> np.ndarray:
    """Noise with tones: start, end, amplitude. Shape: -> (S,)"""
    time = np.arange(round(duration_s * RATE)) / RATE
    waveform = np.random.default_rng(0).normal(size=len(time)) * BACKGROUND
    for start, end, amplitude in tones:
        waveform += np.where((time >= start) & (time < end), amplitude * np.sin(2 * np.pi * 440 * time), 0)
    return waveform.astype(np.float32)


def test_a_word_reaches_as_far_as_its_sound() -> None:
    waveform = tones_in_noise(3.0, (0.5, 1.0, 0.3), (1.6, 1.9, 0.1))
    times = widen([(0.64, 0.84), (1.72, 1.76)], waveform, RATE)
    assert np.array(times) == pytest.approx(np.array([(0.5, 1.0), (1.6, 1.9)]), abs=0.011)


def test_a_closure_is_part_of_the_word_and_a_pause_is_not() -> None:
    closure = tones_in_noise(2.0, (0.5, 0.8, 0.3), (0.86, 0.95, 0.1))
    pause = tones_in_noise(2.0, (0.5, 0.8, 0.3), (0.95, 1.04, 0.1))
    assert widen([(0.6, 0.64)], closure, RATE) == [pytest.approx((0.5, 0.95), abs=0.011)]
    assert widen([(0.6, 0.64)], pause, RATE) == [pytest.approx((0.5, 0.8), abs=0.011)]


def test_adjacent_words_are_split_at_the_quietest_moment() -> None:
    waveform = tones_in_noise(2.0, (0.4, 0.80, 0.3), (0.80, 0.84, 0.02), (0.84, 1.1, 0.3))
    (_, first_end), (second_start, _) = widen([(0.6, 0.64), (0.96, 1.0)], waveform, RATE)
    assert first_end == second_start
    assert 0.8 <= first_end <= 0.84


def test_widening_is_limited() -> None:
    (times,) = widen(
        [(2.0, 2.04)], tones_in_noise(4.0, (0.0, 4.0, 0.3)) * np.linspace(0, 1, 4 * RATE, dtype=np.float32), RATE
    )
    assert times == (pytest.approx(2.0 - MAX_WIDENING_S), pytest.approx(2.04 + MAX_WIDENING_S))


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 0.5), max_size=12), st.integers(0, 1000), st.booleans())
def test_words_stay_in_order_and_hold_their_spikes(steps: list[float], seed: int, silent: bool) -> None:
    edges = np.cumsum([0.0, *steps]).tolist()
    spans = list(zip(edges[0::2], edges[1::2], strict=False))
    random = np.random.default_rng(seed)
    waveform = np.repeat(random.exponential(size=40) ** 3, round((edges[-1] + 0.1) * RATE / 40)).astype(np.float32)
    waveform *= 0 if silent else random.normal(size=len(waveform))
    duration_s = len(waveform) / RATE
    times = widen(spans, waveform, RATE)
    flat = [time for word in times for time in word]
    assert flat == pytest.approx(sorted(flat), abs=1e-9)
    for (start, end), (first, last) in zip(spans, times, strict=True):
        assert 0 <= first <= start < end <= last + 1e-9
        assert last <= duration_s


def test_loudness_is_in_decibels_of_full_scale() -> None:
    level = loudness(np.sqrt(2) * tones_in_noise(0.1, (0, 0.05, 0.5)), RATE)
    assert len(level) == 10
    assert level[:5] == pytest.approx(20 * np.log10(0.5), abs=0.2)
    assert level[5:] == pytest.approx(-57, abs=2)
