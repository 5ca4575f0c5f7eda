"""Whole layers against one step after the other with torch's gradient, and against torch's own layers."""

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from asr import cells
from asr.cells import GATES, PEEPHOLES, CellKind
from asr.network import recurrent
from asr.network.kernels import sequence

KINDS: tuple[CellKind, ...] = get_args(CellKind)


def random_weights(kind: CellKind, inputs: int, hidden: int, scale: float = 0.5) -> sequence.Weights:
    rows = len(GATES[kind]) * hidden
    shapes = [(rows, inputs), (rows, hidden), (rows,), (rows,), (len(PEEPHOLES.get(kind, ())), hidden)]
    w_x, w_h, b_x, b_h, p = ((scale * torch.randn(*shape).double()).requires_grad_() for shape in shapes)
    return w_x, w_h, b_x, b_h, p


def step_by_step(kind: CellKind, x: Tensor, weights: sequence.Weights, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The reference: the equations, frame by frame."""
    w_x, w_h, b_x, b_h, p = weights
    outputs = []
    for frame in x.unbind(0):
        h, c, _ = cells.step(kind, frame @ w_x.t() + b_x, h @ w_h.t() + b_h, h, c, p)
        outputs.append(h)
    return torch.stack(outputs), c


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("frames", "rows"), [(1, 1), (2, 3), (9, 4)])
def test_outputs_and_gradients_equal_those_of_single_steps(kind: CellKind, frames: int, rows: int) -> None:
    torch.manual_seed(frames)
    weights = random_weights(kind, 6, 5)
    x = torch.randn(frames, rows, 6).double().requires_grad_()
    h, c = torch.randn(rows, 5).double(), torch.randn(rows, 5).double()
    loss_weights = torch.randn(frames, rows, 5).double()
    used = [x, *weights] if kind in PEEPHOLES else [x, *weights[:-1]]
    expected, expected_c = step_by_step(kind, x, weights, h, c)
    outputs, last_c = sequence.run(kind, x, weights, h, c)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(last_c, expected_c, rtol=0, atol=1e-12)
    expected_gradients = torch.autograd.grad((expected * loss_weights).sum(), used)
    gradients = torch.autograd.grad((outputs * loss_weights).sum(), used)
    torch.testing.assert_close(gradients, expected_gradients, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_finite_differences_agree(kind: CellKind) -> None:
    torch.manual_seed(0)
    weights = random_weights(kind, 3, 4)
    x = torch.randn(4, 2, 3).double().requires_grad_()
    h, c = torch.randn(2, 4).double(), torch.randn(2, 4).double()
    assert torch.autograd.gradcheck(lambda x, *weights: sequence.run(kind, x, weights, h, c)[0], (x, *weights))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_torch_agrees_on_a_layer_of_real_size(kind: CellKind) -> None:
    torch.manual_seed(0)
    layer = recurrent.make_layer(kind, 48, 64)
    x, loss_weights = torch.randn(200, 5, 48, requires_grad=True), torch.randn(200, 5, 64)
    leaves = [x, *layer.parameters()]
    ours, theirs = (recurrent.run(layer, x, own=own)[0] for own in (True, False))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    for mine, expected in zip(
        torch.autograd.grad((ours * loss_weights).sum(), leaves),
        torch.autograd.grad((theirs * loss_weights).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_is_close_and_its_gradients_are_of_the_weights_type(kind: CellKind) -> None:
    torch.manual_seed(0)
    layer = recurrent.make_layer(kind, 48, 64)
    x, loss_weights = torch.randn(50, 5, 48), torch.randn(50, 5, 64)
    leaves = list(layer.parameters())
    exact, _ = recurrent.run(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = recurrent.run(layer, x)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, rtol=0, atol=0.03)
    gradients = torch.autograd.grad((exact * loss_weights).sum(), leaves)
    rounded_gradients = torch.autograd.grad((rounded * loss_weights).sum(), leaves)
    for gradient, expected in zip(rounded_gradients, gradients, strict=True):
        assert gradient.dtype == torch.float32
        assert float((gradient - expected).norm() / expected.norm()) < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_its_neighbours(kind: CellKind) -> None:
    torch.manual_seed(0)
    weights = random_weights(kind, 6, 5)
    x = torch.randn(7, 3, 6).double()
    zeros = torch.zeros(3, 5).double()
    together, _ = sequence.run(kind, x, weights, zeros, zeros)
    x[:, 1] = float("nan")
    alone, _ = sequence.run(kind, x, weights, zeros, zeros)
    torch.testing.assert_close(alone[:, [0, 2]], together[:, [0, 2]], rtol=0, atol=1e-12)
    assert alone[:, 1].isnan().all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_continues_from_its_state(kind: CellKind) -> None:
    torch.manual_seed(0)
    layer = recurrent.make_layer(kind, 3, 4)
    x = torch.randn(9, 2, 3)
    whole, (h, c) = recurrent.run(layer, x)
    first, state = recurrent.run(layer, x[:4])
    second, (last_h, last_c) = recurrent.run(layer, x[4:], (state[0].detach(), state[1].detach()))
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close((last_h, last_c), (h, c))


def test_a_gpu_would_run_the_same_equations() -> None:
    """The path of devices without kernels, run on the CPU."""
    torch.manual_seed(0)
    for kind in KINDS:
        layer = recurrent.make_layer(kind, 3, 4)
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.5)
        x, zeros = torch.randn(6, 2, 3), torch.zeros(2, 4)
        expected, (h, c) = recurrent.run(layer, x)
        outputs, state = recurrent._step_by_step(kind, recurrent.weights(layer), x, zeros, zeros)
        torch.testing.assert_close(outputs, expected)
        torch.testing.assert_close(state, (h, c))
