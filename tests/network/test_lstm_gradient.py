"""The gradient of an LSTM layer against finite differences and against torch's own."""

import pytest
import torch
from torch import Tensor, nn

from asr.network.lstm_gradient import lstm


def gradients(outputs: Tensor, loss_weights: Tensor, layer: nn.LSTM, x: Tensor) -> list[Tensor]:
    """Gradients of a weighted sum of the outputs with respect to the input and all parameters."""
    return list(torch.autograd.grad((outputs * loss_weights).sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_finite_differences_agree(frames: int) -> None:
    torch.manual_seed(frames)
    layer = nn.LSTM(3, 4).double()
    x = torch.randn(frames, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: lstm(layer, x), (x, *layer.parameters()))


def test_torch_agrees_on_a_layer_of_real_size() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(48, 64)
    x, loss_weights = torch.randn(200, 5, 48, requires_grad=True), torch.randn(200, 5, 64)
    expected = gradients(layer(x)[0], loss_weights, layer, x)
    for ours, theirs in zip(gradients(lstm(layer, x), loss_weights, layer, x), expected, strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_the_bfloat16_error_is_no_larger_than_torchs_own() -> None:
    torch.manual_seed(1)
    layer = nn.LSTM(48, 64)
    x, loss_weights = torch.randn(100, 5, 48, requires_grad=True), torch.randn(100, 5, 64)
    exact = gradients(layer(x)[0], loss_weights, layer, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theirs, ours = layer(x)[0], lstm(layer, x)
        assert torch.equal(ours, theirs) and ours.dtype is torch.bfloat16
    theirs, ours = (gradients(outputs.float(), loss_weights, layer, x) for outputs in (theirs, ours))
    for a, b, c in zip(ours, theirs, exact, strict=True):
        assert a.dtype is torch.float32
        assert (a - c).norm() < 1.2 * (b - c).norm()
