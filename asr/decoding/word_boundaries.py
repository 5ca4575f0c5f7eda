"""Estimates when words begin and end from the frames in which CTC marks their letters.

CTC marks a letter by a spike somewhere inside its sound, the first one mostly after the word's onset and the last one
well before its end. So a word is widened on both sides while the audio stays loud: no quieter than `DEPTH_DB` below the
loudest moment between its spikes, and at least `MARGIN_DB` above the level of the quietest tenth of the recording. A
pause of up to `CLOSURE_S` (the closure of a stop, as before the "t" of "eight") does not end the word. Two words that
would overlap are split at the quietest moment between their spikes. No word is widened by more than `MAX_WIDENING_S`.
"""

import math
from collections.abc import Sequence

import numpy as np

STEP_S = 0.01
"""Resolution of the loudness measurement."""
DEPTH_DB = 35.0
MARGIN_DB = 10.0
CLOSURE_S = 0.08
MAX_WIDENING_S = 0.4


def widen(spans: Sequence[tuple[float, float]], waveform: np.ndarray, sample_rate: int) -> list[tuple[float, float]]:
    """Widen words from the spans of their spikes: start and end in seconds, in order and not overlapping.

    Shape: waveform (S,)
    """
    if not spans:
        return []
    level = loudness(waveform, sample_rate)
    floor = float(np.percentile(level, 10)) + MARGIN_DB
    firsts = [min(math.floor(start_s / STEP_S), len(level) - 1) for start_s, _ in spans]
    lasts = [max(math.ceil(end_s / STEP_S), first + 1) for first, (_, end_s) in zip(firsts, spans, strict=True)]
    splits = [_quietest(level, last, first) for last, first in zip(lasts[:-1], firsts[1:], strict=True)]
    widened: list[tuple[float, float]] = []
    for (start_s, end_s), first, last, before, after in zip(
        spans, firsts, lasts, [0, *splits], [*splits, len(level)], strict=True
    ):
        threshold = max(float(level[first:last].max()) - DEPTH_DB, floor)
        if steps := _num_loud(level[before:first][::-1], threshold):
            start_s = (first - steps) * STEP_S  # noqa: PLW2901
        if steps := _num_loud(level[last:after], threshold):
            end_s = min((last + steps) * STEP_S, len(waveform) / sample_rate)  # noqa: PLW2901
        widened.append((start_s, end_s))
    return widened


def loudness(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The level of each `STEP_S` in decibels. Shape: (S,) -> (ceil(S / step),)"""
    step = round(STEP_S * sample_rate)
    padded = np.pad(waveform, (0, -len(waveform) % step)).reshape(-1, step)
    return 10 * np.log10((padded**2).mean(axis=1) + 1e-10)


def _quietest(level: np.ndarray, first: int, last: int) -> int:
    """The quietest step in [first, last), or `first` if that range is empty."""
    return first + int(level[first:last].argmin()) if last > first else first


def _num_loud(level: np.ndarray, threshold: float) -> int:
    """The number of steps by which to extend the word before them: up to the last loud one before a long pause."""
    loud = np.flatnonzero(level[: round(MAX_WIDENING_S / STEP_S)] >= threshold)
    steps = np.r_[-1, loud]
    gaps = np.flatnonzero(np.diff(steps) > 1 + round(CLOSURE_S / STEP_S))
    return int(steps[gaps[0]] if len(gaps) else steps[-1]) + 1
