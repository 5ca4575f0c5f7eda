"""Mix the channels of a recording into one."""

from functools import reduce

import numpy as np

INVERTED = -0.8
"""Correlation with the loudest channel below which a channel is considered inverted, as by a wrongly wired cable."""


MIN_SAMPLES = 1_000
"""Samples from which on a correlation tells anything."""


def mix(block: np.ndarray) -> np.ndarray:
    """Average the channels of a block; one that is the inverse of the loudest is turned over, so that none cancel.

    Shape: (S, C) -> (S,), of the same type
    """
    count = block.shape[1]
    if count == 1:
        return block[:, 0].copy()
    signs = _signs(block) if len(block) >= MIN_SAMPLES else np.ones(count)
    divisors = (signs * count).astype(block.dtype)
    return reduce(np.add, (column / divisor for column, divisor in zip(block.T, divisors, strict=True)))


def _signs(block: np.ndarray) -> np.ndarray:
    """1, or -1 for inverted channels. Shape: (S, C) -> (C,)"""
    products = block.T @ block
    powers = products.diagonal()
    loudest = int(powers.argmax())
    scale = np.sqrt(powers * powers[loudest])
    return np.where(products[loudest] < INVERTED * np.where(scale > 0, scale, np.inf), -1.0, 1.0)
