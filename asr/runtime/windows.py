"""Long audio in windows: log-probs are stitched, not text.

Each window is heard with context on both sides and only the frames of its centre are kept, so text, times and
confidence of a long recording come from the same path as those of a short one, and the network's memory stays flat.
"""

from collections.abc import Sequence

import numpy as np

from asr.runtime.session import LogProbModel

CENTRE_S = 30.0
"""Seconds of each window whose frames are kept."""
CONTEXT_S = 4.0
"""Seconds heard before and after the centre."""


def log_probs(model: LogProbModel, waveform: np.ndarray) -> np.ndarray:
    """Log-probs of a waveform of any length, at least one sample. Shape: (S,) -> (T, V)"""
    shift = model.description.frame_shift_s
    step = round(shift * model.description.sample_rate)
    centre, context = round(CENTRE_S / shift), round(CONTEXT_S / shift)
    if not _is_long(model, waveform):
        return model.log_probs([waveform])[0]
    parts = []
    for first in range(0, -(-len(waveform) // step), centre):
        start = max(0, first - context)
        stop = first + centre + context
        (rows,) = model.log_probs([waveform[start * step : stop * step]])
        last = stop * step >= len(waveform)
        parts.append(rows[first - start :] if last else rows[first - start : first - start + centre])
        if last:
            break
    return np.concatenate(parts)


def batch_log_probs(model: LogProbModel, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Log-probs of several waveforms: the short ones as one batch, each long one in windows.

    Shape: B times (S_b,) -> B times (T_b, V)
    """
    short = [index for index, waveform in enumerate(waveforms) if not _is_long(model, waveform)]
    results = dict(zip(short, model.log_probs([waveforms[i] for i in short]) if short else [], strict=True))
    return [results[i] if i in results else log_probs(model, waveform) for i, waveform in enumerate(waveforms)]


def _is_long(model: LogProbModel, waveform: np.ndarray) -> bool:
    """Whether a waveform is heard in windows."""
    return len(waveform) > (CENTRE_S + 2 * CONTEXT_S) * model.description.sample_rate
