"""A long recording gives the same result in windows as in one run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from asr.models.description import AcousticDescription
from asr.text import CharTokenizer
from asr.transcription import windows

TOKENS = 3

AS_IT_IS = windows.Windowing(adapts_level=False)
LOWEST_DB, HIGHEST_DB = -18.0, -6.0


def log_probs(model: Any, waveform: np.ndarray, windowing: windows.Windowing = AS_IT_IS) -> np.ndarray:
    """Run a model in windows, without adapting the level, so that results can be compared exactly."""
    return windows.log_probs(model, waveform, windowing)


class NearSighted:
    """A model whose log-probs at a frame depend only on the samples around it.

    It pads its input with `outside`, as a convolution pads with zeros, so that a frame taken from too near the edge of
    a window is detected.
    """

    def __init__(self, frame_shift_s: float = 0.04, sample_rate: int = 100, sight_s: float = 3.5) -> None:
        self.description = AcousticDescription(
            name="fake", sample_rate=sample_rate, frame_shift_s=frame_shift_s, tokenizer=CharTokenizer(" a")
        )
        self.step = round(frame_shift_s * sample_rate)
        self.sight = round(sight_s * sample_rate)
        self.calls: list[int] = []

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._one(np.asarray(waveform)) for waveform in waveforms]

    def _one(self, waveform: np.ndarray, outside: float = 1e3) -> np.ndarray:
        self.calls.append(len(waveform))
        padded = np.pad(waveform.astype(np.float64), self.sight, constant_values=outside)
        starts = np.arange(0, len(waveform), self.step)
        spans = [padded[start : start + 2 * self.sight + self.step] for start in starts]
        return np.array(
            [[span.sum(), span @ np.arange(len(span)), waveform[t]] for t, span in zip(starts, spans, strict=True)]
        )


def integers(num_samples: int) -> np.ndarray:
    """Integer samples, whose sums are exact, so that results can be compared exactly. Shape: -> (S,)"""
    return np.random.default_rng(num_samples).integers(-9, 10, num_samples).astype(np.float32)


def around(multiples: Sequence[float], step: int, sample_rate: int) -> list[int]:
    """Numbers of samples around `multiples` of the centre, with and without context."""
    seconds = [m * windows.DEFAULT.centre_s + c * windows.DEFAULT.context_s for m in multiples for c in (0, 1, 2)]
    return sorted({round(s * sample_rate) + d for s in seconds for d in (-step, -1, 0, 1, step, step + 1)})


def assert_stitched(model: NearSighted, waveform: np.ndarray) -> None:
    whole = model.log_probs([waveform])[0]
    model.calls.clear()
    stitched = log_probs(model, waveform)
    assert stitched.shape == (-(-len(waveform) // model.step), TOKENS)
    np.testing.assert_array_equal(stitched, whole)


@pytest.mark.parametrize("num_samples", around([1, 2, 3], step=4, sample_rate=100))
def test_stitched_equals_whole_around_multiples_of_the_centre(num_samples: int) -> None:
    assert_stitched(NearSighted(), integers(num_samples))


@pytest.mark.parametrize("frame_shift_s", [0.02, 0.04, 0.08, 0.07])
@pytest.mark.parametrize("duration_s", [0.01, 1.0, 37.99, 38.01, 100.0, 333.3])
def test_stitched_equals_whole_at_every_frame_shift(frame_shift_s: float, duration_s: float) -> None:
    assert_stitched(NearSighted(frame_shift_s), integers(max(1, round(duration_s * 100))))


def test_a_short_recording_is_run_in_one_window() -> None:
    model = NearSighted()
    limit = round(windows.DEFAULT.longest_s * 100)
    log_probs(model, integers(limit))
    assert model.calls == [limit]
    model.calls.clear()
    log_probs(model, integers(limit + 1))
    assert len(model.calls) == 2


def test_no_window_is_run_for_frames_of_the_previous_one() -> None:
    model = NearSighted()
    log_probs(model, integers(round((3 * windows.DEFAULT.centre_s + windows.DEFAULT.context_s) * 100)))
    assert len(model.calls) == 3


@pytest.mark.parametrize("duration_s", [40, 100, 1000])
def test_no_window_is_longer_than_centre_and_context(duration_s: int) -> None:
    model = NearSighted()
    log_probs(model, integers(duration_s * 100))
    assert max(model.calls) <= windows.DEFAULT.longest_s * 100
    assert sum(model.calls) <= 1.4 * duration_s * 100, "the overlap is small"


def test_the_fake_model_detects_too_little_context() -> None:
    """The results must differ for a model whose receptive field exceeds the context."""
    model = NearSighted(sight_s=windows.DEFAULT.context_s + 0.5)
    waveform = integers(10_000)
    assert not np.array_equal(log_probs(model, waveform), model.log_probs([waveform])[0])


class Marked:
    """A model that writes the number of the call into its log-probs; the blank is likely only in the given frames."""

    def __init__(self, pauses: Sequence[tuple[int, int]]) -> None:
        self.description = AcousticDescription(
            name="fake", sample_rate=100, frame_shift_s=0.04, tokenizer=CharTokenizer(" a")
        )
        self.pauses = pauses
        self.calls = 0

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        (waveform,) = waveforms
        self.calls += 1
        first = int(waveform[0]) // 4  # each sample is its own index
        frames = np.arange(first, first + -(-len(waveform) // 4))
        rows = np.full((len(frames), TOKENS), -5.0)
        for begin, end in self.pauses:
            rows[(begin <= frames) & (frames < end), 0] = -0.01
        rows[:, 2] = self.calls
        return [rows]


def seams(model: Marked, num_samples: int) -> list[int]:
    rows = log_probs(model, np.arange(num_samples, dtype=np.float32))
    return (np.flatnonzero(np.diff(rows[:, 2])) + 1).tolist()


def test_a_seam_lies_in_the_pause_that_is_nearest_to_the_edge_of_a_centre() -> None:
    edge = round(windows.DEFAULT.centre_s / 0.04)
    assert seams(Marked([]), 10_000) == [edge, 2 * edge, 3 * edge]
    first, second, third = seams(Marked([(edge + 8, edge + 22), (2 * edge - 24, 2 * edge - 14)]), 10_000)
    assert edge + 12 <= first <= edge + 18
    assert abs(second - (2 * edge - 19)) <= 1
    assert third == 3 * edge


@pytest.mark.parametrize("level_db", [-200, -100])
def test_silent_windows_are_not_run_and_contain_no_words(level_db: float) -> None:
    model = Marked([])
    noise = np.random.default_rng(0).normal(size=30_000).astype(np.float32) * 10 ** (level_db / 20) * 0.9
    rows = log_probs(model, noise)
    assert model.calls == 1, "only the last window, which is short, is run"
    assert len(rows) == 7_500
    assert (rows[: -round((windows.DEFAULT.centre_s + windows.DEFAULT.context_s) / 0.04)].argmax(axis=1) == 0).all()


def test_a_window_with_a_tenth_of_a_second_of_speech_is_run() -> None:
    model = Marked([])
    waveform = np.zeros(30_000, np.float32)
    waveform[10_000:10_010] = 0.01
    log_probs(model, waveform)
    assert model.calls > 1


def test_windows_have_the_configured_length() -> None:
    model = NearSighted()
    waveform = integers(6_000)
    rows = log_probs(
        model,
        waveform,
        windows.Windowing(centre_s=8.0, context_s=6.0, look_ahead_s=6.0, seam_s=0.5, adapts_level=False),
    )
    assert max(model.calls) <= 2_000
    assert len(model.calls) >= 7
    assert np.array_equal(rows, log_probs(NearSighted(), waveform))


class Heard:
    """A model that keeps the waveforms it is run on."""

    def __init__(self, lowest_db: float = LOWEST_DB) -> None:
        self.description = replace(NearSighted().description, lowest_level_db=lowest_db)
        self.waveforms: list[np.ndarray] = []

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.waveforms += waveforms
        return [np.zeros((-(-len(waveform) // 4), TOKENS)) for waveform in waveforms]


def noise(seconds: float, level_db: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=round(100 * seconds)) * 10 ** (level_db / 20)).astype(np.float32)


@pytest.mark.parametrize("gain_db", [-60, -40, -20, 0, 20])
@pytest.mark.parametrize("seconds", [0.05, 3.0, 100.0])
@pytest.mark.parametrize("lowest_db", [-18.0, -27.0])
def test_the_model_gets_a_waveform_within_its_range_of_levels(gain_db: float, seconds: float, lowest_db: float) -> None:
    expected, louder = Heard(lowest_db), Heard(lowest_db)
    windows.log_probs(expected, noise(seconds, -15))
    windows.log_probs(louder, noise(seconds, -15) * np.float32(10 ** (gain_db / 20)))
    for a, b in zip(expected.waveforms, louder.waveforms, strict=True):
        assert len(a) == len(b)
        wanted_db = min(max(windows.level_db(a, 100) + gain_db, lowest_db), HIGHEST_DB)
        assert windows.level_db(b, 100) == pytest.approx(wanted_db, abs=0.01)
    batched = Heard(lowest_db)
    windows.batch_log_probs(batched, [noise(3.0, gain_db - 15)])
    assert lowest_db - 0.01 < windows.level_db(batched.waveforms[0], 100) < HIGHEST_DB + 0.01


def test_a_pause_after_speech_is_not_raised_to_its_level() -> None:
    model = Heard()
    loud = noise(100, -50)
    windows.log_probs(model, np.concatenate([loud, noise(100, -85)]))
    gain_db = windows.level_db(model.waveforms[0], 100) - windows.level_db(loud[: len(model.waveforms[0])], 100)
    assert gain_db == pytest.approx(LOWEST_DB - windows.level_db(loud[: len(model.waveforms[0])], 100), abs=0.01)
    assert windows.level_db(model.waveforms[-1], 100) < LOWEST_DB - 8, "35 dB below, raised by 25 less than to that"


def test_digital_silence_stays_silent() -> None:
    model = Heard()
    windows.log_probs(model, np.zeros(300, np.float32))
    np.testing.assert_array_equal(model.waveforms[0], np.zeros(300))


def test_a_silent_window_has_the_columns_of_the_phones() -> None:
    model = NearSighted()
    model.description = replace(model.description, phones=("AA", "B"))
    window = windows.Window(np.zeros(100, np.float32), is_silent=True, start=0, edge=0, frames=5)
    _, rows = windows.run_window(model, window)
    expected = np.full((5, TOKENS + 4), windows.SILENT_LOG_PROB, np.float32)
    expected[:, [0, TOKENS]] = 0
    np.testing.assert_array_equal(rows, expected)
    assert model.calls == []
