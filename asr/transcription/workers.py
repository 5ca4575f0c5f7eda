"""Transcribe many recordings in several processes, to use all cores and to survive crashes of native decoders."""

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from asr.errors import AsrError, AudioError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.transcriber import Channel, Transcriber

Load = Callable[[], Transcriber]
"""Creates the transcriber of a process: a module-level function, or a `functools.partial` of one."""

OnWords = Callable[[int, Sequence[Word], float], None]
"""Receives (index of the source, its next words, the seconds transcribed of it so far)."""

LOG = logging.getLogger(__name__)

READY = "ready"
"""What a process sends once it has loaded its model."""

TRIES = 2
"""How often a recording is given to a process if the process is killed."""


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
) -> Generator[tuple[int, Transcript | AsrError]]:
    """Yield (index of the source, transcript or error) as each recording finishes.

    Args:
        sources: paths.
        load: creates the transcriber of each process.
        workers: number of processes.
        channel, track: as in `Transcriber.transcribe`.
        on_words: receives the words of each recording as they are recognised.

    Raises:
        AsrError: no process could be started, which is not the fault of a recording.
    """
    if not os.access(sys.executable, os.X_OK):  # this user may not start the interpreter again
        yield from in_this_process(sources, load(), channel=channel, track=track, on_words=on_words)
        return
    pool = _Pool(sources, load, {"channel": channel, "track": track}, on_words)
    try:
        yield from pool.run(workers)
    finally:
        pool.close()


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
class _Worker:
    """A process, the connection to it, and the index of its current recording; None while it is starting."""

    process: Any
    connection: Connection
    index: int | None = None


class _Pool:
    """Processes that share the recordings."""

    def __init__(self, sources: Sequence[str], load: Load, selection: Mapping[str, Any], on_words: OnWords) -> None:
        """`selection`: channel and track."""
        self.sources, self.load, self.selection, self.on_words = sources, load, selection, on_words
        self.waiting = list(reversed(range(len(sources))))
        self.tries = [0] * len(sources)
        self.workers: list[_Worker] = []
        self.context = multiprocessing.get_context("spawn")

    def run(self, count: int) -> Iterator[tuple[int, Transcript | AsrError]]:
        """Start the processes and yield results until every recording has one."""
        for _ in range(min(count, len(self.sources))):
            self.start()
        while self.workers:
            for connection in wait([worker.connection for worker in self.workers]):
                worker = next(worker for worker in self.workers if worker.connection is connection)
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    yield from self.ended(worker)
                else:
                    yield from self.received(worker, message)

    def received(self, worker: _Worker, message: Any) -> Iterator[tuple[int, Transcript | AsrError]]:
        """Handle a message of a process."""
        if message == READY:
            self.assign(worker)
        elif worker.index is None:
            raise message  # the model could not be loaded
        elif isinstance(message, tuple):
            self.on_words(worker.index, *message)
        else:
            finished = worker.index
            self.assign(worker)
            yield finished, message

    def ended(self, worker: _Worker) -> Iterator[tuple[int, AsrError]]:
        """Replace a process that has ended, and try its recording once more if it was killed."""
        self.stop(worker)
        if worker.index is None:
            if not self.workers:
                raise _not_started(worker.process.exitcode)
            return  # the others do the work
        if worker.process.exitcode < 0 and self.tries[worker.index] < TRIES:
            self.waiting.append(worker.index)
            self.start()
            return
        if self.waiting:
            self.start()
        yield worker.index, _crashed(self.sources[worker.index], worker.process.exitcode, self.tries[worker.index])

    def start(self) -> None:
        """Start a process; it is given a recording when it is ready."""
        connection, worker_connection = self.context.Pipe()
        process = self.context.Process(target=_work, args=(worker_connection, self.load, self.selection), daemon=True)
        with _ignoring_sigint():
            process.start()
        worker_connection.close()
        self.workers.append(_Worker(process, connection))

    def assign(self, worker: _Worker) -> None:
        """Give a process its next recording, or end it if there is none."""
        if not self.waiting:
            self.stop(worker)
            return
        worker.index = self.waiting.pop()
        self.tries[worker.index] += 1
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is noticed when its answer is read
            worker.connection.send(self.sources[worker.index])

    def stop(self, worker: _Worker) -> None:
        """End a process, which is idle or has ended."""
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in list(self.workers):
            worker.process.terminate()
            self.stop(worker)


def _result(
    transcriber: Transcriber,
    source: str,
    selection: Mapping[str, Any],
    on_words: Callable[[Sequence[Word], float], None],
) -> Transcript | AsrError:
    """Transcribe a recording; whatever happens ends this recording only."""
    try:
        return transcriber.transcribe(source, **selection, on_words=on_words)
    except AsrError as error:
        return error
    except MemoryError:
        return AudioError(f"'{source}' needs more memory than there is: convert it with another program, or skip it.")
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


def _how(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"killed by {name}, perhaps because memory ran out" if name == "SIGKILL" else f"killed by {name}"


def _not_started(exit_code: int) -> AsrError:
    return AsrError(
        f"The worker processes ended before they read a file ({_how(exit_code)}): in a script, call `transcribe_all` "
        'under `if __name__ == "__main__":`, and save the script as a file; if memory is short, use one worker.'
    )


def _crashed(source: str, exit_code: int, tries: int) -> AudioError:
    times = "" if tries == 1 else f" {tries} times"
    return AudioError(
        f"'{source}' ended the process that was reading it{times} ({_how(exit_code)}): convert it with another "
        "program, or skip it."
    )


def _work(connection: Connection, load: Load, selection: Mapping[str, Any]) -> None:
    """Transcribe the sources received, until the connection is closed."""

    def report(words: Sequence[Word], done_s: float) -> None:
        connection.send((words, done_s))

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        try:
            transcriber = load()
        except AsrError as error:
            connection.send(error)
            return
        connection.send(READY)
        while True:
            source = connection.recv()
            connection.send(_result(transcriber, source, selection, report))
