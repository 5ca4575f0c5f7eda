"""Transcribe many recordings in several processes, to use all cores and to survive crashes of native decoders."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from asr.errors import AsrError, AudioError
from asr.progress import Progress, silent
from asr.transcript.transcript import Transcript
from asr.transcription.transcriber import Channel, Transcriber

Load = Callable[[], Transcriber]
"""Creates the transcriber of a process: a module-level function, or a `functools.partial` of one."""


@dataclass
class _Worker:
    """A process, the connection to it, and the index of its current recording."""

    process: Any
    connection: Connection
    index: int


def transcribe_all(
    sources: Sequence[str],
    load: Load,
    *,
    workers: int,
    channel: Channel = None,
    progress: Progress = silent,
) -> Generator[tuple[int, Transcript | AsrError]]:
    """Yield (index of the source, transcript or error) as each recording finishes.

    Args:
        sources: paths.
        load: creates the transcriber of each process.
        workers: number of processes.
        channel: as in `Transcriber.transcribe`.
        progress: receives the seconds transcribed of each source, with the source as the task.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(range(len(sources))))
    busy: list[_Worker] = []

    def start() -> None:
        connection, worker_connection = context.Pipe()
        process = context.Process(target=_work, args=(worker_connection, load, channel), daemon=True)
        with _ignoring_sigint():
            process.start()
        worker_connection.close()
        assign(_Worker(process, connection, -1))

    def assign(worker: _Worker) -> None:
        worker.index = waiting.pop()
        worker.connection.send(sources[worker.index])
        busy.append(worker)

    def stop(worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join()

    try:
        while waiting and len(busy) < workers:
            start()
        while busy:
            for connection in wait([worker.connection for worker in busy]):
                worker = next(worker for worker in busy if worker.connection is connection)
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    busy.remove(worker)
                    stop(worker)
                    if waiting:
                        start()
                    yield worker.index, _crashed(sources[worker.index], worker.process.exitcode)
                    continue
                if isinstance(message, float):
                    progress(sources[worker.index], message, None)
                    continue
                finished = worker.index
                busy.remove(worker)
                if waiting:
                    assign(worker)
                else:
                    stop(worker)
                yield finished, message
    finally:
        for worker in busy:
            worker.process.terminate()
            stop(worker)


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


def _crashed(source: str, exit_code: int | None) -> AudioError:
    how = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit status {exit_code}"
    return AudioError(
        f"'{source}' crashed the process that was reading it ({how}): it is damaged in an unusual way; convert it with "
        "another program, or skip it."
    )


def _work(connection: Connection, load: Load, channel: Channel) -> None:
    """Transcribe the sources received, until the connection is closed."""
    transcriber = load()

    def report(_task: str, done_s: float, _total_s: float | None) -> None:
        connection.send(done_s)

    while True:
        try:
            source = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            connection.send(transcriber.transcribe(source, channel=channel, progress=report))
        except AsrError as error:
            connection.send(error)
        except (BrokenPipeError, KeyboardInterrupt):
            return
