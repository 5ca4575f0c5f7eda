"""The product of each step: the few rows of a frame by weights that are the same for all frames."""

from collections.abc import Callable

import torch
from torch import Tensor

from asr.network.kernels import tiles


def by(weights: Tensor, x: Tensor) -> tuple[Callable[[int], object], Tensor]:
    """A function that multiplies the rows of frame t of x, which may change, by weights, and where it puts the result.

    Products are computed in the precision of the weights. The result begins as zeros.

    Shape: weights (K, N), x (T, B, K) in its own precision -> result (B, N) in that of x
    """
    rows, (inputs, outputs) = x.shape[1], weights.shape
    if tiles.fits(inputs, outputs, weights.dtype):
        rounded, out = tiles.room(rows, inputs, outputs)
        arrays = (x.numpy(), tiles.cut(weights), rounded, out, tiles.CONFIG)
        return lambda t: tiles.multiply(t, *arrays), torch.from_numpy(out)[:rows]
    result = x.new_zeros(rows, outputs)
    frames = x.unbind(0)
    if weights.dtype is x.dtype:
        return lambda t: torch.mm(frames[t], weights, out=result), result
    low, low_result = frames[0].to(weights.dtype), result.to(weights.dtype)

    def multiply(t: int) -> None:
        low.copy_(frames[t])
        torch.mm(low, weights, out=low_result)
        result.copy_(low_result)

    return multiply, result
