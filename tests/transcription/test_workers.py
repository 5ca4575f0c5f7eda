"""Sounds in several processes: all results, errors that cost one sound, crashes that cost one sound."""

import os
import signal
from functools import partial

import pytest

from asr.errors import AsrError, AudioError
from asr.progress import Progress
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.workers import transcribe_all


class Fake:
    """Obeys the name of a sound."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def transcribe(self, source: str, *, channel: object, progress: Progress) -> Transcript:
        if source.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if source.startswith("ctrl-c"):
            os.kill(os.getpid(), signal.SIGINT)
        if source.startswith("exit"):
            os._exit(7)
        if source.startswith("bad"):
            raise AudioError(f"{source} is bad.")
        progress("transcribing", 1.5, None)
        progress("transcribing", 2.0, None)
        return Transcript((Word(f"{self.greeting}-{source}-{channel}", 0, 1, 1), Word(str(os.getpid()), 1, 2, 1)), 2.0)


def load(greeting: str) -> Fake:
    return Fake(greeting)


def run(sources: list[str], workers: int, **options) -> dict[int, Transcript | AsrError]:
    found = list(transcribe_all(sources, partial(load, "hi"), workers=workers, **options))  # type: ignore[arg-type]
    assert sorted(number for number, _ in found) == list(range(len(sources))), "each once"
    return dict(found)


def test_every_sound_is_transcribed_with_what_was_wished() -> None:
    heard: dict[str, float] = {}
    found = run(
        [f"s{n}" for n in range(7)],
        2,
        channel="split",
        progress=lambda source, seconds, total: heard.update({source: seconds}),
    )
    for number, result in found.items():
        assert isinstance(result, Transcript)
        assert result.words[0].text == f"hi-s{number}-split"
    assert len({result.words[1].text for result in found.values() if isinstance(result, Transcript)}) <= 2
    assert heard == dict.fromkeys((f"s{n}" for n in range(7)), 2.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_one_sound(workers: int) -> None:
    sources = ["a", "crash1", "bad", "crash2", "b", "exit", "c"]
    found = run(sources, workers)
    assert [isinstance(found[n], Transcript) for n in range(7)] == [s in "abc" for s in sources]
    assert str(found[1]).startswith("'crash1' brought down the program that read it (signal 11): ")
    assert "(exit status 7)" in str(found[5])
    assert str(found[2]) == "bad is bad."


def test_whoever_stops_asking_leaves_no_process() -> None:
    import multiprocessing

    results = transcribe_all(["a", "b", "c"], partial(load, "hi"), workers=2)  # type: ignore[arg-type]
    next(results)
    results.close()
    assert multiprocessing.active_children() == []


def test_a_worker_does_not_hear_ctrl_c() -> None:
    """The terminal sends it to all processes, and a traceback from each would be shown."""
    before = signal.getsignal(signal.SIGINT)
    (found,) = run(["ctrl-c"], workers=1).values()
    assert isinstance(found, Transcript)
    assert signal.getsignal(signal.SIGINT) is before
