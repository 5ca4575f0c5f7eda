"""Live recognition does not depend on the pieces in which audio comes, and loses nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import asr
from asr.decoding.live import Update
from asr.errors import AudioError
from asr.scoring.wer import score as score_texts
from asr.transcription.live import LiveStream

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATE = 16_000


def example(name: str) -> np.ndarray:
    samples, rate = soundfile.read(EXAMPLES / f"{name}.wav", dtype="int16")
    assert rate == RATE
    return samples


@pytest.fixture(scope="module")
def transcriber() -> asr.Transcriber:
    return asr.load("english", threads=1, plain=True)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Two sentences with two seconds of noise between them."""
    noise = np.random.default_rng(0).normal(0, 10, 2 * RATE).astype(np.int16)
    return np.concatenate([example("morning"), noise, example("captain")])


def updates(stream: LiveStream, samples: np.ndarray, sizes: list[int], as_bytes: bool = False) -> list[Update]:
    """Feed samples, or their bytes, in pieces of the given sizes, again and again."""
    found, first, number = [], 0, 0
    content = samples.tobytes() if as_bytes else samples
    while first < len(content):
        found += stream.feed(content[first : first + sizes[number % len(sizes)]])
        first += sizes[number % len(sizes)]
        number += 1
    return found + stream.finish()


def words(found: list[Update]) -> list[asr.Word]:
    return [word for update in found for word in update.words]


@settings(deadline=None, max_examples=6)
@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=5), st.booleans())
def test_the_pieces_do_not_matter(
    transcriber: asr.Transcriber, speech: np.ndarray, sizes: list[int], as_bytes: bool
) -> None:
    at_once = updates(transcriber.stream(), speech, [len(speech)])
    assert updates(transcriber.stream(), speech, sizes, as_bytes) == at_once


def test_single_samples_are_fed_as_well(transcriber: asr.Transcriber) -> None:
    samples = example("captain")
    assert updates(transcriber.stream(), samples, [1]) == updates(transcriber.stream(), samples, [len(samples)])


def test_at_another_rate_the_pieces_do_not_matter_either(transcriber: asr.Transcriber) -> None:
    samples = example("enter")
    one, other = (updates(transcriber.stream(11_025), samples, sizes) for sizes in ([77, 1, 5000], [len(samples)]))
    assert one == other
    assert one[-1].time_s == pytest.approx(len(samples) / 11_025)


def test_text_and_times_are_nearly_those_of_the_file(transcriber: asr.Transcriber, speech: np.ndarray) -> None:
    found = updates(transcriber.stream(), speech, [1600])
    whole = transcriber.transcribe(speech, RATE)
    score = score_texts([whole.text], [" ".join(word.text for word in words(found))])
    assert score.words.errors <= 2, "words are final before the letters have ranked the texts of an utterance"
    assert whole.text.startswith("it was a cold morning")
    pairs = list(zip(words(found), whole.words, strict=True))
    off_s = np.abs([[live.start_s - word.start_s, live.end_s - word.end_s] for live, word in pairs])
    far = [word.text for (_, word), off in zip(pairs, off_s, strict=True) if off.max() >= 0.2]
    assert far in ([], ["a"]), "a word of one letter, which two moments may hold"
    assert off_s.max() < 0.21
    assert (np.quantile(off_s, 0.8, axis=0) < 0.05).all()
    ends = [update for update in found if update.ends_utterance]
    assert len(ends) == 2
    assert found[-1].time_s == pytest.approx(len(speech) / RATE)


@pytest.mark.parametrize("name", ["captain", "morning", "enter"])
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1])
def test_the_last_word_is_not_lost_if_the_recording_ends_with_it(
    transcriber: asr.Transcriber, name: str, after_s: float
) -> None:
    samples = example(name)
    end_s = transcriber.transcribe(samples, RATE).words[-1].end_s
    cut = samples[: round((end_s + after_s) * RATE)]
    whole = transcriber.transcribe(cut, RATE).text
    assert " ".join(word.text for word in words(updates(transcriber.stream(), cut, [800]))) == whole


def test_words_come_before_the_recording_ends(transcriber: asr.Transcriber, speech: np.ndarray) -> None:
    stream = transcriber.stream()
    for first in range(0, len(speech), 1600):
        for update in stream.feed(speech[first : first + 1600]):
            for word in update.words:
                assert (first + 1600) / RATE - word.end_s < 4.0


def test_nothing_fed_yields_nothing(transcriber: asr.Transcriber) -> None:
    assert transcriber.stream().finish() == []
    stream = transcriber.stream()
    assert stream.feed(b"") == stream.feed(b"\0") == []
    assert stream.finish() == stream.finish() == []


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((5, 2)), "not of one channel"),
        (np.array([0.0, np.nan]), "infinite or not a number"),
        (np.zeros(5, np.int32), "Samples of type int32"),
    ],
)
def test_what_is_not_audio_is_refused(transcriber: asr.Transcriber, samples: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        transcriber.stream().feed(samples)


def test_a_finished_stream_takes_no_more(transcriber: asr.Transcriber) -> None:
    stream = transcriber.stream()
    stream.finish()
    with pytest.raises(AudioError, match="is finished"):
        stream.feed(np.zeros(5))
    with pytest.raises(AudioError, match="sample rate is 3 Hz"):
        transcriber.stream(3)
    with pytest.raises(TypeError, match="not of type str"):
        transcriber.stream().feed("text")  # type: ignore[arg-type]
