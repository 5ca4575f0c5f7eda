"""Lattice-free MMI against sums over every path, and its trigrams against fractions counted by hand."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.training.acoustic import mmi

V = 4
SEQUENCES = [[1, 2, 3], [2, 2, 1], [3, 1], [1, 1, 2, 3]]


def collapse(path: Sequence[int]) -> list[int]:
    return [token for token, _ in itertools.groupby(path) if token != 0]


def by_all_paths(log_probs: Tensor, trigrams: Tensor) -> Tensor:
    """Each path with the probability of what it collapses to. Shape: (T, V), (V, V, V) -> ()"""
    total = torch.zeros((), dtype=log_probs.dtype)
    for path in itertools.product(range(V), repeat=len(log_probs)):
        padded = [0, 0, *collapse(path), 0]
        expected = math.prod(float(trigrams[at]) for at in zip(padded, padded[1:], padded[2:], strict=False))
        total = total + expected * log_probs[torch.arange(len(path)), list(path)].sum().exp()
    return total.log()


def witten_bell(history: tuple[int, ...], token: int) -> Fraction:
    """Interpolated with the history without its first token; to begin with, all tokens are as likely."""
    counts: Counter[int] = Counter()
    for sequence in SEQUENCES:
        padded = [0, 0, *sequence, 0]
        for end in range(2, len(padded)):
            if tuple(padded[end - len(history) : end]) == history:
                counts[padded[end]] += 1
    shorter = witten_bell(history[1:], token) if history else Fraction(1, V)
    kinds = max(1, len(counts))
    return (counts[token] + kinds * shorter) / (counts.total() + kinds)


def test_trigrams_are_counted_and_interpolated() -> None:
    found = mmi.trigrams(SEQUENCES, V)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(V, V))
    for a, b, c in itertools.product(range(V), repeat=3):
        assert found[a, b, c].item() == pytest.approx(float(witten_bell((a, b), c)), rel=1e-6), (a, b, c)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 9), st.booleans())
def test_the_total_is_the_sum_over_all_paths_and_so_is_its_gradient(lengths: list[int], seed: int, peaky: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.rand(V, V, V, generator=generator)
    table /= table.sum(dim=2, keepdim=True)
    size = len(lengths), max(lengths), V
    log_probs = torch.randn(size, generator=generator).mul(20 if peaky else 2).log_softmax(dim=2)
    exact = log_probs.double().requires_grad_()
    expected = torch.stack([by_all_paths(exact[i, :length], table) for i, length in enumerate(lengths)])
    factors = torch.arange(1.0, 1 + len(lengths))
    (expected * factors).sum().backward()
    for row, length in zip(log_probs, lengths, strict=True):
        row[length:] = math.nan
    log_probs.requires_grad_()
    found = mmi.log_totals(log_probs, torch.tensor(lengths), table)
    (found * factors).sum().backward()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)
    assert exact.grad is not None
    assert log_probs.grad is not None
    torch.testing.assert_close(log_probs.grad.double(), exact.grad, rtol=1e-3, atol=1e-4)


def test_half_precision_is_computed_in_32_bits() -> None:
    log_probs = torch.randn(1, 5, V, generator=torch.Generator().manual_seed(1)).log_softmax(dim=2).bfloat16()
    table = mmi.trigrams(SEQUENCES, V)
    with torch.autocast("cpu", torch.bfloat16):
        total = mmi.log_totals(log_probs, torch.tensor([5]), table)
    assert total.dtype == torch.float32
    torch.testing.assert_close(total[0], by_all_paths(log_probs[0].float(), table), rtol=1e-5, atol=1e-5)


def test_a_minute_of_certainty_stays_finite() -> None:
    log_probs = torch.full((1, 1_500, V), -80.0)
    log_probs[0, torch.arange(1_500), torch.arange(1_500) % V] = 0.0
    log_probs.requires_grad_()
    total = mmi.log_totals(log_probs, torch.tensor([1_500]), mmi.trigrams(SEQUENCES, V))
    total.sum().backward()
    assert total.isfinite().all()
    assert log_probs.grad is not None
    torch.testing.assert_close(log_probs.grad, log_probs.detach().exp(), rtol=0, atol=1e-5)
