"""Products of a few rows by the same weights, on matrix tiles where the processor has them, against float64."""

import numpy as np
import pytest
import torch

from asr.network.kernels import products, tiles


def operands(frames: int, rows: int, inputs: int, outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(rows)
    return torch.randn(frames, rows, inputs, generator=generator), torch.randn(inputs, outputs, generator=generator)


def expected(x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return x.to(weights.dtype).double() @ weights.double()


@pytest.mark.parametrize("low", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(1, 32, 64), (5, 64, 128), (16, 256, 64), (37, 96, 192), (3, 7, 5)]
)
def test_each_frame_is_multiplied(rows: int, inputs: int, outputs: int, low: torch.dtype) -> None:
    x, weights = operands(3, rows, inputs, outputs)
    x = x.double() if low == torch.float64 else x
    multiply, result = products.by(weights.to(low), x)
    assert result.shape == (rows, outputs)
    assert not result.any()
    for t in (0, 2, 1):
        multiply(t)
        close = {torch.float32: 1e-4, torch.float64: 1e-10, torch.bfloat16: 0.03 * inputs**0.5}[low]
        assert torch.allclose(result.double(), expected(x[t], weights.to(low)), atol=close)


def test_a_frame_may_change_after_it_was_given() -> None:
    x, weights = operands(2, 4, 32, 64)
    multiply, result = products.by(weights.to(torch.bfloat16), x)
    x[1] = 2.0
    multiply(1)
    assert torch.allclose(result.double(), expected(x[1], weights.to(torch.bfloat16)), atol=0.2)


needs_tiles = pytest.mark.skipif(
    not tiles.fits(32, 64, torch.bfloat16), reason="this processor has no matrix tiles (AMX)"
)


@needs_tiles
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 48])
def test_tiles_add_in_float32(rows: int) -> None:
    x, weights = operands(1, rows, 256, 1024)
    low = weights.to(torch.bfloat16)
    rounded, out = tiles.room(rows, 256, 1024)
    tiles.multiply(0, x.numpy(), tiles.cut(low), rounded, out, tiles.CONFIG)
    assert np.allclose(out[:rows], expected(x[0].to(torch.bfloat16), low), atol=1e-4)
    assert not out[rows:].any()


@needs_tiles
def test_tiles_round_as_torch_does() -> None:
    x = torch.randn(1, 8, 512, generator=torch.Generator().manual_seed(1)) * torch.logspace(-30, 30, 512)
    rounded, out = tiles.room(8, 512, 64)
    tiles.multiply(0, x.numpy(), tiles.cut(torch.zeros(512, 64, dtype=torch.bfloat16)), rounded, out, tiles.CONFIG)
    assert (torch.from_numpy(rounded.view(np.int16)).view(torch.bfloat16)[:8] == x[0].to(torch.bfloat16)).all()


def test_only_whole_tiles_of_bfloat16_fit() -> None:
    assert not tiles.fits(33, 64, torch.bfloat16)
    assert not tiles.fits(32, 48, torch.bfloat16)
    assert not tiles.fits(32, 64, torch.float32)
