"""Products with the matrix tiles (AMX) of server processors, in bfloat16 with sums in float32.

A step of a recurrent layer multiplies a few rows by weights that stay the same for all frames. A library arranges these
weights again at each call, which takes longer than the product (10 rows by 256 x 1024: 50 microseconds instead of 15),
and numba has no instructions for tiles. So they are given to LLVM by name, as Intel's Architecture Instruction Set
Extensions Programming Reference describes them.

A tile holds sixteen rows of 64 bytes: sixteen sums in a row, or 32 factors. Weights are cut into tiles of 32 x 16, in
which two rows are interleaved: factors that meet in one sum lie side by side.
"""

from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from asr.compiled import vectorised

Array = np.ndarray[Any, Any]

ROWS = 16
"""Rows of a tile."""
FACTORS = 32
"""bfloat16 numbers in a row of a tile."""
AT_ONCE = 4
"""Tiles of sums that are computed together, so that each tile of the input is loaded once for so many."""
WIDTH = 64
"""Bytes in a row of a tile."""

CONFIG = np.zeros(64, np.uint8)
"""Palette 1, in which all eight tiles have all rows and all bytes."""
CONFIG[0] = 1
CONFIG[16:32:2] = WIDTH
CONFIG[48:56] = ROWS


def fits(inputs: int, outputs: int, low: torch.dtype) -> bool:
    """Whether this processor has tiles, and a product of this size can be cut into them."""
    if low is not torch.bfloat16 or inputs % FACTORS or outputs % (ROWS * AT_ONCE):
        return False
    return bool(torch.cpu._is_amx_tile_supported() and torch.cpu._init_amx())


def cut(weights: Tensor) -> Array:
    """Arrange weights in tiles. Shape: (K, N) in bfloat16 -> (N / 16, K / 32, 16, 32) as their bits"""
    bits = weights.contiguous().view(torch.int16).numpy().view(np.uint16)
    inputs, outputs = bits.shape
    tiles = bits.reshape(inputs // FACTORS, ROWS, 2, outputs // ROWS, ROWS).transpose(3, 0, 1, 4, 2)
    return np.ascontiguousarray(tiles).reshape(outputs // ROWS, inputs // FACTORS, ROWS, FACTORS)


def room(rows: int, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Arrays for the rounded input and for the result of `multiply`, whose rows fill whole tiles."""
    padded = -(-rows // ROWS) * ROWS
    return np.zeros((padded, inputs), np.uint16), np.zeros((padded, outputs), np.float32)


_intrinsic: Any = intrinsic
"""Numba's types say nothing of how the result is called."""


def _instruction(name: str, *tiles: Any) -> Any:
    """A generator of an instruction on tiles, and on memory: an address, and perhaps a stride in bytes."""
    numbers = [ir.Constant(ir.IntType(8), tile.literal_value) for tile in tiles]

    def generate(context: Any, builder: Any, _: Any, given: Any) -> Any:
        rest = given[len(tiles) :]
        memory = [builder.inttoptr(rest[0], ir.IntType(8).as_pointer()), *rest[1:]] if rest else []
        values = [*numbers, *memory]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), values)
        return context.get_dummy_value()

    return generate


@_intrinsic
def _configure(_: Any, address: Any) -> Any:
    return types.void(types.intp), _instruction("ldtilecfg")


@_intrinsic
def _release(_: Any) -> Any:
    return types.void(), _instruction("tilerelease")


@_intrinsic(prefer_literal=True)
def _zero(_: Any, tile: Any) -> Any:
    return types.void(tile), _instruction("tilezero", tile)


@_intrinsic(prefer_literal=True)
def _load(_: Any, tile: Any, address: Any, stride: Any) -> Any:
    return types.void(tile, types.intp, types.intp), _instruction("tileloadd64", tile)


@_intrinsic(prefer_literal=True)
def _store(_: Any, tile: Any, address: Any, stride: Any) -> Any:
    return types.void(tile, types.intp, types.intp), _instruction("tilestored64", tile)


@_intrinsic(prefer_literal=True)
def _add_product(_: Any, sums: Any, a: Any, b: Any) -> Any:
    return types.void(sums, a, b), _instruction("tdpbf16ps", sums, a, b)


@vectorised
def _round(x: Array, out: Array) -> None:
    """To bfloat16, the nearest, of two the even one."""
    bits = x.view(np.uint32)
    for j in range(len(bits)):
        odd = (bits[j] >> np.uint32(16)) & np.uint32(1)
        out[j] = np.uint16((bits[j] + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@vectorised
def multiply(  # noqa: PLR0917 - numba takes positional arguments
    t: int, x: Array, tiles: Array, rounded: Array, out: Array, config: Array
) -> None:
    """Multiply the rows of x[t] by weights from `cut`, in arrays from `room`.

    Shape: x (T, B, K), tiles (N / 16, K / 32, 16, 32) -> out (B or more, N)
    """
    for b in range(x.shape[1]):
        _round(x[t, b], rounded[b])
    _configure(np.intp(config.ctypes.data))
    input_row, output_row = np.intp(2 * rounded.shape[1]), np.intp(4 * out.shape[1])
    tile = np.intp(ROWS * WIDTH)
    column = tile * tiles.shape[1]
    for m in range(0, len(rounded), ROWS):
        for n in range(0, len(tiles), AT_ONCE):
            _zero(0)
            _zero(1)
            _zero(2)
            _zero(3)
            weights = np.intp(tiles.ctypes.data) + n * column
            for k in range(tiles.shape[1]):
                _load(4, np.intp(rounded.ctypes.data) + m * input_row + k * WIDTH, input_row)
                _load(5, weights + k * tile, WIDTH)
                _add_product(0, 4, 5)
                _load(6, weights + column + k * tile, WIDTH)
                _add_product(1, 4, 6)
                _load(7, weights + 2 * column + k * tile, WIDTH)
                _add_product(2, 4, 7)
                _load(5, weights + 3 * column + k * tile, WIDTH)
                _add_product(3, 4, 5)
            sums = np.intp(out.ctypes.data) + m * output_row + n * WIDTH
            _store(0, sums, output_row)
            _store(1, sums + WIDTH, output_row)
            _store(2, sums + 2 * WIDTH, output_row)
            _store(3, sums + 3 * WIDTH, output_row)
    _release()
