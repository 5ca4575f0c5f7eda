"""Pieces of long recordings, and confidence at a temperature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from asr.decoding.beam import BeamSearch
from asr.decoding.decoder import Decoder, in_pieces, pieces, tempered
from asr.decoding.greedy import greedy
from asr.text import CharTokenizer


def log_probs(frames: int, seed: int, pauses: bool = True) -> np.ndarray:
    """Sharp frames of four tokens, with stretches in which the blank is the likeliest."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(frames, 4)) * 3
    if pauses:
        for first in random.integers(0, max(1, frames), 1 + frames // 10):
            logits[first : first + random.integers(1, 8), 0] += 20
    return log_softmax(logits, axis=1).astype(np.float32)


@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 10_000), st.booleans())
def test_pieces_cover_everything_once_and_are_short(frames: int, limit: int, seed: int, pauses: bool) -> None:
    found = pieces(log_probs(frames, seed, pauses), limit)
    assert [first for first, _ in found] == [0, *(last for _, last in found[:-1])]
    assert found[-1][1] == frames
    assert all(last - first <= limit for first, last in found)
    assert all(first < last for first, last in found) or frames == 0


def test_a_recording_is_cut_in_the_middle_of_its_longest_pause() -> None:
    rows = np.full((100, 3), -5.0, np.float32)
    rows[:, 1] = -0.01
    rows[30:34] = rows[60:80] = [-0.01, -5, -5]
    assert pieces(rows, 90) == [(0, 70), (70, 100)]


def test_without_a_pause_the_likeliest_blank_is_the_place() -> None:
    rows = np.full((100, 3), -5.0, np.float32)
    rows[:, 1] = -0.01
    rows[47, 0] = -3
    assert pieces(rows, 90) == [(0, 47), (47, 100)]


@given(st.integers(1, 400), st.integers(20, 60), st.integers(0, 10_000))
def test_greedy_in_pieces_is_greedy_where_there_are_pauses(frames: int, limit: int, seed: int) -> None:
    rows = log_probs(frames, seed)
    in_pauses = all(rows[first].argmax() == 0 for first, _ in pieces(rows, limit)[1:])
    if in_pauses:
        assert in_pieces(greedy, limit)(rows) == greedy(rows)


def test_a_search_in_pieces_has_the_times_of_the_recording() -> None:
    search = BeamSearch(CharTokenizer(" bc"))
    rows = np.full((50, 4), -9.0, np.float32)
    rows[:, 0] = -0.01
    for frame, token in ((5, 1), (20, 2), (44, 3)):
        rows[frame] = -9
        rows[frame, token] = -0.01
    found = in_pieces(search.tokens, 15)(rows)
    assert [(token.number, token.start, token.end) for token in found] == [(1, 5, 6), (2, 20, 21), (3, 44, 45)]


@given(st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_temperature_divides_log_probs_and_changes_no_text(temperature: float, seed: int) -> None:
    rows = log_probs(40, seed)
    plain, told = greedy(rows), Decoder(temperature=temperature)(rows)
    assert [(t.number, t.start, t.end) for t in told] == [(t.number, t.start, t.end) for t in plain]
    scaled = log_softmax(rows.astype(float) / temperature, axis=1)
    for token in told:
        assert token.log_prob == pytest.approx(scaled[token.start : token.end, token.number].max(), abs=1e-4)


def test_a_higher_temperature_is_less_sure() -> None:
    rows = log_probs(40, 1)
    tokens = [token for token in greedy(rows) if token.log_prob > np.log(0.5)]
    assert len(tokens) > 5
    for token, cool, warm in zip(tokens, tempered(tokens, rows, 0.5), tempered(tokens, rows, 2), strict=True):
        assert cool.log_prob > token.log_prob > warm.log_prob
