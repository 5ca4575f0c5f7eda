"""Transcribe many recordings in several processes, to use all cores and to survive crashes of native decoders."""

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from asr import audio
from asr.errors import AsrError, AudioError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import processes
from asr.transcription.processes import (
    DEFAULT_LIMITS,
    Fault,
    Limits,
    Watch,
    die_with_parent,
    how_ended,
    limit_memory,
    was_killed,
)
from asr.transcription.transcriber import Channel, Transcriber

Load = Callable[[], Transcriber]
"""Creates the transcriber of a process: a module-level function, or a `functools.partial` of one."""

OnWords = Callable[[int, Sequence[Word], float], None]
"""Receives (index of the source, its next words, the seconds transcribed of it so far)."""

Selection = Mapping[str, Any]
"""What of a recording is transcribed: arguments of `Transcriber.transcribe` such as channel, track and offset_s."""

LOG = logging.getLogger(__name__)

TRIES = 2
"""How often a recording is given to a process if the process is killed or stopped."""

PIPE_S = 86_400.0
"""Time for the first words of a named pipe, which may be a recording that is still being made."""

StartMethod = Literal["fork", "spawn"]
"""How processes are started: as copies of this one, in milliseconds, or as new ones."""


@dataclass(frozen=True)
class Opened:
    """What a process sends once it has loaded its model."""

    model: str
    decoding: str
    remark: str
    min_confidence: float


def opened(transcriber: Transcriber) -> Opened:
    """What there is to say about a transcriber before it starts."""
    decoder = transcriber.decoder
    return Opened(transcriber.model.description.name, decoder.about, decoder.remark, decoder.min_confidence)


def can_fork() -> bool:
    """Whether a copy of this process can work: it has loaded nothing that starts threads of its own."""
    return sys.platform == "linux" and "onnxruntime" not in sys.modules


def ignore(_index: int, _words: Sequence[Word], _done_s: float) -> None:
    """Ignore words until the transcript is complete."""


def transcribe_all(
    sources: Sequence[str],
    load: Load,
    *,
    workers: int,
    channel: Channel = None,
    track: int | None = None,
    on_words: OnWords = ignore,
    on_open: Callable[[Opened], None] | None = None,
    on_duration: Callable[[int, float], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    method: StartMethod = "spawn",
) -> Generator[tuple[int, Transcript | AsrError]]:
    """Yield (index of the source, transcript or error) as each recording finishes.

    Args:
        sources: paths.
        load: creates the transcriber of each process.
        workers: number of processes.
        channel, track: as in `Transcriber.transcribe`.
        on_words: receives the words of each recording as they are recognised.
        on_open: is called once, as soon as a process has loaded the model.
        on_duration: receives (index of the source, its duration in seconds) before its words.
        limits: what a recording may take.
        method: "fork" only if `can_fork()`.

    Raises:
        AsrError: no process could be started, which is not the fault of a recording.
    """
    if method == "spawn" and not os.access(sys.executable, os.X_OK):  # this user may not start the interpreter again
        yield from in_this_process(sources, load(), channel=channel, track=track, on_words=on_words)
        return
    pool = Pool(load, min(workers, len(sources)), limits, method)
    pool.on_words, pool.on_open, pool.on_duration = on_words, on_open, on_duration
    with pool:
        yield from pool.run((source, {"channel": channel, "track": track}) for source in sources)


def in_this_process(
    sources: Sequence[str],
    transcriber: Transcriber,
    *,
    channel: Channel = None,
    track: int | None = None,
    on_words: OnWords = ignore,
) -> Iterator[tuple[int, Transcript | AsrError]]:
    """Do the same one recording after the other: without start-up cost, the windows of each in parallel threads."""
    for index, source in enumerate(sources):

        def report(words: Sequence[Word], done_s: float, index: int = index) -> None:
            on_words(index, words, done_s)

        yield index, _result(transcriber, source, {"channel": channel, "track": track}, report)


@dataclass
class _Task:
    """A recording that has no result yet."""

    source: str
    selection: Selection
    tries: int = 0
    updates: int = 0
    """How many times its words have been reported, in all its tries."""


@dataclass
class _Worker:
    """A process, the connection to it, and the index of its current recording; None if it has none."""

    process: Any
    connection: Connection
    watch: Watch
    index: int | None = None
    is_ready: bool = False
    """Whether it has loaded the model."""
    updates: int = 0
    """How many times words of the current recording have arrived."""
    fault: Fault = ""
    """Why it was killed by this process."""


class Pool:
    """Processes that share recordings; they keep their model from one `run` to the next, until the pool is closed."""

    on_words: OnWords
    on_open: Callable[[Opened], None] | None = None
    on_duration: Callable[[int, float], None] | None = None

    def __init__(self, load: Load, count: int, limits: Limits = DEFAULT_LIMITS, method: StartMethod = "spawn") -> None:
        """Arguments as in `transcribe_all`; `count` processes are started by the first `run`."""
        self.load, self.count, self.limits = load, count, limits
        self.on_words = ignore
        self.recordings: Iterator[tuple[int, tuple[str, Selection]]] = iter(())
        self.tasks: dict[int, _Task] = {}
        self.waiting: list[int] = []
        """Indexes of the tasks that no process has."""
        self.workers: list[_Worker] = []
        self.context: Any = multiprocessing.get_context(method)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, recordings: Iterable[tuple[str, Selection]]) -> Iterator[tuple[int, Transcript | AsrError]]:
        """Yield (index, transcript or error) as each recording finishes.

        The recordings are taken from the iterable when a process is free. Only one `run` can be open at a time.

        Raises:
            AsrError: no process could be started, or the model could not be loaded.
        """
        self.recordings = enumerate(recordings)
        for worker in [worker for worker in self.workers if worker.is_ready]:
            self.assign(worker)
        while len(self.workers) < self.count and self.has_more():
            self.start()
        checked = time.monotonic()
        while self.tasks:
            for connection in wait([worker.connection for worker in self.workers], processes.CHECK_S):
                worker = next(worker for worker in self.workers if worker.connection is connection)
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError, pickle.UnpicklingError):  # it was killed, perhaps while it was sending
                    yield from self.ended(worker)
                else:
                    worker.watch.heard()
                    yield from self.received(worker, message)
            if time.monotonic() - checked >= processes.CHECK_S:
                checked = time.monotonic()
                for worker in self.workers:
                    self.watch(worker)

    def has_more(self) -> bool:
        """Whether a recording waits for a process; the next one is taken if none does."""
        if not self.waiting:
            for index, (source, selection) in self.recordings:
                self.tasks[index] = _Task(source, selection)
                self.waiting.append(index)
                break
        return bool(self.waiting)

    def received(self, worker: _Worker, message: Any) -> Iterator[tuple[int, Transcript | AsrError]]:
        """Handle a message of a process."""
        if isinstance(message, Opened):
            if self.on_open is not None:
                self.on_open(message)
                self.on_open = None
            worker.is_ready = True
            self.assign(worker)
        elif worker.index is None:
            raise message  # the model could not be loaded
        elif isinstance(message, float):
            assert self.on_duration is not None
            self.on_duration(worker.index, message)
        elif isinstance(message, tuple):
            worker.updates += 1
            task = self.tasks[worker.index]
            if worker.updates > task.updates:  # else it was reported in an earlier try
                task.updates = worker.updates
                self.on_words(worker.index, *message)
        else:
            finished = worker.index
            self.assign(worker)
            del self.tasks[finished]
            yield finished, message

    def watch(self, worker: _Worker) -> None:
        """Kill a process that was stopped or takes too long; its connection then ends."""
        limit_s: float | None = processes.OPENING_S
        if worker.index is not None:
            limit_s = self.limits.step_s
            if not worker.updates and limit_s and Path(self.tasks[worker.index].source).is_fifo():
                limit_s = max(limit_s, PIPE_S)
        elif worker.is_ready:
            limit_s = None
        worker.fault = worker.fault or worker.watch.check(limit_s)  # a dying process is not stopped any more
        if worker.fault:
            worker.process.kill()

    def ended(self, worker: _Worker) -> Iterator[tuple[int, AsrError]]:
        """Replace a process that has ended, and try its recording once more if it was killed."""
        self.stop(worker)
        if not worker.is_ready:
            if not self.workers:
                raise _not_started(worker)
            return  # the others do the work
        failed = worker.index
        if failed is not None:
            task = self.tasks[failed]
            if worker.process.exitcode < 0 and worker.fault != "slow" and task.tries < TRIES:
                self.waiting.append(failed)
                failed = None
        if self.has_more():
            idle = next((other for other in self.workers if other.is_ready and other.index is None), None)
            if idle is None:
                self.start()
            else:
                self.assign(idle)
        if failed is not None:
            task = self.tasks.pop(failed)
            yield failed, _crashed(task.source, worker, task.tries, self.limits)

    def start(self) -> None:
        """Start a process; it is given a recording when it is ready."""
        connection, worker_connection = self.context.Pipe()
        # A copy of this process has the connections of the others, too, which would outlive this process in it.
        inherited = (
            [connection, *(worker.connection for worker in self.workers)]
            if self.context.get_start_method() == "fork"
            else []
        )
        arguments = (worker_connection, self.load, self.limits)
        rest = {"measures": self.on_duration is not None, "inherited": inherited}
        process = self.context.Process(target=_work, args=arguments, kwargs=rest, daemon=True)
        with _ignoring_sigint(), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of threads in a process that is copied; see `can_fork`
            process.start()
        worker_connection.close()
        self.workers.append(_Worker(process, connection, Watch(process.pid)))

    def assign(self, worker: _Worker) -> None:
        """Give a process its next recording, if there is one."""
        worker.index = None
        if not self.has_more():
            return
        worker.index = self.waiting.pop()
        worker.updates = 0
        worker.watch.heard()
        task = self.tasks[worker.index]
        task.tries += 1
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is noticed when its answer is read
            worker.connection.send((task.source, task.selection))

    def stop(self, worker: _Worker) -> None:
        """End a process, which is idle or has ended."""
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in list(self.workers):
            worker.process.kill()
            self.stop(worker)


def _result(
    transcriber: Transcriber,
    source: str,
    selection: Selection,
    on_words: Callable[[Sequence[Word], float], None],
) -> Transcript | AsrError:
    """Transcribe a recording; whatever happens ends this recording only."""
    try:
        return transcriber.transcribe(source, **selection, on_words=on_words)
    except AsrError as error:
        return error
    except MemoryError:
        return AudioError(
            f"'{source}' needs more memory than there is, or than --max-memory allows: allow more, or skip the file."
        )
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        LOG.info("An unexpected error.", exc_info=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return AudioError(f"'{source}' led to an unexpected error ({reason}); please report it, with -v for details.")


@contextmanager
def _ignoring_sigint() -> Iterator[None]:
    """Let processes started here ignore SIGINT; the parent handles it and terminates them."""
    if threading.current_thread() is not threading.main_thread():  # handlers can only be set in the main thread
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def duration_s(source: str) -> float:
    """The duration of a recording in seconds; a guess for a stream, 0 if it cannot be read."""
    try:
        is_stream = source == "-" or Path(source).is_fifo()  # reading the header would consume it
        return 60.0 if is_stream else audio.duration_s(source)
    except (AsrError, MemoryError):
        return 0.0


def _not_started(worker: _Worker) -> AsrError:
    if worker.fault == "slow":
        return AsrError(
            f"The model was not loaded within {processes.OPENING_S:g} s: give another model, or a smaller language "
            "model."
        )
    return AsrError(
        f"The worker processes ended before they read a file ({how_ended(worker.process.exitcode)}): in a script, call "
        '`transcribe_all` under `if __name__ == "__main__":`, and save the script as a file; if memory is short, use '
        "one worker."
    )


def _crashed(source: str, worker: _Worker, tries: int, limits: Limits) -> AudioError:
    """The sentence that says how the process of a recording ended."""
    if worker.fault == "slow":
        return AudioError(
            f"'{source}' took longer than {limits.step_s:g} s for one step of about half a minute of audio: allow more "
            "time with --timeout, or skip the file."
        )
    times = "" if tries == 1 else f" {tries} times"
    if worker.fault == "stopped":
        return AudioError(f"The process that was reading '{source}' was stopped{times} by another program: try again.")
    if was_killed(worker.process.exitcode):
        remedy = "try again with fewer workers or more memory"
    else:
        remedy = "convert it with another program, or skip it"
    return AudioError(
        f"'{source}' ended the process that was reading it{times} ({how_ended(worker.process.exitcode)}): {remedy}."
    )


def _work(
    connection: Connection,
    load: Load,
    limits: Limits,
    *,
    measures: bool,
    inherited: Sequence[Connection],
) -> None:
    """Transcribe the sources received, until the connection is closed."""
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in inherited:
        other.close()

    def report(words: Sequence[Word], done_s: float) -> None:
        connection.send((words, done_s))

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        try:
            transcriber = load()
        except AsrError as error:
            connection.send(error)
            return
        connection.send(opened(transcriber))
        limit_memory(limits.memory_gib)
        while True:
            source, selection = connection.recv()
            if measures:
                connection.send(duration_s(source))
            connection.send(_result(transcriber, source, selection, report))
