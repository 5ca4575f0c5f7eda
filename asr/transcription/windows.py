"""Run long or live audio in overlapping windows and stitch their log-probs, not their text.

Each window has context on both sides, so that adjacent windows overlap. The seam is placed where both assign the
highest probability to a pause, so that no word is cut. Text, times and confidence of a long recording thus come from
the same code as those of a short one, and memory use stays constant. Quiet windows are amplified, so that the text does
not depend on the level of a recording; windows of digital silence are skipped. Live audio is cut and stitched by the
same two classes, with other lengths (`LIVE`): short centres, and a look-ahead that bounds the delay.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from asr.models.description import AcousticDescription
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
    """Length of the context before the centre."""
    look_ahead_s: float = 5.0
    """Length of the context after the centre."""
    padding_s: float = 0.0
    """Length of the digital silence after the look-ahead. The model knows whole utterances, so that the last frames of
    one that breaks off within a word are wrong further from its end than those of one that ends."""
    waits_for_whole: bool = True
    """Whether a recording of up to `longest_s` is run as a single window, which delays the first one."""
    seam_s: float = 1.0
    """Maximum distance of a seam from the edge of a centre."""
    pause_s: float = 0.4
    """Length of the likeliest pause near that edge, in the middle of which the seam is placed."""
    silence_db: float = -92.0
    """A window is silent if the power of each of its segments is below this (see `level_db`). The rounding noise of
    16 bits is at -101; the quietest of 1,143 utterances from nine corpora reaches -45 in its loudest segment."""
    highest_level_db: float = -6.0
    """A window whose level is higher is brought to it; one whose level is lower than the model's lowest, to that."""
    adapts_level: bool = True
    """Whether the level is changed at all."""
    dynamics_db: float = 25.0
    """A window that is this much quieter than the loudest one before it is not amplified further: it may be noise."""

    @property
    def longest_s(self) -> float:
        """Maximum length of a window."""
        return self.centre_s + self.context_s + self.look_ahead_s


DEFAULT = Windowing()
LIVE = Windowing(centre_s=0.24, look_ahead_s=0.96, seam_s=0.0, padding_s=0.32, waits_for_whole=False)
"""For live audio: seams are where they fall, because to place them would take another window's delay."""
SEGMENT_S = 0.1
"""Length of the segments in which the level is measured."""


class Leveller:
    """Brings the windows of one recording, in order, into the range of levels that a model was trained with."""

    def __init__(self, windowing: Windowing, sample_rate: int, lowest_level_db: float) -> None:
        self._windowing, self._sample_rate, self._lowest_level_db = windowing, sample_rate, lowest_level_db
        self._loudest_db = -math.inf

    def __call__(self, waveform: np.ndarray) -> tuple[np.ndarray, bool]:
        """Amplify or attenuate a window; say whether it is silent. Shape: (S,) -> (S,)"""
        db = level_db(waveform, self._sample_rate)
        self._loudest_db = max(self._loudest_db, db)
        if db < self._windowing.silence_db:
            return waveform, True
        if not self._windowing.adapts_level:
            return waveform, False
        reference_db = max(db, self._loudest_db - self._windowing.dynamics_db)
        gain_db = min(max(reference_db, self._lowest_level_db), self._windowing.highest_level_db) - reference_db
        return (waveform * np.float32(10 ** (gain_db / 20)) if gain_db else waveform), False


def leveller(description: AcousticDescription, windowing: Windowing = DEFAULT) -> Leveller:
    """What brings the windows of one recording to the levels of a model."""
    return Leveller(windowing, description.sample_rate, description.lowest_level_db)


@dataclass(frozen=True)
class Window:
    """A stretch of audio that is run at once."""

    waveform: np.ndarray
    """Shape: (S,)"""
    is_silent: bool
    """Whether it is too quiet to contain speech."""
    start: int
    """Index of its first frame."""
    edge: int
    """Index of the first frame of its centre."""
    frames: int | None
    """Number of frames, without those of the padding; None for the last window, for which the model determines it."""


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
    cutter, stitcher = WindowCutter(model.description, windowing), Stitcher(model.description, windowing)
    for window, rows in map_ordered(partial(run_window, model), cutter.cut(blocks), threads):
        yield stitcher.add(window, rows)


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
    levelled = [leveller(model.description, windowing)(waveforms[i])[0] for i in short]
    results = dict(zip(short, model.log_probs(levelled) if short else [], strict=True))
    return [
        results[i] if i in results else log_probs(model, waveform, windowing) for i, waveform in enumerate(waveforms)
    ]


class WindowCutter:
    """Cuts audio that comes in pieces into windows; keeps at most one window and one piece."""

    def __init__(self, description: AcousticDescription, windowing: Windowing) -> None:
        shift = description.frame_shift_s
        self._step = round(shift * description.sample_rate)
        self._centre, self._context = round(windowing.centre_s / shift), round(windowing.context_s / shift)
        self._look_ahead = round(windowing.look_ahead_s / shift)
        self._single = int(windowing.longest_s * description.sample_rate) if windowing.waits_for_whole else 0
        self._leveller = leveller(description, windowing)
        self._padding = np.zeros(round(windowing.padding_s * description.sample_rate), np.float32)
        self._pieces: list[np.ndarray] = []  # the samples that may still be needed
        self._begin = self._end = 0  # index of the first of them, and one past the last
        self._edge = 0

    def cut(self, blocks: Iterable[np.ndarray]) -> Iterator[Window]:
        """Yield all windows of a recording."""
        for block in blocks:
            yield from self.feed(block)
        yield self.finish()

    def feed(self, samples: np.ndarray) -> Iterator[Window]:
        """Yield the windows that the next samples complete. Shape: (S,)"""
        self._pieces.append(samples)
        self._end += len(samples)
        while True:
            start, stop = max(0, self._edge - self._context), self._edge + self._centre + self._look_ahead
            if self._end <= max(stop * self._step, self._single):
                return
            buffer = self._pieces[0] if len(self._pieces) == 1 else np.concatenate(self._pieces)
            waveform, is_silent = self._leveller(
                buffer[start * self._step - self._begin : stop * self._step - self._begin]
            )
            edge = self._edge
            self._edge += self._centre
            needed = max(0, self._edge - self._context) * self._step
            self._pieces, self._begin = [buffer[needed - self._begin :]], needed
            if len(self._padding):
                waveform = np.concatenate([waveform, self._padding])
            yield Window(waveform, is_silent, start, edge, stop - start)

    def finish(self) -> Window:
        """Return the last window, which ends where the audio ends; there must be at least one sample."""
        start = max(0, self._edge - self._context)
        waveform, is_silent = self._leveller(np.concatenate(self._pieces)[start * self._step - self._begin :])
        return Window(waveform, is_silent, start, self._edge, None)


class Stitcher:
    """Joins the log-probs of windows."""

    def __init__(self, description: AcousticDescription, windowing: Windowing) -> None:
        shift = description.frame_shift_s
        self._centre, self._slack = round(windowing.centre_s / shift), round(windowing.seam_s / shift)
        self._pause = max(1, round(windowing.pause_s / shift))
        self._rest: np.ndarray | None = None  # rows of the previous window from the earliest seam on

    def add(self, window: Window, rows: np.ndarray) -> np.ndarray:
        """Return the frames that the next window settles; with the last window, all that are left.

        Shape: rows (T, V), of the whole window -> (T', V)
        """
        seam, before = window.edge, rows[:0]
        if self._rest is not None and self._slack:
            first, last = seam - self._slack, seam + self._slack
            blanks = self._rest[: last - first, BLANK] + rows[first - window.start : last - window.start, BLANK]
            seam = first + _likeliest_pause(blanks, self._pause)
            before = self._rest[: seam - first]
        stop = None if window.frames is None else window.edge + self._centre - self._slack - window.start
        self._rest = None if stop is None else rows[stop:]
        return np.concatenate([before, rows[seam - window.start : stop]])


def run_window(model: LogProbModel, window: Window) -> tuple[Window, np.ndarray]:
    """Run one window, or skip it if silent. Returns it with its log-probs. Shape: -> (T, V)"""
    if window.frames is not None and window.is_silent:
        tokens, columns = model.description.tokenizer.size, model.description.columns
        rows = np.full((window.frames, columns), SILENT_LOG_PROB, np.float32)
        rows[:, [BLANK, tokens] if columns > tokens else BLANK] = 0.0  # the blank of each head
        return window, rows
    (rows,) = model.log_probs([window.waveform])
    return window, rows[: window.frames]


def _likeliest_pause(blanks: np.ndarray, width: int) -> int:
    """Find the middle of the `width` frames with the highest sum, breaking ties towards the middle. Shape: (T,)"""
    width = min(width, len(blanks))
    sums = np.convolve(blanks, np.ones(width), mode="valid")
    distance = np.abs(np.arange(len(sums)) - len(sums) // 2)
    return int(np.lexsort((distance, -sums.round(3)))[0]) + width // 2


def level_db(waveform: np.ndarray, sample_rate: int) -> float:
    """Compute the level: the power of the loudest segment of `SEGMENT_S`, in dB relative to full scale. Shape: (S,)"""
    size = min(round(SEGMENT_S * sample_rate), len(waveform))
    segments = waveform[: len(waveform) // size * size].reshape(-1, size)
    power = float(np.square(segments, dtype=np.float64).mean(axis=1).max())
    return 10 * math.log10(power) if power > 0 else -math.inf
