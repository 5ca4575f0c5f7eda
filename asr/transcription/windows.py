"""Run long audio in overlapping windows and stitch their log-probs, not their text.

Each window has context on both sides, so that adjacent windows overlap. The seam is placed where both assign the
highest probability to a pause, so that no word is cut. Text, times and confidence of a long recording thus come from
the same code as those of a short one, and memory use stays constant. Windows too quiet to contain speech are skipped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from asr.models.session import LogProbModel
from asr.parallel import map_ordered
from asr.text import BLANK

SILENT_LOG_PROB = -30.0
"""Log-prob of all tokens except the blank in a silent window."""


@dataclass(frozen=True, kw_only=True)
class Windowing:
    """How to split a long recording into windows."""

    centre_s: float = 30.0
    """Length of the centre of each window, whose frames are kept."""
    context_s: float = 5.0
    """Length of the context before and after the centre."""
    seam_s: float = 1.0
    """Maximum distance of a seam from the edge of a centre."""
    pause_s: float = 0.4
    """Length of the likeliest pause near that edge, in the middle of which the seam is placed."""
    silence_db: float = -65.0
    """A window is silent if the power of each of its `SILENCE_S` long segments is below this, in dB relative to full
    scale. The quietest of 1,143 utterances from nine corpora reaches -45 in its loudest segment."""

    @property
    def longest_s(self) -> float:
        """Maximum length of a recording that is run as a single window."""
        return self.centre_s + 2 * self.context_s


DEFAULT = Windowing()
SILENCE_S = 0.1
"""Length of the segments in which the loudness is measured."""


@dataclass(frozen=True)
class Window:
    """A stretch of audio that is run at once."""

    waveform: np.ndarray
    """Shape: (S,)"""
    start: int
    """Index of its first frame."""
    edge: int
    """Index of the first frame of its centre."""
    frames: int | None
    """Number of frames; None for the last window, for which the model determines it."""


def stream(
    model: LogProbModel, blocks: Iterable[np.ndarray], threads: int = 1, windowing: Windowing = DEFAULT
) -> Iterator[np.ndarray]:
    """Yield the log-probs of a recording that is read in blocks, a stretch of frames at a time, in order.

    Shape: blocks (S_b,), at least one sample in all -> (T_i, V)

    Args:
        model: acoustic model to run on the windows.
        blocks: the recording at the model's sample rate, consumed as needed.
        threads: number of windows to run in parallel.
        windowing: how to split the recording.
    """
    shift = model.description.frame_shift_s
    slack, pause = round(windowing.seam_s / shift), max(1, round(windowing.pause_s / shift))
    run = partial(_log_probs, model, windowing)
    pending: tuple[int, np.ndarray] | None = None  # log-probs not yet yielded, and the index of their first frame
    for window, rows in map_ordered(run, _windows(model, blocks, windowing), threads):
        seam = window.edge
        if pending is not None:
            start, previous = pending
            first, last = seam - slack, seam + slack
            blanks = previous[first - start : last - start, BLANK]
            blanks = blanks + rows[first - window.start : last - window.start, BLANK]
            seam = first + _likeliest_pause(blanks, pause)
            yield previous[: seam - start]
        pending = seam, rows[seam - window.start :]
    assert pending is not None
    yield pending[1]


def log_probs(model: LogProbModel, waveform: np.ndarray, windowing: Windowing = DEFAULT) -> np.ndarray:
    """Compute the log-probs of a waveform of any length, at least one sample. Shape: (S,) -> (T, V)"""
    return np.concatenate(list(stream(model, [waveform], windowing=windowing)))


def batch_log_probs(
    model: LogProbModel, waveforms: Sequence[np.ndarray], windowing: Windowing = DEFAULT
) -> list[np.ndarray]:
    """Compute the log-probs of several waveforms: the short ones as one batch, each long one in windows.

    Shape: B times (S_b,) -> B times (T_b, V)
    """
    longest = int(windowing.longest_s * model.description.sample_rate)
    short = [index for index, waveform in enumerate(waveforms) if len(waveform) <= longest]
    results = dict(zip(short, model.log_probs([waveforms[i] for i in short]) if short else [], strict=True))
    return [
        results[i] if i in results else log_probs(model, waveform, windowing) for i, waveform in enumerate(waveforms)
    ]


def _windows(model: LogProbModel, blocks: Iterable[np.ndarray], windowing: Windowing) -> Iterator[Window]:
    """Split a recording into windows, buffering at most one window and one block."""
    shift = model.description.frame_shift_s
    step = round(shift * model.description.sample_rate)
    centre, context = round(windowing.centre_s / shift), round(windowing.context_s / shift)
    longest = int(windowing.longest_s * model.description.sample_rate)
    buffer, begin = np.zeros(0, np.float32), 0  # the samples that may still be needed, and the index of the first
    edge = 0
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while True:
            start, stop = max(0, edge - context), edge + centre + context
            if begin + len(buffer) <= max(stop * step, longest):
                break
            yield Window(buffer[start * step - begin : stop * step - begin], start, edge, stop - start)
            edge += centre
            needed = max(0, edge - context) * step
            buffer, begin = buffer[needed - begin :], needed
    start = max(0, edge - context)
    yield Window(buffer[start * step - begin :], start, edge, None)


def _log_probs(model: LogProbModel, windowing: Windowing, window: Window) -> tuple[Window, np.ndarray]:
    """Run one window, or skip it if silent. Returns it with its log-probs. Shape: -> (T, V)"""
    if window.frames is not None and _is_silent(window.waveform, model.description.sample_rate, windowing.silence_db):
        rows = np.full((window.frames, model.description.tokenizer.size), SILENT_LOG_PROB, np.float32)
        rows[:, BLANK] = 0.0
        return window, rows
    (rows,) = model.log_probs([window.waveform])
    return window, rows


def _likeliest_pause(blanks: np.ndarray, width: int) -> int:
    """Find the middle of the `width` frames with the highest sum, breaking ties towards the middle. Shape: (T,)"""
    width = min(width, len(blanks))
    sums = np.convolve(blanks, np.ones(width), mode="valid")
    distance = np.abs(np.arange(len(sums)) - len(sums) // 2)
    return int(np.lexsort((distance, -sums.round(3)))[0]) + width // 2


def _is_silent(waveform: np.ndarray, sample_rate: int, silence_db: float) -> bool:
    """Check that no segment is as loud as speech. Shape: (S,)"""
    size = round(SILENCE_S * sample_rate)
    segments = waveform[: len(waveform) // size * size].reshape(-1, size)
    power = np.square(segments, dtype=np.float32).mean(axis=1)
    return bool(power.max(initial=0.0) < 10 ** (silence_db / 10))
