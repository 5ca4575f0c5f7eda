"""Long audio in windows: log-probs are stitched, not text.

Each window is heard with context on both sides, and where one ends and the next begins both are heard: the seam is laid
where both are surest that nothing is said, so that no word is cut. Text, times and confidence of a long recording come
from the same path as those of a short one, and memory stays flat. A window in which nothing is loud enough to be speech
is not heard at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from asr.models.session import LogProbModel
from asr.parallel import ahead
from asr.text import BLANK

CENTRE_S = 30.0
"""Seconds of each window whose frames are kept."""
CONTEXT_S = 5.0
"""Seconds heard before and after the centre."""
SEAM_S, PAUSE_S = 1.0, 0.4
"""A seam lies up to SEAM_S beside the edge of a centre, in the middle of the PAUSE_S that are the likeliest pause."""
SILENCE_S, SILENCE_DB = 0.1, -65.0
"""A window is silent when every tenth of a second of it is below this power, in decibels of full scale. Of 1,143
utterances from nine corpora the quietest reaches -45 in its loudest tenth."""
NOTHING = -30.0
"""The log-prob of all tokens but the blank in a silent window."""


@dataclass(frozen=True)
class Window:
    """What is heard at once."""

    waveform: np.ndarray
    """Shape: (S,)"""
    start: int
    """The frame at which it starts."""
    edge: int
    """The frame at which its centre starts."""
    frames: int | None
    """Its length; None for the last, which says so itself."""


def stream(model: LogProbModel, blocks: Iterable[np.ndarray], threads: int = 1) -> Iterator[np.ndarray]:
    """Yield the log-probs of a sound that comes in blocks, a stretch of frames at a time, in order.

    Shape: blocks (S_b,), at least one sample in all -> (T_i, V)

    Args:
        model: hears the windows.
        blocks: the sound at the model's sample rate; they are taken as they are needed.
        threads: windows that are heard at a time.
    """
    shift = model.description.frame_shift_s
    slack, pause = round(SEAM_S / shift), max(1, round(PAUSE_S / shift))
    before: tuple[int, np.ndarray] | None = None  # the frame up to which all is told, and the log-probs from there on
    for window, rows in ahead(partial(_hear, model), _windows(model, blocks), threads):
        seam = window.edge
        if before is not None:
            told, held = before
            first, last = seam - slack, seam + slack
            quiet = held[first - told : last - told, BLANK] + rows[first - window.start : last - window.start, BLANK]
            seam = first + _quietest(quiet, pause)
            yield held[: seam - told]
        before = seam, rows[seam - window.start :]
    assert before is not None
    yield before[1]


def log_probs(model: LogProbModel, waveform: np.ndarray) -> np.ndarray:
    """Log-probs of a waveform of any length, at least one sample. Shape: (S,) -> (T, V)"""
    return np.concatenate(list(stream(model, [waveform])))


def batch_log_probs(model: LogProbModel, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Log-probs of several waveforms: the short ones as one batch, each long one in windows.

    Shape: B times (S_b,) -> B times (T_b, V)
    """
    short = [index for index, waveform in enumerate(waveforms) if len(waveform) <= longest(model)]
    results = dict(zip(short, model.log_probs([waveforms[i] for i in short]) if short else [], strict=True))
    return [results[i] if i in results else log_probs(model, waveform) for i, waveform in enumerate(waveforms)]


def longest(model: LogProbModel) -> int:
    """The samples of the longest sound that is heard at once."""
    return int((CENTRE_S + 2 * CONTEXT_S) * model.description.sample_rate)


def _windows(model: LogProbModel, blocks: Iterable[np.ndarray]) -> Iterator[Window]:
    """Cut a sound into windows; holds no more of it than a window and a block."""
    shift = model.description.frame_shift_s
    step = round(shift * model.description.sample_rate)
    centre, context = round(CENTRE_S / shift), round(CONTEXT_S / shift)
    held, begin = np.zeros(0, np.float32), 0  # the samples that may still be needed, and the place of their first
    edge = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while True:
            start, stop = max(0, edge - context), edge + centre + context
            if begin + len(held) <= max(stop * step, longest(model)):
                break
            yield Window(held[start * step - begin : stop * step - begin], start, edge, stop - start)
            edge += centre
            kept = max(0, edge - context) * step
            held, begin = held[kept - begin :], kept
    start = max(0, edge - context)
    yield Window(held[start * step - begin :], start, edge, None)


def _hear(model: LogProbModel, window: Window) -> tuple[Window, np.ndarray]:
    """A window and its log-probs. Shape: -> (T, V)"""
    if window.frames is not None and _is_silent(window.waveform, model.description.sample_rate):
        rows = np.full((window.frames, model.description.tokenizer.size), NOTHING, np.float32)
        rows[:, BLANK] = 0.0
        return window, rows
    (rows,) = model.log_probs([window.waveform])
    return window, rows


def _quietest(quiet: np.ndarray, width: int) -> int:
    """The middle of the `width` frames with the highest sum; of equal ones the nearest to the middle. Shape: (T,)"""
    width = min(width, len(quiet))
    sums = np.convolve(quiet, np.ones(width), mode="valid")
    distance = np.abs(np.arange(len(sums)) - len(sums) // 2)
    return int(np.lexsort((distance, -sums.round(3)))[0]) + width // 2


def _is_silent(waveform: np.ndarray, sample_rate: int) -> bool:
    """Whether no part of it is as loud as speech. Shape: (S,)"""
    size = round(SILENCE_S * sample_rate)
    parts = waveform[: len(waveform) // size * size].reshape(-1, size)
    power = np.square(parts, dtype=np.float32).mean(axis=1)
    return bool(power.max(initial=0.0) < 10 ** (SILENCE_DB / 10))
