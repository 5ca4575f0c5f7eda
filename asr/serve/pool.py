"""Worker processes behind a bounded queue.

A process that dies, hangs, or is stopped costs its own job only, and is replaced. A job is not tried again, because the
words of it that a client has received cannot be taken back: that is for the client, who sees the status 500.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import pickle
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from asr.serve.errors import ApiError
from asr.serve.limits import Limits
from asr.serve.worker import Failure, Job, Load, Message, Ready, work
from asr.transcript.transcript import Transcript
from asr.transcription import processes
from asr.transcription.processes import Fault, Watch, how_ended, was_killed

MAX_PAUSE_S = 60.0
"""Longest pause before a process that could not be started, as when memory is short, is started again."""


@dataclass
class _Worker:
    """A process and the connection to it."""

    process: Any
    connection: Connection
    watch: Watch
    fault: Fault = ""
    """Why it was killed by this process."""


class Pool:
    """The processes and who waits for them. Used from the event loop only."""

    def __init__(self, load: Load, count: int, limits: Limits) -> None:
        self._load, self._count, self._limits = load, count, limits
        self._context = multiprocessing.get_context("spawn")
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers: list[_Worker] = []
        self.waiting = self.busy = self.ready = self.replaced = 0
        """Number of jobs that wait, of jobs in work, of processes that can work, of processes that were replaced."""

    def start(self) -> None:
        """Start all processes."""
        for _ in range(self._count):
            self._spawn(self._run_worker())

    def check_room(self) -> None:
        """Raise ApiError if too many jobs wait."""
        if self.waiting >= self._limits.waiting:
            raise ApiError(
                429,
                f"The server is busy: {self.waiting} requests wait, the maximum. Try again in a few seconds.",
                code="queue_full",
            )

    async def run(self, job: Job) -> AsyncGenerator[Message]:
        """Transcribe a recording: yield its words as they come, then the transcript or the failure.

        Raises:
            ApiError: too many jobs wait.
        """
        self.check_room()
        self.waiting += 1
        try:
            worker = await self._idle.get()
        finally:
            self.waiting -= 1
        messages: asyncio.Queue[Message] = asyncio.Queue()
        self._spawn(self._serve(worker, job, messages))  # in a task of its own, which outlives a client that vanishes
        while True:
            message = await messages.get()
            yield message
            if isinstance(message, Transcript | Failure):
                return

    def kill_one(self) -> None:
        """Kill a process, to test that it costs its job only."""
        self._workers[0].process.kill()

    async def close(self) -> None:
        """Finish the jobs in work, then end all processes."""
        while self.busy:
            await asyncio.sleep(0.05)
        for worker in self._workers:
            worker.process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_worker(self) -> None:
        """Start a process, again and again if that fails, and offer it when it is ready."""
        for attempt in itertools.count():
            ours, theirs = self._context.Pipe()
            arguments = theirs, self._load, self._limits.recording.memory_gib
            process = self._context.Process(target=work, args=arguments, daemon=True)
            try:
                await asyncio.to_thread(process.start)
            except OSError:  # no memory, or no process more
                ours.close()
                theirs.close()
                await asyncio.sleep(min(MAX_PAUSE_S, 2.0**attempt))
                continue
            theirs.close()
            worker = _Worker(process, ours, Watch(process.pid or 0))
            self._workers.append(worker)
            if isinstance(await self._receive(worker, processes.OPENING_S), Ready):
                self.ready += 1
                self._idle.put_nowait(worker)
                return
            self._remove(worker)
            await asyncio.sleep(min(MAX_PAUSE_S, 2.0**attempt))

    async def _serve(self, worker: _Worker, job: Job, messages: asyncio.Queue[Message]) -> None:
        """Let a process do a job, then offer it again, or replace it if it has died."""
        self.busy += 1
        try:
            worker.watch.heard()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                worker.connection.send(job)
            while True:
                message = await self._receive(worker, self._limits.recording.step_s)
                if message is None:
                    self.ready -= 1
                    self.replaced += 1
                    self._remove(worker)
                    self._spawn(self._run_worker())
                    messages.put_nowait(_failure(worker, self._limits.recording))
                    return
                if message:
                    messages.put_nowait(message)
                if isinstance(message, Transcript | Failure):
                    self._idle.put_nowait(worker)
                    return
        finally:
            self.busy -= 1

    async def _receive(self, worker: _Worker, limit_s: float | None) -> Message | None:
        """Return the next message of a process, which may take `limit_s`; None if it has died, or had to be killed."""

        def receive() -> Message | None:
            try:
                while not worker.connection.poll(processes.CHECK_S):
                    if not worker.fault and (fault := worker.watch.check(limit_s)):
                        worker.fault = fault
                        worker.process.kill()
                worker.watch.heard()
                return worker.connection.recv()
            except (EOFError, OSError, pickle.UnpicklingError):  # it was killed, perhaps while it was sending
                return None

        return await asyncio.get_running_loop().run_in_executor(self._threads, receive)

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(5)


def _failure(worker: _Worker, limits: processes.Limits) -> Failure:
    """The answer for a job whose process has ended."""
    if worker.fault == "slow":
        return Failure(
            413,
            f"The file took longer than {limits.step_s:g} s for one step of about half a minute of audio, the maximum "
            "of this server: convert it with another program.",
        )
    if worker.fault == "stopped":
        return Failure(500, "The process that was decoding the file was stopped by another program: try again.")
    exit_code = worker.process.exitcode or 0
    remedy = "try again" if was_killed(exit_code) else "convert it with another program"
    return Failure(500, f"The file ended the process that was decoding it ({how_ended(exit_code)}): {remedy}.")
