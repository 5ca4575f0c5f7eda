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
from asr.parallel import map_ordered
from asr.text import BLANK

NOTHING = -30.0
"""The log-prob of all tokens but the blank in a silent window."""


@dataclass(frozen=True, kw_only=True)
class Windowing:
    """How a long recording is cut into windows."""

    centre_s: float = 30.0
    """Seconds of each window whose frames are kept."""
    context_s: float = 5.0
    """Seconds before and after the centre that the model sees, too."""
    seam_s: float = 1.0
    """A seam lies at most this far from the edge of a centre, ..."""
    pause_s: float = 0.4
    """... in the middle of the stretch of this length that is most likely a pause."""
    silence_db: float = -65.0
    """A window is silent when the power of every `SILENCE_S` of it is below this, in decibels of full scale. Of 1,143
    utterances from nine corpora the quietest reaches -45 in its loudest tenth of a second."""

    @property
    def longest_s(self) -> float:
        """The longest recording that is run at once, in one window."""
        return self.centre_s + 2 * self.context_s


DEFAULT = Windowing()
SILENCE_S = 0.1


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


def stream(
    model: LogProbModel, blocks: Iterable[np.ndarray], threads: int = 1, windowing: Windowing = DEFAULT
) -> Iterator[np.ndarray]:
    """Yield the log-probs of a sound that comes in blocks, a stretch of frames at a time, in order.

    Shape: blocks (S_b,), at least one sample in all -> (T_i, V)

    Args:
        model: hears the windows.
        blocks: the sound at the model's sample rate; they are taken as they are needed.
        threads: windows that are heard at a time.
        windowing: how to cut.
    """
    shift = model.description.frame_shift_s
    slack, pause = round(windowing.seam_s / shift), max(1, round(windowing.pause_s / shift))
    run = partial(_log_probs, model, windowing)
    before: tuple[int, np.ndarray] | None = None  # the frame up to which all is told, and the log-probs from there on
    for window, rows in map_ordered(run, _windows(model, blocks, windowing), threads):
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


def log_probs(model: LogProbModel, waveform: np.ndarray, windowing: Windowing = DEFAULT) -> np.ndarray:
    """Log-probs of a waveform of any length, at least one sample. Shape: (S,) -> (T, V)"""
    return np.concatenate(list(stream(model, [waveform], windowing=windowing)))


def batch_log_probs(
    model: LogProbModel, waveforms: Sequence[np.ndarray], windowing: Windowing = DEFAULT
) -> list[np.ndarray]:
    """Log-probs of several waveforms: the short ones as one batch, each long one in windows.

    Shape: B times (S_b,) -> B times (T_b, V)
    """
    longest = int(windowing.longest_s * model.description.sample_rate)
    short = [index for index, waveform in enumerate(waveforms) if len(waveform) <= longest]
    results = dict(zip(short, model.log_probs([waveforms[i] for i in short]) if short else [], strict=True))
    return [
        results[i] if i in results else log_probs(model, waveform, windowing) for i, waveform in enumerate(waveforms)
    ]


def _windows(model: LogProbModel, blocks: Iterable[np.ndarray], windowing: Windowing) -> Iterator[Window]:
    """Cut a sound into windows; holds no more of it than a window and a block."""
    shift = model.description.frame_shift_s
    step = round(shift * model.description.sample_rate)
    centre, context = round(windowing.centre_s / shift), round(windowing.context_s / shift)
    longest = int(windowing.longest_s * model.description.sample_rate)
    held, begin = np.zeros(0, np.float32), 0  # the samples that may still be needed, and the place of their first
    edge = 0
    for block in blocks:
        held = np.concatenate([held, block])
        while True:
            start, stop = max(0, edge - context), edge + centre + context
            if begin + len(held) <= max(stop * step, longest):
                break
            yield Window(held[start * step - begin : stop * step - begin], start, edge, stop - start)
            edge += centre
            kept = max(0, edge - context) * step
            held, begin = held[kept - begin :], kept
    start = max(0, edge - context)
    yield Window(held[start * step - begin :], start, edge, None)


def _log_probs(model: LogProbModel, windowing: Windowing, window: Window) -> tuple[Window, np.ndarray]:
    """A window and its log-probs. Shape: -> (T, V)"""
    if window.frames is not None and _is_silent(window.waveform, model.description.sample_rate, windowing.silence_db):
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


def _is_silent(waveform: np.ndarray, sample_rate: int, silence_db: float) -> bool:
    """Whether no part of it is as loud as speech. Shape: (S,)"""
    size = round(SILENCE_S * sample_rate)
    parts = waveform[: len(waveform) // size * size].reshape(-1, size)
    power = np.square(parts, dtype=np.float32).mean(axis=1)
    return bool(power.max(initial=0.0) < 10 ** (silence_db / 10))
