"""Several processes: all results arrive, and errors and crashes affect only one recording."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from asr.errors import AsrError, AudioError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import processes, workers
from asr.transcription.processes import Limits
from asr.transcription.transcriber import OnWords
from asr.transcription.workers import Opened, Pool, transcribe_all

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and /proc")


class Fake:
    """A transcriber that acts according to the name of the recording."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting
        self.model = SimpleNamespace(description=SimpleNamespace(name=greeting))
        self.decoder = SimpleNamespace(about="decoding", remark="", min_confidence=0.5)

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


class Hostile(Fake):
    """A transcriber of recordings that hang, take memory, or have their process stopped or killed."""

    def transcribe(self, source: str, *, channel: object, track: object, on_words: OnWords) -> Transcript:
        on_words([Word("one", 0, 1, 1)], 1.5)
        name = Path(source).name
        if name.startswith("hang"):
            time.sleep(600)
        if name.startswith("memory"):
            bytearray(2**30)
        if name.startswith(("stop", "kill")) and ("always" in name or not Path(source).exists()):
            Path(source).touch()
            os.kill(os.getpid(), signal.SIGSTOP if name.startswith("stop") else signal.SIGKILL)
        on_words([Word("two", 0, 1, 1)], 3.0)
        return Transcript((Word("whole", 0, 1, 1),), 3.0)


def load_hostile() -> Fake:
    return Hostile("hi")


@linux
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_hangs_stops_kills_and_memory_cost_one_recording_each_and_are_named(
    method: workers.StartMethod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "CHECK_S", 0.05)
    names = ["a", "hang", "memory", "stop-once", "stop-always", "kill-once", "kill-always", "b"]
    reported: dict[str, list[str]] = {}
    results = transcribe_all(
        [str(tmp_path / name) for name in names],
        load_hostile,  # type: ignore[arg-type]
        workers=2,
        on_words=lambda index, words, _: reported.setdefault(names[index], []).extend(word.text for word in words),
        limits=Limits(memory_gib=0.5, step_s=0.5),
        method=method,
    )
    sentences = {names[index]: str(result) for index, result in results if isinstance(result, AudioError)}
    assert sentences.keys() == {"hang", "memory", "stop-always", "kill-always"}
    assert "took longer than 0.5 s for one step of about half a minute of audio" in sentences["hang"]
    assert "needs more memory than there is, or than --max-memory allows" in sentences["memory"]
    assert "was stopped 2 times by another program" in sentences["stop-always"]
    assert "2 times (killed by SIGKILL, perhaps because memory ran out)" in sentences["kill-always"]
    assert not any("damaged" in sentence for sentence in sentences.values())
    for name in ("a", "stop-once", "kill-once", "b"):
        assert reported[name] == ["one", "two"], "words of a recording that is tried again are reported once"


def load_for_ever() -> Fake:
    time.sleep(600)
    raise AssertionError


def test_a_model_that_takes_for_ever_to_load_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CHECK_S", 0.05)
    monkeypatch.setattr(processes, "OPENING_S", 0.3)
    with pytest.raises(AsrError, match=r"The model was not loaded within 0\.3 s"):
        list(transcribe_all(["a", "b"], load_for_ever, workers=2, method="fork"))  # type: ignore[arg-type]


@linux
def test_a_process_that_was_stopped_itself_does_not_blame_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl-Z, or while a pager is full."""
    monkeypatch.setattr(processes, "CHECK_S", 0.05)
    results = []
    for index, result in transcribe_all(
        ["a", "b", "c"],
        partial(load, "hi"),  # type: ignore[arg-type]
        workers=2,
        limits=Limits(step_s=0.5),
        method="fork",
    ):
        time.sleep(1.0)
        results.append((index, isinstance(result, Transcript)))
    assert sorted(results) == [(0, True), (1, True), (2, True)]


@linux
def test_workers_end_when_the_program_is_killed(tmp_path: Path) -> None:
    """They hold no connection of each other that would keep them."""
    read, write = os.pipe()
    program = os.fork()
    if not program:
        os.close(read)
        os.set_inheritable(write, True)
        list(transcribe_all([str(tmp_path / "hang1"), str(tmp_path / "hang2")], load_slow, workers=2, method="fork"))  # type: ignore[arg-type]
        os._exit(0)
    os.close(write)
    time.sleep(0.5)
    os.kill(program, signal.SIGKILL)
    os.waitpid(program, 0)
    started = time.monotonic()
    assert os.read(read, 1) == b"", "the end of the pipe, which every process has inherited"
    os.close(read)
    assert time.monotonic() - started < 30


class Slow(Fake):
    """A transcriber that takes long, and reports."""

    def transcribe(self, source: str, *, channel: object, track: object, on_words: OnWords) -> Transcript:
        for second in range(600):
            time.sleep(0.1)
            on_words([], float(second))
        raise AssertionError


def load_slow() -> Fake:
    return Slow("hi")


def test_what_was_opened_is_said_once_and_durations_are_measured_if_asked_for() -> None:
    said: list[Opened] = []
    durations: dict[int, float] = {}
    example = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"
    results = transcribe_all(
        [str(example), "missing", str(example)],
        partial(load, "hi"),  # type: ignore[arg-type]
        workers=2,
        on_open=said.append,
        on_duration=durations.__setitem__,
        method="fork",
    )
    assert len(dict(results)) == 3
    assert said == [Opened("hi", "decoding", "", 0.5)]
    assert durations[1] == 0.0
    assert durations[0] == durations[2] == pytest.approx(2.3, abs=1.0)


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


def together(pool: Pool, sources: list[str]) -> dict[str, str]:
    """Run a pool: source -> the process that transcribed it."""
    results = {}
    for index, result in pool.run((source, {"channel": None, "track": None}) for source in sources):
        assert isinstance(result, Transcript)
        results[sources[index]] = result.words[1].text
    return results


def test_a_pool_keeps_its_processes_from_one_run_to_the_next() -> None:
    with Pool(partial(load, "hi"), 1) as pool:  # type: ignore[arg-type]
        first, second = together(pool, ["a", "b"]), together(pool, ["c"])
        assert together(pool, []) == {}
    assert (first.keys(), second.keys()) == ({"a", "b"}, {"c"})
    assert len({*first.values(), *second.values()}) == 1
    assert not pool.workers


def test_recordings_are_taken_when_a_process_is_free() -> None:
    taken = []

    def sources() -> Iterator[str]:
        for number in range(20):
            taken.append(number)
            yield f"s{number}"

    with Pool(partial(load, "hi"), 2) as pool:  # type: ignore[arg-type]
        results = pool.run((source, {"channel": None, "track": None}) for source in sources())
        next(results)
        assert len(taken) <= 4
        assert len(list(results)) == 19


@linux
def test_a_process_that_was_killed_between_two_runs_is_replaced() -> None:
    with Pool(partial(load, "hi"), 1) as pool:  # type: ignore[arg-type]
        (first,) = together(pool, ["a"]).values()
        os.kill(int(first), signal.SIGKILL)
        pool.workers[0].process.join()
        (second,) = together(pool, ["b"]).values()
    assert first != second
