"""Several processes: all results arrive, and errors and crashes affect only one recording."""

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
    """A transcriber that acts according to the name of the recording."""

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
    results = list(transcribe_all(sources, partial(load, "hi"), workers=workers, **options))  # type: ignore[arg-type]
    assert sorted(index for index, _ in results) == list(range(len(sources))), "each recording once"
    return dict(results)


def test_every_recording_is_transcribed_with_the_options() -> None:
    reported_s: dict[str, float] = {}
    results = run(
        [f"s{n}" for n in range(7)],
        2,
        channel="split",
        progress=lambda source, seconds, total: reported_s.update({source: seconds}),
    )
    for index, result in results.items():
        assert isinstance(result, Transcript)
        assert result.words[0].text == f"hi-s{index}-split"
    assert len({result.words[1].text for result in results.values() if isinstance(result, Transcript)}) <= 2
    assert reported_s == dict.fromkeys((f"s{n}" for n in range(7)), 2.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_affects_one_recording(workers: int) -> None:
    sources = ["a", "crash1", "bad", "crash2", "b", "exit", "c"]
    results = run(sources, workers)
    assert [isinstance(results[n], Transcript) for n in range(7)] == [s in "abc" for s in sources]
    assert str(results[1]).startswith("'crash1' crashed the process that was reading it (signal 11): ")
    assert "(exit status 7)" in str(results[5])
    assert str(results[2]) == "bad is bad."


def test_closing_the_iterator_leaves_no_process() -> None:
    import multiprocessing

    results = transcribe_all(["a", "b", "c"], partial(load, "hi"), workers=2)  # type: ignore[arg-type]
    next(results)
    results.close()
    assert multiprocessing.active_children() == []


def test_a_worker_ignores_ctrl_c() -> None:
    """The terminal sends SIGINT to all processes, and each would print a traceback."""
    handler = signal.getsignal(signal.SIGINT)
    (result,) = run(["ctrl-c"], workers=1).values()
    assert isinstance(result, Transcript)
    assert signal.getsignal(signal.SIGINT) is handler
