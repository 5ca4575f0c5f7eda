"""Segmentation of long recordings, and temperature scaling of the confidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from asr.decoding.beam.search import BeamSearch
from asr.decoding.decoder import Decoder, mean_confidence, segments, tempered
from asr.decoding.greedy import greedy
from asr.decoding.protocol import Token
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" bc")


def log_probs(frames: int, seed: int, pauses: bool = True) -> np.ndarray:
    """Sharp frames of four tokens, with runs in which the blank is the likeliest."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(frames, 4)) * 3
    if pauses:
        for first in random.integers(0, max(1, frames), 1 + frames // 10):
            logits[first : first + random.integers(1, 8), 0] += 20
    return log_softmax(logits, axis=1).astype(np.float32)


def cuts(rows: np.ndarray, limit: int) -> list[tuple[int, int]]:
    return [(first, first + len(segment)) for first, segment in segments([rows], TOKENIZER, limit)]


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 10_000), st.booleans())
def test_segments_cover_every_frame_once_and_respect_the_limit(
    frames: int, limit: int, seed: int, pauses: bool
) -> None:
    rows = log_probs(frames, seed, pauses)
    spans = cuts(rows, limit)
    assert [first for first, _ in spans] == [0, *(last for _, last in spans[:-1])]
    assert spans[-1][1] == frames
    assert all(last - first <= limit for first, last in spans)
    assert all(first < last for first, last in spans) or frames == 0
    if frames:
        joined = np.concatenate([segment for _, segment in segments([rows], TOKENIZER, limit)])
        np.testing.assert_array_equal(joined, rows)


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(5, 60), st.integers(0, 10_000), st.lists(st.integers(0, 400), max_size=6))
def test_the_division_into_chunks_does_not_matter(frames: int, limit: int, seed: int, edges: list[int]) -> None:
    rows = log_probs(frames, seed)
    chunks = np.split(rows, sorted(edge for edge in edges if edge < frames))
    whole = Decoder()(rows, TOKENIZER, limit)
    assert [token for tokens in Decoder().stream(chunks, TOKENIZER, limit) for token in tokens] == whole


def written(text: str, *frames: int, length: int) -> np.ndarray:
    """Log-probs with high confidence for each letter of a text in its frame, and for the blank elsewhere."""
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


def test_without_words_the_cut_is_at_the_likeliest_blank() -> None:
    rows = np.full((100, 4), -5.0, np.float32)
    rows[:, 2] = -0.01
    rows[47, 0] = -3
    assert cuts(rows, 90) == [(0, 47), (47, 100)]


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(20, 60), st.integers(0, 10_000))
def test_greedy_by_segments_equals_greedy_if_there_are_pauses(frames: int, limit: int, seed: int) -> None:
    rows = log_probs(frames, seed)
    if all(
        rows[first - 1].argmax() != rows[first].argmax() or rows[first].argmax() == 0
        for first, _ in cuts(rows, limit)[1:]
    ):
        assert Decoder()(rows, TOKENIZER, limit) == greedy(rows)


def test_a_search_by_segments_returns_times_of_the_whole_recording() -> None:
    search = BeamSearch(TOKENIZER)
    rows = np.full((50, 4), -9.0, np.float32)
    rows[:, 0] = -0.01
    for frame, token in ((5, 1), (20, 2), (44, 3)):
        rows[frame] = -9
        rows[frame, token] = -0.01
    tokens = Decoder(search)(rows, TOKENIZER, 15)
    assert [(token.number, token.start, token.end) for token in tokens] == [(1, 5, 6), (2, 20, 21), (3, 44, 45)]


def test_an_unsure_segment_is_skipped_and_the_others_stay() -> None:
    sure, unsure = written("b c", 5, 8, 11, length=20), written("c", 10, length=20)
    unsure[10] = np.log([0.1, 0.3, 0.2, 0.4])
    rows = np.concatenate([sure, unsure])
    search = Decoder(min_confidence=0.5)
    assert [token.start for token in Decoder()(rows, TOKENIZER, 25)] == [5, 8, 11, 30]
    assert [token.start for token in search(rows, TOKENIZER, 25)] == [5, 8, 11]
    assert [token.start for token in Decoder(min_confidence=0.3)(rows, TOKENIZER, 25)] == [5, 8, 11, 30]
    assert search(np.zeros((0, 4), np.float32), TOKENIZER) == []


def test_all_words_count_alike() -> None:
    tokens = [Token(2, 0, 1, np.log(0.9)), Token(1, 1, 2, 0.0)] + [Token(3, at, at + 1, np.log(0.3)) for at in (2, 3)]
    assert mean_confidence(tokens, TOKENIZER) == pytest.approx((0.9 + 0.3) / 2)


@given(st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_temperature_scales_the_log_probs_and_changes_no_text(temperature: float, seed: int) -> None:
    rows = log_probs(40, seed)
    plain, scaled_tokens = greedy(rows), Decoder(temperature=temperature)(rows, TOKENIZER)
    assert [(t.number, t.start, t.end) for t in scaled_tokens] == [(t.number, t.start, t.end) for t in plain]
    scaled = log_softmax(rows.astype(float) / temperature, axis=1)
    for token in scaled_tokens:
        assert token.log_prob == pytest.approx(scaled[token.start : token.end, token.number].max(), abs=1e-4)


def test_a_higher_temperature_is_less_sure() -> None:
    rows = log_probs(40, 1)
    tokens = [token for token in greedy(rows) if token.log_prob > np.log(0.5)]
    assert len(tokens) > 5
    for token, cool, warm in zip(tokens, tempered(tokens, rows, 0.5), tempered(tokens, rows, 2), strict=True):
        assert cool.log_prob > token.log_prob > warm.log_prob
