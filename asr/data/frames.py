"""Frame counts without a model: the frames of a recording, and the frames that CTC needs for a text."""

import itertools

SAMPLE_RATE = 16_000
WINDOW = 400
"""Window length of the spectrogram in samples, 25 ms."""
HOP = 160
"""Hop length of the spectrogram in samples, 10 ms."""


def num_frames(num_samples: int, time_reduction: int) -> int:
    """Output frames of a model with the default spectrogram, for audio at `SAMPLE_RATE`.

    Windows are not centred, audio shorter than one window is padded, and each halving of the time axis rounds up.
    """
    windows = max(0, num_samples - WINDOW) // HOP + 1
    return -(-windows // time_reduction)


def frames_needed(tokens: str) -> int:
    """Minimum number of frames for a text under CTC: one per token, and a blank between equal neighbours."""
    return len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens))
