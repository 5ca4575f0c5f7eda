"""The rational functions against NumPy's tanh in float64."""

import numpy as np
from numba import njit

from asr.network.kernels.activations import TANH_DENOMINATOR, TANH_LIMIT, TANH_NUMERATOR, sigmoid, tanh


@njit
def _tanh(x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for index in range(len(x)):
        y[index] = tanh(x[index])
    return y


@njit
def _sigmoid(x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for index in range(len(x)):
        y[index] = sigmoid(x[index])
    return y


X = np.concatenate([np.linspace(-20, 20, 200_001), [-700, -1e-30, 0, 1e-30, 700, np.inf]])


def test_float32_is_within_a_few_units_of_the_last_place() -> None:
    x = X.astype(np.float32)
    np.testing.assert_allclose(_tanh(x), np.tanh(x.astype(np.float64)), rtol=0, atol=4e-7)
    np.testing.assert_allclose(_sigmoid(x), 1 / (1 + np.exp(-x.astype(np.float64))), rtol=0, atol=3e-7)


def test_small_values_keep_their_relative_precision() -> None:
    x = np.geomspace(1e-30, 1, 1000).astype(np.float32)
    np.testing.assert_allclose(_tanh(x), np.tanh(x.astype(np.float64)), rtol=4e-7)


def test_float64_is_exact() -> None:
    np.testing.assert_allclose(_tanh(X), np.tanh(X), rtol=0, atol=1e-15)
    np.testing.assert_allclose(_sigmoid(X), 1 / (1 + np.exp(-X)), rtol=0, atol=1e-15)


def test_nan_stays_nan() -> None:
    for dtype in (np.float32, np.float64):
        assert np.isnan(_tanh(np.array([np.nan], dtype))).all()
        assert np.isnan(_sigmoid(np.array([np.nan], dtype))).all()


def test_the_fit_is_closer_than_float32_can_tell() -> None:
    x = np.linspace(0, TANH_LIMIT, 100_001)
    p, q = (np.polynomial.Polynomial(coefficients)(x * x) for coefficients in (TANH_NUMERATOR, TANH_DENOMINATOR))
    np.testing.assert_allclose(x * p / q, np.tanh(x), rtol=0, atol=6e-9)
