"""Forced alignment compared with brute force, torchaudio and greedy decoding."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding import forced_alignment
from asr.decoding.forced_alignment import align, best_path, fit
from asr.decoding.greedy import greedy
from asr.errors import DataError
from asr.text import BLANK


def log_probs(frames: int, tokens: int, seed: int, sharpness: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(frames, tokens)) * sharpness
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def collapsed(path: np.ndarray | tuple[int, ...]) -> list[int]:
    return [int(token) for token, _ in itertools.groupby(path) if token != BLANK]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_no_path_for_the_text_is_likelier(frames: int, seed: int) -> None:
    rows = log_probs(frames, 3, seed)
    paths = list(itertools.product(range(3), repeat=frames))
    scores = [sum(float(rows[t, token]) for t, token in enumerate(path)) for path in paths]
    for tokens in {tuple(collapsed(path)) for path in paths}:
        best = max((score, path) for score, path in zip(scores, paths, strict=True) if tuple(collapsed(path)) == tokens)
        assert tuple(best_path(rows, tokens)) == best[1]
        assert fit(rows, tokens) == pytest.approx(np.exp((best[0] - max(scores)) / frames), rel=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 120), st.integers(2, 30), st.floats(0.1, 1), st.integers(0, 10**6))
def test_the_path_is_torchaudios(frames: int, size: int, share: float, seed: int) -> None:
    import torch
    from torchaudio.functional import forced_align

    rows = log_probs(frames, size, seed)
    tokens = np.random.default_rng(seed).integers(1, size, max(1, round(share * frames / 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _ = forced_align(torch.from_numpy(rows)[None], torch.from_numpy(tokens)[None])
    assert best_path(rows, tokens.tolist()).tolist() == expected[0].tolist()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(2, 6), st.integers(0, 10**6))
def test_the_output_of_greedy_is_aligned_as_greedy_has_it(frames: int, size: int, seed: int) -> None:
    rows = log_probs(frames, size, seed)
    tokens = greedy(rows)
    assert align(rows, [token.number for token in tokens]) == tokens
    assert fit(rows, [token.number for token in tokens]) == 1


@pytest.mark.parametrize("memory_bytes", [1, 41 * 7, 41 * 50])
def test_a_long_path_recomputed_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch, memory_bytes: int) -> None:
    rows, tokens = log_probs(100, 5, 1), np.random.default_rng(1).integers(1, 5, 20).tolist()
    whole = best_path(rows, tokens)
    monkeypatch.setattr(forced_alignment, "MEMORY_BYTES", memory_bytes)
    assert best_path(rows, tokens).tolist() == whole.tolist()
    assert collapsed(whole) == tokens


def test_the_spans_are_those_of_the_path() -> None:
    rows = log_probs(50, 5, 3)
    tokens = [1, 1, 4, 2, 2]
    path = best_path(rows, tokens)
    aligned = align(rows, tokens)
    assert [token.number for token in aligned] == tokens
    ends = [0]
    for token in aligned:
        assert (path[token.start : token.end] == token.number).all()
        assert (path[ends[-1] : token.start] == BLANK).all()
        assert token.log_prob == rows[token.start : token.end, token.number].max()
        ends.append(token.end)
    assert (path[ends[-1] :] == BLANK).all()


def test_a_text_too_long_for_the_audio_is_an_error() -> None:
    with pytest.raises(DataError, match="The audio has 4 frames, but the text needs 5"):
        align(log_probs(4, 3, 0), [1, 1, 2, 1])
    assert [t.start for t in align(log_probs(5, 3, 0), [1, 1, 2, 1])] == [0, 2, 3, 4]
    assert align(log_probs(0, 3, 0), []) == []
