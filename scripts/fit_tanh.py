#!/usr/bin/env python3
"""Fit the rational function of asr/network/kernels/activations.py to tanh."""

import numpy as np

LIMIT = 7.9
DEGREE = 4
ROUNDS = 400


def main() -> None:
    """Print the coefficients of P and Q, by rising power, in tanh(x) = x P(x^2) / Q(x^2), and the largest error.

    Least squares with the denominator of the round before (Sanathanan and Koerner 1963); points with a large error
    weigh more in the next round (Lawson 1961), so that the largest error shrinks.
    """
    x = LIMIT * (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, 20_001)))[:-1]
    powers = np.vander((x / LIMIT) ** 2, DEGREE + 1, increasing=True)
    target = np.tanh(x) / x
    denominator, weights = np.ones_like(x), np.ones_like(x)
    best, coefficients = np.inf, list[np.ndarray]()
    for _ in range(ROUNDS):
        scale = np.sqrt(weights) * x / denominator
        system = np.hstack([powers, -target[:, None] * powers[:, 1:]]) * scale[:, None]
        solution = np.linalg.lstsq(system, target * scale)[0]
        p, q = solution[: DEGREE + 1], np.concatenate([[1.0], solution[DEGREE + 1 :]])
        denominator = powers @ q
        errors = np.abs(x * (powers @ p / denominator - target))
        if errors.max() < best:
            best = errors.max()
            coefficients = [c / LIMIT ** (2 * np.arange(DEGREE + 1)) for c in (p, q)]
        weights *= (errors / errors.max() + 1e-9) ** 0.7
        weights /= weights.mean()
    for name, values in zip("PQ", coefficients, strict=True):
        print(name, *(repr(float(value)) for value in values))
    print(f"largest error up to {LIMIT}: {best:.1e}")


if __name__ == "__main__":
    main()
