"""Best-path decoding compared with a second implementation of the definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asr.decoding.greedy import greedy
from asr.decoding.protocol import Token

few_values = st.sampled_from([-0.125, -0.5, -1.0, -3.0, -40.0])  # few, so that runs and ties are common
log_probs = st.tuples(st.integers(0, 25), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=few_values)
)


def slow_greedy(log_probs: np.ndarray) -> list[Token]:
    frames = [(frame, row.index(max(row)), max(row)) for frame, row in enumerate(log_probs.tolist())]
    runs = [(number, list(run)) for number, run in itertools.groupby(frames, key=lambda frame: frame[1])]
    return [Token(n, run[0][0], run[-1][0] + 1, max(p for _, _, p in run)) for n, run in runs if n != 0]


@settings(deadline=None)
@given(log_probs)
def test_greedy_matches_the_definition(log_probs: np.ndarray) -> None:
    assert greedy(log_probs) == slow_greedy(log_probs)


def one_hot(path: list[int], tokens: int = 4) -> np.ndarray:
    return np.log(np.full((len(path), tokens), 0.01) + 0.96 * np.eye(tokens)[path])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([], []),
        ([0, 0], []),
        ([2], [(2, 0, 1)]),
        ([1, 1, 0, 1], [(1, 0, 2), (1, 3, 4)]),
        ([0, 3, 3, 2, 0, 0, 2], [(3, 1, 3), (2, 3, 4), (2, 6, 7)]),
    ],
)
def test_repeats_are_merged_and_blanks_separate(path: list[int], expected: list[tuple[int, int, int]]) -> None:
    tokens = greedy(one_hot(path).reshape(len(path), 4))
    assert [(token.number, token.start, token.end) for token in tokens] == expected
    assert all(token.log_prob == pytest.approx(np.log(0.97)) for token in tokens)


def test_a_tokens_log_prob_is_the_best_of_its_own_frames() -> None:
    probabilities = np.array([[0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.0, 0.9, 0.1], [0.9, 0.1, 0.0], [0.4, 0.5, 0.1]])
    with np.errstate(divide="ignore"):
        tokens = greedy(np.log(probabilities))
    assert [np.exp(token.log_prob) for token in tokens] == pytest.approx([0.9, 0.5])


def test_the_numbers_are_python_numbers() -> None:
    (token,) = greedy(one_hot([0, 2, 2]).astype(np.float32))
    assert [type(v) for v in (token.number, token.start, token.end, token.log_prob)] == [int, int, int, float]
