"""Several processes: all results arrive, and errors and crashes affect only one recording."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from asr.errors import AsrError, AudioError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.transcriber import OnWords
from asr.transcription.workers import transcribe_all


class Fake:
    """A transcriber that acts according to the name of the recording."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def transcribe(self, source: str, *, channel: object, track: object, on_words: OnWords) -> Transcript:
        if source.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if source.startswith("ctrl-c"):
            os.kill(os.getpid(), signal.SIGINT)
        if source.startswith("exit"):
            os._exit(7)
        if source.startswith("bad"):
            raise AudioError(f"{source} is bad.")
        on_words([Word("one", 0, 1, 1)], 1.5)
        on_words([], 2.0)
        return Transcript((Word(f"{self.greeting}-{source}-{channel}", 0, 1, 1), Word(str(os.getpid()), 1, 2, 1)), 2.0)


def load(greeting: str) -> Fake:
    return Fake(greeting)


def run(sources: list[str], workers: int, **options) -> dict[int, Transcript | AsrError]:
    results = list(transcribe_all(sources, partial(load, "hi"), workers=workers, **options))  # type: ignore[arg-type]
    assert sorted(index for index, _ in results) == list(range(len(sources))), "each recording once"
    return dict(results)


def test_every_recording_is_transcribed_with_the_options() -> None:
    reported: list[tuple[int, str, float]] = []
    results = run(
        [f"s{n}" for n in range(7)],
        2,
        channel="split",
        on_words=lambda index, words, done_s: reported.append((index, " ".join(w.text for w in words), done_s)),
    )
    for index, result in results.items():
        assert isinstance(result, Transcript)
        assert result.words[0].text == f"hi-s{index}-split"
    assert len({result.words[1].text for result in results.values() if isinstance(result, Transcript)}) <= 2
    assert sorted(reported) == sorted((n, *update) for n in range(7) for update in (("one", 1.5), ("", 2.0)))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_affects_one_recording(workers: int) -> None:
    sources = ["a", "crash1", "bad", "crash2", "b", "exit", "c"]
    results = run(sources, workers)
    assert [isinstance(results[n], Transcript) for n in range(7)] == [s in "abc" for s in sources]
    assert str(results[1]).startswith("'crash1' ended the process that was reading it 2 times (killed by SIGSEGV): ")
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


class KilledOnce(Fake):
    """A transcriber whose process is killed at the first try, as by a system that is short of memory."""

    def transcribe(self, source: str, *, channel: object, track: object, on_words: OnWords) -> Transcript:
        marker = Path(source)
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Transcript((Word("whole", 0, 1, 1),), 2.0)


def load_killed_once() -> Fake:
    return KilledOnce("hi")


def test_a_recording_whose_process_was_killed_is_tried_once_more(tmp_path: Path) -> None:
    sources = [str(tmp_path / name) for name in "abc"]
    results = dict(transcribe_all(sources, load_killed_once, workers=2))  # type: ignore[arg-type]
    assert [result.text for _, result in sorted(results.items()) if isinstance(result, Transcript)] == ["whole"] * 3


def load_that_ends() -> Fake:
    os._exit(3)


def load_that_fails() -> Fake:
    raise AsrError("There is no such model.")


def test_a_process_that_ends_before_its_first_recording_blames_the_set_up() -> None:
    with pytest.raises(AsrError, match=r"ended before they read a file \(exit status 3\): .*__main__"):
        list(transcribe_all(["a", "b"], load_that_ends, workers=2))  # type: ignore[arg-type]


def test_an_error_in_loading_the_model_is_raised_once() -> None:
    with pytest.raises(AsrError, match="no such model"):
        list(transcribe_all(["a", "b"], load_that_fails, workers=2))  # type: ignore[arg-type]


def test_without_a_python_that_may_be_started_one_process_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/dev/null")
    results = run(["a", "bad", "b"], 2)
    assert {result.words[1].text for result in results.values() if isinstance(result, Transcript)} == {str(os.getpid())}
    assert isinstance(results[1], AudioError)


class Broken(Fake):
    """A transcriber with a fault of its own."""

    def transcribe(self, source: str, *, channel: object, track: object, on_words: OnWords) -> Transcript:
        if source == "memory":
            raise MemoryError
        if source == "bug":
            raise ZeroDivisionError("in a\ndecoder")
        return Transcript((Word("whole", 0, 1, 1),), 2.0)


def load_broken() -> Fake:
    return Broken("hi")


@pytest.mark.parametrize("own_processes", [True, False])
def test_whatever_happens_in_a_recording_ends_that_recording_only(
    own_processes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not own_processes:
        monkeypatch.setattr("sys.executable", "/dev/null")
    results = dict(transcribe_all(["memory", "a", "bug", "b"], load_broken, workers=1))  # type: ignore[arg-type]
    assert [isinstance(results[n], Transcript) for n in range(4)] == [False, True, False, True]
    assert "'memory' needs more memory than there is" in str(results[0])
    assert "'bug' led to an unexpected error (ZeroDivisionError: in a decoder)" in str(results[2])
