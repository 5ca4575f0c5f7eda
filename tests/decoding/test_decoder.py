"""Pieces of long recordings, and confidence at a temperature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from asr.decoding.beam.search import BeamSearch
from asr.decoding.decoder import Decoder, mean_confidence, pieces, tempered
from asr.decoding.greedy import greedy
from asr.decoding.protocol import Token
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" bc")


def log_probs(frames: int, seed: int, pauses: bool = True) -> np.ndarray:
    """Sharp frames of four tokens, with stretches in which the blank is the likeliest."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(frames, 4)) * 3
    if pauses:
        for first in random.integers(0, max(1, frames), 1 + frames // 10):
            logits[first : first + random.integers(1, 8), 0] += 20
    return log_softmax(logits, axis=1).astype(np.float32)


def cuts(rows: np.ndarray, limit: int) -> list[tuple[int, int]]:
    return [(first, first + len(piece)) for first, piece in pieces([rows], TOKENIZER, limit)]


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 10_000), st.booleans())
def test_pieces_cover_everything_once_and_are_short(frames: int, limit: int, seed: int, pauses: bool) -> None:
    rows = log_probs(frames, seed, pauses)
    found = cuts(rows, limit)
    assert [first for first, _ in found] == [0, *(last for _, last in found[:-1])]
    assert found[-1][1] == frames
    assert all(last - first <= limit for first, last in found)
    assert all(first < last for first, last in found) or frames == 0
    if frames:
        np.testing.assert_array_equal(np.concatenate([piece for _, piece in pieces([rows], TOKENIZER, limit)]), rows)


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(5, 60), st.integers(0, 10_000), st.lists(st.integers(0, 400), max_size=6))
def test_stretches_do_not_matter(frames: int, limit: int, seed: int, edges: list[int]) -> None:
    rows = log_probs(frames, seed)
    stretches = np.split(rows, sorted(edge for edge in edges if edge < frames))
    whole = Decoder()(rows, TOKENIZER, limit)
    assert [token for tokens in Decoder().stream(stretches, TOKENIZER, limit) for token in tokens] == whole


def written(text: str, *frames: int, length: int) -> np.ndarray:
    """Log-probs that are sure of the letters of a text, each in its frame, and of nothing else."""
    rows = np.full((length, 4), -9.0, np.float32)
    rows[:, 0] = -0.01
    for token, frame in zip(TOKENIZER.encode(text), frames, strict=True):
        rows[frame] = -9
        rows[frame, token] = -0.01
    return rows


def test_a_recording_is_cut_in_the_middle_of_its_longest_pause() -> None:
    rows = written("b c b b", 5, 20, 34, 35, 50, 52, 75, length=100)
    assert cuts(rows, 90) == [(0, 63), (63, 100)]


def test_a_word_is_not_cut_where_it_is_spoken_slowly() -> None:
    rows = written("bc bb c", 5, 40, 45, 46, 90, 92, 93, length=100)
    assert cuts(rows, 95) == [(0, 43), (43, 100)]


def test_without_words_the_likeliest_blank_is_the_place() -> None:
    rows = np.full((100, 4), -5.0, np.float32)
    rows[:, 2] = -0.01
    rows[47, 0] = -3
    assert cuts(rows, 90) == [(0, 47), (47, 100)]


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(20, 60), st.integers(0, 10_000))
def test_greedy_in_pieces_is_greedy_where_there_are_pauses(frames: int, limit: int, seed: int) -> None:
    rows = log_probs(frames, seed)
    if all(
        rows[first - 1].argmax() != rows[first].argmax() or rows[first].argmax() == 0
        for first, _ in cuts(rows, limit)[1:]
    ):
        assert Decoder()(rows, TOKENIZER, limit) == greedy(rows)


def test_a_search_in_pieces_has_the_times_of_the_recording() -> None:
    search = BeamSearch(TOKENIZER)
    rows = np.full((50, 4), -9.0, np.float32)
    rows[:, 0] = -0.01
    for frame, token in ((5, 1), (20, 2), (44, 3)):
        rows[frame] = -9
        rows[frame, token] = -0.01
    found = Decoder(search)(rows, TOKENIZER, 15)
    assert [(token.number, token.start, token.end) for token in found] == [(1, 5, 6), (2, 20, 21), (3, 44, 45)]


def test_an_unsure_piece_says_nothing_and_the_others_stay() -> None:
    sure, unsure = written("b c", 5, 8, 11, length=20), written("c", 10, length=20)
    unsure[10] = np.log([0.1, 0.3, 0.2, 0.4])
    rows = np.concatenate([sure, unsure])
    search = Decoder(min_confidence=0.5)
    assert [token.start for token in Decoder()(rows, TOKENIZER, 25)] == [5, 8, 11, 30]
    assert [token.start for token in search(rows, TOKENIZER, 25)] == [5, 8, 11]
    assert [token.start for token in Decoder(min_confidence=0.3)(rows, TOKENIZER, 25)] == [5, 8, 11, 30]
    assert search(np.zeros((0, 4), np.float32), TOKENIZER) == []


def test_each_word_counts_alike() -> None:
    tokens = [Token(2, 0, 1, np.log(0.9)), Token(1, 1, 2, 0.0)] + [Token(3, at, at + 1, np.log(0.3)) for at in (2, 3)]
    assert mean_confidence(tokens, TOKENIZER) == pytest.approx((0.9 + 0.3) / 2)


@given(st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_temperature_divides_log_probs_and_changes_no_text(temperature: float, seed: int) -> None:
    rows = log_probs(40, seed)
    plain, told = greedy(rows), Decoder(temperature=temperature)(rows, TOKENIZER)
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
