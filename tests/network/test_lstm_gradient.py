"""Our gradient of an LSTM layer against finite differences and against torch's own."""

import pytest
import torch
from torch import Tensor, nn

from asr.network.lstm_gradient import lstm


def gradients(outputs: Tensor, weights_of_loss: Tensor, layer: nn.LSTM, x: Tensor) -> list[Tensor]:
    """Of a weighted sum of the outputs, for the input and all parameters."""
    return list(torch.autograd.grad((outputs * weights_of_loss).sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_finite_differences_agree(frames: int) -> None:
    torch.manual_seed(frames)
    layer = nn.LSTM(3, 4).double()
    x = torch.randn(frames, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: lstm(layer, x), (x, *layer.parameters()))


def test_torch_agrees_on_a_layer_of_real_size() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(48, 64)
    x, weights_of_loss = torch.randn(200, 5, 48, requires_grad=True), torch.randn(200, 5, 64)
    expected = gradients(layer(x)[0], weights_of_loss, layer, x)
    for ours, theirs in zip(gradients(lstm(layer, x), weights_of_loss, layer, x), expected, strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_in_bfloat16_the_error_is_no_larger_than_torch_s_own() -> None:
    torch.manual_seed(1)
    layer = nn.LSTM(48, 64)
    x, weights_of_loss = torch.randn(100, 5, 48, requires_grad=True), torch.randn(100, 5, 64)
    exact = gradients(layer(x)[0], weights_of_loss, layer, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theirs, ours = layer(x)[0], lstm(layer, x)
        assert torch.equal(ours, theirs) and ours.dtype is torch.bfloat16
    theirs, ours = (gradients(outputs.float(), weights_of_loss, layer, x) for outputs in (theirs, ours))
    for a, b, c in zip(ours, theirs, exact, strict=True):
        assert a.dtype is torch.float32
        assert (a - c).norm() < 1.2 * (b - c).norm()
