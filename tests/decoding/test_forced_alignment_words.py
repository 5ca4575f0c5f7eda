"""Alignment of words where sound and text are not the same, against a search over all paths."""

import itertools
import math

import numpy as np
import pytest

from asr.decoding import forced_alignment
from asr.decoding.forced_alignment import INNER_COST, OUTER_COST, SKIP_COST, align, align_words


def rows_of(labels: str, sure: float = 0.999) -> np.ndarray:
    """Log-probs of a recording that says these labels, one a frame; "-" is the blank. Shape: -> (T, 5)"""
    alphabet = "-abcd"
    rows = np.full((len(labels), len(alphabet)), (1 - sure) / (len(alphabet) - 1))
    for frame, label in enumerate(labels):
        rows[frame, alphabet.index(label)] = sure
    return np.log(rows).astype(np.float32)


AB_CD, SPANS = [1, 2, 3, 4], [(0, 2), (2, 4)]
"""The words "ab" and "cd"."""


def spans(labels: str) -> list[tuple[int, int]]:
    return [(token.start, token.end) for token in align_words(rows_of(labels), AB_CD, SPANS)]


def test_without_other_sound_it_equals_the_plain_alignment() -> None:
    rows = rows_of("-a-b--cc-d-")
    assert align_words(rows, AB_CD, SPANS) == align(rows, AB_CD)


@pytest.mark.parametrize("other", ["d-c-b-d-c-b-", "a-d-a-d-c-", "dcbadcba"])
def test_other_sound_before_after_and_between_is_left_out(other: str) -> None:
    text = "-a-b--cc-d-"
    expected = spans(text)
    assert spans(other + text) == [(start + len(other), end + len(other)) for start, end in expected]
    assert spans(text + other) == expected
    first, second, other = text[:5], text[5:], other[:5]
    assert spans(first + other + second) == [
        *expected[:2],
        *((a + len(other), b + len(other)) for a, b in expected[2:]),
    ]


def test_a_word_that_is_not_said_has_no_frames() -> None:
    tokens = align_words(rows_of("---c-d---"), AB_CD, SPANS)
    assert [(token.start, token.end) for token in tokens[2:]] == [(3, 4), (5, 6)]
    for token in tokens[:2]:
        assert token.start == token.end
        assert token.log_prob == -math.inf


@pytest.mark.parametrize("seed", range(20))
def test_no_path_is_better(seed: int) -> None:
    """All paths of five frames: labels, other sound where that may be, and words left out."""
    rng = np.random.default_rng(seed)
    rows = np.log(rng.dirichlet(np.full(3, 0.3), 5)).astype(np.float32)
    tokens, words = [1, 2], [(0, 1), (1, 2)]
    likeliest = rows[:, 1:].max(axis=1)
    cost = {0: OUTER_COST, 1: math.inf, 2: INNER_COST, 3: math.inf, 4: OUTER_COST}

    def emission(frame: int, state: int) -> float:
        if state % 2:
            return rows[frame, tokens[state // 2]]
        return max(rows[frame, 0], likeliest[frame] - cost[state])

    best = -math.inf
    for path in itertools.product(range(5), repeat=5):
        score = emission(0, path[0]) - {0: 0.0, 1: 0.0, 2: SKIP_COST}.get(path[0], math.inf)
        for frame in range(1, 5):
            move = path[frame] - path[frame - 1]
            skips = move == 2 and path[frame] % 2 == 0
            if not (0 <= move <= 1 or (move == 2 and path[frame] % 2 == 1) or skips):
                score = -math.inf
                break
            score += emission(frame, path[frame]) - (SKIP_COST if skips else 0.0)
        if path[-1] >= 3:
            best = max(best, score)
    states = forced_alignment._states(rows, tokens, words)
    total = emission(0, states[0]) - (SKIP_COST if states[0] == 2 else 0.0)
    for frame in range(1, 5):
        skips = states[frame] - states[frame - 1] == 2 and states[frame] % 2 == 0
        total += emission(frame, states[frame]) - (SKIP_COST if skips else 0.0)
    assert total == pytest.approx(best, abs=1e-4)
