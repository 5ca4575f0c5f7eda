"""The cells' equations: against torch where it has them, and their limits where it has not."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from asr import cells
from asr.cells import GATES, PEEPHOLES, CellKind

KINDS: tuple[CellKind, ...] = get_args(CellKind)
HIDDEN = 5


def random_step(kind: CellKind, seed: int = 0) -> list[np.ndarray]:
    """Random a, r, h, c and p of a step for three rows."""
    rng = np.random.default_rng(seed)
    size = len(GATES[kind]) * HIDDEN
    rows = [(3, size), (3, size), (3, HIDDEN), (3, HIDDEN), (len(PEEPHOLES.get(kind, ())), HIDDEN)]
    return [rng.normal(size=shape) for shape in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_and_torch_agree(kind: CellKind) -> None:
    arrays = random_step(kind)
    h, c, gates = cells.step(kind, *arrays)
    torch_h, torch_c, torch_gates = cells.step(kind, *map(torch.from_numpy, arrays))
    np.testing.assert_allclose(h, torch_h.numpy(), atol=1e-12)
    np.testing.assert_allclose(c, torch_c.numpy(), atol=1e-12)
    assert tuple(gates) == tuple(torch_gates) == GATES[kind]
    for name, gate in gates.items():
        np.testing.assert_allclose(gate, torch_gates[name].numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_step_equals_that_of_torch(kind: CellKind) -> None:
    torch.manual_seed(0)
    cell = (nn.LSTMCell if kind == "lstm" else nn.GRUCell)(4, HIDDEN).double()
    x, h, c = torch.randn(3, 4).double(), torch.randn(3, HIDDEN).double(), torch.randn(3, HIDDEN).double()
    expected = cell(x, (h, c)) if kind == "lstm" else (cell(x, h),) * 2
    a = x @ cell.weight_ih.t() + cell.bias_ih
    r = h @ cell.weight_hh.t() + cell.bias_hh
    new_h, new_c, _ = cells.step(kind, a, r, h, c)
    torch.testing.assert_close(new_h, expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(new_c, expected[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("with_peepholes", "without"), [("peephole", "lstm"), ("peephole_coupled", "coupled")])
def test_peepholes_of_zero_change_nothing(with_peepholes: CellKind, without: CellKind) -> None:
    a, r, h, c, p = random_step(with_peepholes)
    for new, plain in zip(
        cells.step(with_peepholes, a, r, h, c, 0 * p)[:2], cells.step(without, a, r, h, c)[:2], strict=True
    ):
        np.testing.assert_allclose(new, plain, atol=1e-12)


def test_a_coupled_cell_is_an_lstm_whose_forget_gate_is_the_rest_of_its_input_gate() -> None:
    a, r, h, c, _ = random_step("coupled")
    total = a + r
    i, g, o = np.split(total, 3, axis=1)  # sigmoid(-i) = 1 - sigmoid(i)
    expected_h, expected_c, _ = cells.step("lstm", np.concatenate([i, -i, g, o], axis=1), 0.0, h, c)
    new_h, new_c, _ = cells.step("coupled", a, r, h, c)
    np.testing.assert_allclose(new_h, expected_h, atol=1e-12)
    np.testing.assert_allclose(new_c, expected_c, atol=1e-12)


def test_the_output_gate_sees_the_new_cell_state_and_the_others_the_old_one() -> None:
    size = 4 * HIDDEN
    zeros, c = np.zeros((1, size)), np.full((1, HIDDEN), 2.0)
    _, new_c, gates = cells.step("peephole", zeros, zeros, np.zeros((1, HIDDEN)), c, np.ones((3, HIDDEN)))
    expected = 1 / (1 + np.exp(-2.0))  # of the old state
    np.testing.assert_allclose(gates["input"], expected)
    np.testing.assert_allclose(gates["forget"], expected)
    np.testing.assert_allclose(new_c, 2 * expected)  # the candidate is 0
    np.testing.assert_allclose(gates["output"], 1 / (1 + np.exp(-2 * expected)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_keeps_most_of_its_state_initially(kind: CellKind) -> None:
    """With the initial biases alone, 73 % (sigmoid(1)) of the state is kept."""
    bias = cells.initial_bias(kind, HIDDEN)[None]
    state = np.ones((1, HIDDEN))
    p = np.zeros((3, HIDDEN))
    _, new_c, _ = cells.step(kind, bias, np.zeros_like(bias), state, state, p)
    np.testing.assert_allclose(new_c, np.full((1, HIDDEN), 0.7310586), atol=1e-6)
