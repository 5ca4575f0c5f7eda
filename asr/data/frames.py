"""The model's arithmetic without the model: the frames that a sound gives, and those that a text needs."""

import itertools

SAMPLE_RATE = 16_000
WINDOW = 400
"""Samples of the spectrogram's window, 25 ms."""
HOP = 160
"""Samples from one window to the next, 10 ms."""


def num_frames(num_samples: int, time_reduction: int) -> int:
    """Output frames of a model with a recipe's usual spectrogram, for a sound at `SAMPLE_RATE`.

    Windows are not centred, a sound shorter than one is padded to one, and each halving of the time rounds up.
    """
    windows = max(0, num_samples - WINDOW) // HOP + 1
    return -(-windows // time_reduction)


def frames_needed(tokens: str) -> int:
    """The fewest frames that can carry a text under CTC: one a token, and a blank between equal neighbours."""
    return len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens))
