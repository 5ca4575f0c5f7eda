"""Many sounds in several processes: every core is used, and a decoder that crashes costs one file."""

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
"""Opens the transcriber of a process: a function of a module, or a `functools.partial` of one."""


@dataclass
class _Worker:
    """A process, the connection to it, and the number of the sound it is at."""

    process: Any
    connection: Connection
    at: int


def transcribe_all(
    sources: Sequence[str],
    load: Load,
    *,
    workers: int,
    channel: Channel = None,
    progress: Progress = silent,
) -> Generator[tuple[int, Transcript | AsrError]]:
    """Yield (number of the source, its transcript or what was wrong with it) as they are ready.

    Args:
        sources: paths.
        load: opens the transcriber of each process.
        workers: processes.
        channel: as in `Transcriber.transcribe`.
        progress: gets the seconds of each source that are transcribed, the source being the task.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(range(len(sources))))
    busy: list[_Worker] = []

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, load, channel), daemon=True)
        with _deaf():
            process.start()
        theirs.close()
        give(_Worker(process, ours, -1))

    def give(worker: _Worker) -> None:
        worker.at = waiting.pop()
        worker.connection.send(sources[worker.at])
        busy.append(worker)

    def end(worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join()

    try:
        while waiting and len(busy) < workers:
            start()
        while busy:
            for connection in wait([worker.connection for worker in busy]):
                worker = next(each for each in busy if each.connection is connection)
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionResetError):
                    busy.remove(worker)
                    end(worker)
                    if waiting:
                        start()
                    yield worker.at, _crashed(sources[worker.at], worker.process.exitcode)
                    continue
                if isinstance(message, float):
                    progress(sources[worker.at], message, None)
                    continue
                done = worker.at
                busy.remove(worker)
                if waiting:
                    give(worker)
                else:
                    end(worker)
                yield done, message
    finally:
        for worker in busy:
            worker.process.terminate()
            end(worker)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started in it do not hear Ctrl-C, which is for this one to hear, that ends them."""
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _crashed(source: str, exit_code: int | None) -> AudioError:
    how = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit status {exit_code}"
    return AudioError(
        f"'{source}' brought down the program that read it ({how}): it is damaged in an unusual way; convert it with "
        "another program, or leave it out."
    )


def _work(connection: Connection, load: Load, channel: Channel) -> None:
    """Transcribe what the other end names, until it hangs up."""
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
