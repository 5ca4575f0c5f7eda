"""A long recording in windows gives what it gives as a whole."""

from collections.abc import Sequence

import numpy as np
import pytest

from asr.models.description import AcousticDescription
from asr.text import CharTokenizer
from asr.transcription import windows

TOKENS = 3


class NearSighted:
    """A model whose log-probs at a frame follow from the samples around it and from nothing else.

    Beyond both ends of what it is given it hears `outside`, as a convolution hears zeros; so a frame that is kept too
    near to the edge of a window gives itself away.
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
        heard = np.pad(waveform.astype(np.float64), self.sight, constant_values=outside)
        starts = np.arange(0, len(waveform), self.step)
        spans = [heard[start : start + 2 * self.sight + self.step] for start in starts]
        return np.array(
            [[span.sum(), span @ np.arange(len(span)), waveform[t]] for t, span in zip(starts, spans, strict=True)]
        )


def whole_numbers(num_samples: int) -> np.ndarray:
    """Samples whose sums are exact, so that results can be compared exactly. Shape: -> (S,)"""
    return np.random.default_rng(num_samples).integers(-9, 10, num_samples).astype(np.float32)


def around(multiples: Sequence[float], step: int, sample_rate: int) -> list[int]:
    """Numbers of samples around so many centres, with and without context."""
    seconds = [m * windows.DEFAULT.centre_s + c * windows.DEFAULT.context_s for m in multiples for c in (0, 1, 2)]
    return sorted({round(s * sample_rate) + d for s in seconds for d in (-step, -1, 0, 1, step, step + 1)})


def assert_stitched(model: NearSighted, waveform: np.ndarray) -> None:
    whole = model.log_probs([waveform])[0]
    model.calls.clear()
    stitched = windows.log_probs(model, waveform)
    assert stitched.shape == (-(-len(waveform) // model.step), TOKENS)
    np.testing.assert_array_equal(stitched, whole)


@pytest.mark.parametrize("num_samples", around([1, 2, 3], step=4, sample_rate=100))
def test_stitched_equals_whole_around_multiples_of_the_centre(num_samples: int) -> None:
    assert_stitched(NearSighted(), whole_numbers(num_samples))


@pytest.mark.parametrize("frame_shift_s", [0.02, 0.04, 0.08, 0.07])
@pytest.mark.parametrize("duration_s", [0.01, 1.0, 37.99, 38.01, 100.0, 333.3])
def test_stitched_equals_whole_at_every_frame_shift(frame_shift_s: float, duration_s: float) -> None:
    assert_stitched(NearSighted(frame_shift_s), whole_numbers(max(1, round(duration_s * 100))))


def test_a_short_recording_is_heard_once_and_whole() -> None:
    model = NearSighted()
    limit = round(windows.DEFAULT.longest_s * 100)
    windows.log_probs(model, whole_numbers(limit))
    assert model.calls == [limit]
    model.calls.clear()
    windows.log_probs(model, whole_numbers(limit + 1))
    assert len(model.calls) == 2


def test_no_window_is_heard_for_frames_that_the_last_one_had() -> None:
    model = NearSighted()
    windows.log_probs(model, whole_numbers(round((3 * windows.DEFAULT.centre_s + windows.DEFAULT.context_s) * 100)))
    assert len(model.calls) == 3


@pytest.mark.parametrize("duration_s", [40, 100, 1000])
def test_no_window_is_longer_than_centre_and_context(duration_s: int) -> None:
    model = NearSighted()
    windows.log_probs(model, whole_numbers(duration_s * 100))
    assert max(model.calls) <= windows.DEFAULT.longest_s * 100
    assert sum(model.calls) <= 1.4 * duration_s * 100, "little is heard twice"


def test_the_fake_would_notice_too_little_context() -> None:
    """A model that sees further than the context is the case in which the windows do show."""
    model = NearSighted(sight_s=windows.DEFAULT.context_s + 0.5)
    waveform = whole_numbers(10_000)
    assert not np.array_equal(windows.log_probs(model, waveform), model.log_probs([waveform])[0])


class Marked:
    """A model that writes into its log-probs which call they are of; the blank is likely in given frames alone."""

    def __init__(self, pauses: Sequence[tuple[int, int]]) -> None:
        self.description = AcousticDescription(
            name="fake", sample_rate=100, frame_shift_s=0.04, tokenizer=CharTokenizer(" a")
        )
        self.pauses = pauses
        self.calls = 0

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        (waveform,) = waveforms
        self.calls += 1
        first = int(waveform[0]) // 4  # the samples count themselves
        frames = np.arange(first, first + -(-len(waveform) // 4))
        rows = np.full((len(frames), TOKENS), -5.0)
        for begin, end in self.pauses:
            rows[(begin <= frames) & (frames < end), 0] = -0.01
        rows[:, 2] = self.calls
        return [rows]


def seams(model: Marked, num_samples: int) -> list[int]:
    rows = windows.log_probs(model, np.arange(num_samples, dtype=np.float32))
    return (np.flatnonzero(np.diff(rows[:, 2])) + 1).tolist()


def test_a_seam_lies_in_the_pause_that_is_nearest_to_the_edge_of_a_centre() -> None:
    edge = round(windows.DEFAULT.centre_s / 0.04)
    assert seams(Marked([]), 10_000) == [edge, 2 * edge, 3 * edge]
    first, second, third = seams(Marked([(edge + 8, edge + 22), (2 * edge - 24, 2 * edge - 14)]), 10_000)
    assert edge + 12 <= first <= edge + 18
    assert abs(second - (2 * edge - 19)) <= 1
    assert third == 3 * edge


@pytest.mark.parametrize("level_db", [-200, -72])
def test_silent_windows_are_not_heard_and_hold_no_word(level_db: float) -> None:
    model = Marked([])
    noise = np.random.default_rng(0).normal(size=30_000).astype(np.float32) * 10 ** (level_db / 20) * 0.9
    rows = windows.log_probs(model, noise)
    assert model.calls == 1, "the last is short, and heard"
    assert len(rows) == 7_500
    assert (rows[: -round((windows.DEFAULT.centre_s + windows.DEFAULT.context_s) / 0.04)].argmax(axis=1) == 0).all()


def test_a_tenth_of_a_second_of_speech_has_its_window_heard() -> None:
    model = Marked([])
    waveform = np.zeros(30_000, np.float32)
    waveform[10_000:10_010] = 0.01
    windows.log_probs(model, waveform)
    assert model.calls > 1


def test_windows_are_as_long_as_their_windowing_says() -> None:
    model = NearSighted()
    waveform = whole_numbers(6_000)
    rows = windows.log_probs(model, waveform, windows.Windowing(centre_s=8.0, context_s=6.0, seam_s=0.5))
    assert max(model.calls) <= 2_000
    assert len(model.calls) >= 7
    assert np.array_equal(rows, windows.log_probs(NearSighted(), waveform))
