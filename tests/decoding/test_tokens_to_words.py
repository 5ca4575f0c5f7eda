"""Grouping of tokens, timed in frames, into words, timed in seconds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.greedy import greedy
from asr.decoding.protocol import Token
from asr.decoding.tokens_to_words import to_words
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" ab")
SHIFT_S = 0.04
paths = st.lists(st.integers(0, 3), max_size=60)


def log_probs(path: list[int], seed: int = 0) -> np.ndarray:
    """Log-probs whose best path is `path`, with a random confidence in each frame. Shape: -> (T, V)"""
    certainty = np.random.default_rng(seed).uniform(0.5, 1, len(path))
    rest = np.repeat((1 - certainty)[:, None] / 3, 4, axis=1)
    rest[np.arange(len(path)), path] = certainty
    return np.log(rest)


@settings(deadline=None)
@given(paths, st.floats(0.01, 1))
def test_words_are_those_of_the_text_in_order_and_within_the_audio(path: list[int], share_of_last_frame: float) -> None:
    duration_s = (len(path) - 1 + share_of_last_frame) * SHIFT_S
    tokens = greedy(log_probs(path))
    words = to_words(tokens, TOKENIZER, SHIFT_S, duration_s)
    assert [word.text for word in words] == TOKENIZER.decode(token.number for token in tokens).split()
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(word.start_s < word.end_s for word in words)
    assert all(word.start_s >= 0 and word.end_s <= duration_s for word in words)
    assert all(0 < word.confidence <= 1 for word in words)


@settings(deadline=None)
@given(paths)
def test_the_confidence_is_the_geometric_mean_of_the_letters(path: list[int]) -> None:
    tokens = greedy(log_probs(path))
    groups, group = [], []
    for token in [*tokens, None]:
        if token is not None and TOKENIZER.decode([token.number]) != " ":
            group.append(np.exp(token.log_prob))
        elif group:
            groups.append(np.prod(group) ** (1 / len(group)))
            group = []
    assert [word.confidence for word in to_words(tokens, TOKENIZER, SHIFT_S, math.inf)] == pytest.approx(groups)


def test_a_word_lasts_from_its_first_letter_to_its_last() -> None:
    space, a, b = 1, 2, 3
    tokens = [
        Token(a, 2, 3, np.log(0.9)),
        Token(b, 4, 6, np.log(0.4)),
        Token(space, 8, 11, -9.0),
        Token(b, 11, 12, 0.0),
    ]
    first, second = to_words(tokens, TOKENIZER, SHIFT_S, duration_s=1.0)
    assert (first.text, second.text) == ("ab", "b")
    assert (first.start_s, first.end_s, first.confidence) == pytest.approx((0.08, 0.24, 0.6))
    assert (second.start_s, second.end_s, second.confidence) == pytest.approx((0.44, 0.48, 1.0))


def test_the_confidence_of_a_ranked_text_is_the_mean_of_three() -> None:
    """Of its letters, of the texts that have the word, and of how well the text fits two frames."""
    (word,) = to_words([Token(2, 0, 1, np.log(0.9), 0.6, 0.8)], TOKENIZER, SHIFT_S, 1.0)
    assert word.confidence == pytest.approx((0.9 * 0.6 * 0.8**2) ** (1 / 3))


def test_no_word_ends_after_the_audio() -> None:
    """25 ms of audio give one frame of 40 ms; only an end beyond the audio is moved."""
    early, late = to_words([Token(2, 0, 1, 0.0), Token(1, 1, 2, 0.0), Token(3, 2, 3, 0.0)], TOKENIZER, SHIFT_S, 0.105)
    assert (early.end_s, late.start_s, late.end_s) == pytest.approx((0.04, 0.08, 0.105))
    (word,) = to_words([Token(2, 0, 1, 0.0)], TOKENIZER, SHIFT_S, 0.025)
    assert (word.start_s, word.end_s) == (0, 0.025)


def test_spaces_alone_are_no_words() -> None:
    assert to_words([], TOKENIZER, SHIFT_S, 1.0) == ()
    assert to_words([Token(1, 0, 1, -0.1), Token(1, 3, 4, -0.1)], TOKENIZER, SHIFT_S, 1.0) == ()
