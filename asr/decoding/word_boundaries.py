"""From the frames in which CTC marks the letters of words to the times at which the words begin and end.

CTC marks a letter by a spike somewhere inside its sound, the first one mostly after the word's onset and the last one
well before its end. So a word is widened to both sides as long as the sound stays loud: no quieter than `DEPTH_DB`
below the loudest moment between its spikes, and `MARGIN_DB` above the quietest tenth of the recording; a quiet stretch
of up to `CLOSURE_S` inside it (the closure of a stop, as before the "t" of "eight") does not end it. Where two words
touch so, the quietest moment between their spikes parts them. No word is widened by more than `REACH_S`.
"""

import math
from collections.abc import Sequence

import numpy as np

STEP_S = 0.01
"""How finely loudness is looked at."""
DEPTH_DB = 35.0
MARGIN_DB = 10.0
CLOSURE_S = 0.08
REACH_S = 0.4


def widen(spans: Sequence[tuple[float, float]], waveform: np.ndarray, sample_rate: int) -> list[tuple[float, float]]:
    """The start and end of words, given in seconds the spans of their spikes, in order and not overlapping.

    Shape: waveform (S,)
    """
    if not spans:
        return []
    level = loudness(waveform, sample_rate)
    floor = float(np.percentile(level, 10)) + MARGIN_DB
    firsts = [min(math.floor(start_s / STEP_S), len(level) - 1) for start_s, _ in spans]
    lasts = [max(math.ceil(end_s / STEP_S), first + 1) for first, (_, end_s) in zip(firsts, spans, strict=True)]
    parts = [_quietest(level, last, first) for last, first in zip(lasts[:-1], firsts[1:], strict=True)]
    widened = []
    for (start_s, end_s), first, last, before, after in zip(
        spans, firsts, lasts, [0, *parts], [*parts, len(level)], strict=True
    ):
        least = max(float(level[first:last].max()) - DEPTH_DB, floor)
        if steps := _loud(level[before:first][::-1], least):
            start_s = (first - steps) * STEP_S  # noqa: PLW2901
        if steps := _loud(level[last:after], least):
            end_s = min((last + steps) * STEP_S, len(waveform) / sample_rate)  # noqa: PLW2901
        widened.append((start_s, end_s))
    return widened


def loudness(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The level of each `STEP_S` in decibels. Shape: (S,) -> (ceil(S / step),)"""
    step = round(STEP_S * sample_rate)
    padded = np.pad(waveform, (0, -len(waveform) % step)).reshape(-1, step)
    return 10 * np.log10((padded**2).mean(axis=1) + 1e-10)


def _quietest(level: np.ndarray, first: int, last: int) -> int:
    """The quietest step from `first` on and before `last`, or `first` where there is none."""
    return first + int(level[first:last].argmin()) if last > first else first


def _loud(level: np.ndarray, least: float) -> int:
    """How many steps belong to a word that lies before them: up to the last loud one before a quiet stretch."""
    loud = np.flatnonzero(level[: round(REACH_S / STEP_S)] >= least)
    steps = np.r_[-1, loud]
    gaps = np.flatnonzero(np.diff(steps) > 1 + round(CLOSURE_S / STEP_S))
    return int(steps[gaps[0]] if len(gaps) else steps[-1]) + 1
