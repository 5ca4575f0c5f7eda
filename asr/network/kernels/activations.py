"""tanh and the logistic function as rational functions, which the compiler can vectorise; calls of libm it cannot."""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

TANH_LIMIT = 7.9
"""Beyond it tanh is 1 in float32, within one unit of the last place."""
TANH_NUMERATOR = (
    0.9999999735543603,
    0.1344445527725454,
    0.003571700274740879,
    2.1903489567926197e-05,
    1.5259787734657897e-08,
)
TANH_DENOMINATOR = (
    1.0,
    0.46777777456046327,
    0.026164428932812116,
    0.0003411750138515778,
    8.5305901156472e-07,
)
"""tanh(x) = x P(x^2) / Q(x^2), coefficients by rising power, fitted by scripts/fit_tanh.py: the error of the fit is
5e-9, that of float32 arithmetic 3e-7."""

P0, P1, P2, P3, P4 = (np.float32(value) for value in TANH_NUMERATOR)
Q0, Q1, Q2, Q3, Q4 = (np.float32(value) for value in TANH_DENOMINATOR)
LIMIT, HALF, ONE = np.float32(TANH_LIMIT), np.float32(0.5), np.float32(1)


def tanh(x: Any) -> Any:
    """Compute tanh in compiled code: rational in float32, exact in float64 (which is for tests)."""
    raise NotImplementedError("only for compiled code")


def sigmoid(x: Any) -> Any:
    """Compute the logistic function in compiled code, from tanh."""
    raise NotImplementedError("only for compiled code")


@overload(tanh, inline="always")
def _tanh(x: Any) -> Any:
    if x == types.float64:

        def exact(x: Any) -> Any:
            return math.tanh(x)

        return exact

    def rational(x: Any) -> Any:
        x = min(max(x, -LIMIT), LIMIT)
        s = x * x
        p = (((P4 * s + P3) * s + P2) * s + P1) * s + P0
        q = (((Q4 * s + Q3) * s + Q2) * s + Q1) * s + Q0
        return x * p / q

    return rational


@overload(sigmoid, inline="always")
def _sigmoid(x: Any) -> Any:
    if x == types.float64:

        def exact(x: Any) -> Any:
            return 0.5 * (1.0 + math.tanh(0.5 * x))

        return exact

    def rational(x: Any) -> Any:
        return HALF * (ONE + tanh(HALF * x))

    return rational
