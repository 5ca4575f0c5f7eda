"""Simulated pauses, for text that nobody has read aloud."""

import numpy as np

from asr.readable.labels import MARKS
from asr.readable.pauses import CLASSES

NOTHING = (0.870, 0.085, 0.025, 0.014, 0.004, 0.002)
COMMA = (0.16, 0.14, 0.28, 0.32, 0.08, 0.02)
END = (0.08, 0.05, 0.15, 0.28, 0.26, 0.18)
"""Share of each class of pause after a word without a mark, before a comma, and at the end of a sentence: measured on
the recognised words of 483 clips of LJ Speech with their text, the rare long ones by hand."""
BY_MARK = np.array([(NOTHING, COMMA, END, END, END)[mark] for mark in range(len(MARKS))])
LARGEST_HESITATION = 0.3
"""A reader pauses anywhere in up to this share of the places."""


def simulate(marks: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Draw a class of pause after each word, by its mark, as a reader who hesitates more or less. Shape: (T,) -> (T,)

    The pause after the last word is not known, as there is no next one.
    """
    hesitation = draw.uniform(0, LARGEST_HESITATION)
    shares = (1 - hesitation) * BY_MARK + hesitation / (CLASSES - 1)
    limits = np.cumsum(shares, axis=1)[marks]
    classes = 1 + (draw.random(len(marks))[:, None] > limits[:, :-1]).sum(axis=1)
    classes[-1:] = 0
    return classes
