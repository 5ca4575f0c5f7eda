"""A process of the server that transcribes one file after the other."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np

from asr.errors import AsrError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.processes import die_with_parent, limit_memory
from asr.transcription.transcriber import Transcriber

LOG = logging.getLogger(__name__)

Load = Callable[[], Transcriber]
"""Opens the model in the process: a `functools.partial` of a module's function."""


@dataclass(frozen=True)
class Job:
    """A recording to transcribe."""

    path: str
    """Of a file that the server wrote."""
    hot_words: dict[str, float] = field(default_factory=dict)
    max_s: float = float("inf")
    """Longest recording in seconds."""


@dataclass(frozen=True)
class Ready:
    """The model is loaded, and has transcribed a moment of silence."""

    model: str


@dataclass(frozen=True)
class Failure:
    """Why there is no transcript."""

    status: int
    """HTTP status that says whose fault it is."""
    message: str


class TooLong(AsrError):
    """A recording that is longer than the server transcribes."""


Message = Ready | Sequence[Word] | Transcript | Failure
"""What a process sends: that it is ready; then, for each job, its words at each step, and a transcript or a failure."""


def work(connection: Connection, load: Load, memory_gib: float | None) -> None:
    """Transcribe the jobs received, until the connection is closed.

    Args:
        connection: to the server.
        load: opens the model.
        memory_gib: memory in GiB that a recording may take.
    """
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a service manager sends it to all processes
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        transcriber = load()
        transcriber.transcribe(np.zeros(transcriber.model.description.sample_rate // 2, np.float32))
        connection.send(Ready(transcriber.model.description.name))
        limit_memory(memory_gib)
        while True:
            job = connection.recv()
            connection.send(_result(transcriber, job, connection))


def _result(transcriber: Transcriber, job: Job, connection: Connection) -> Transcript | Failure:
    def report(words: Sequence[Word], done_s: float) -> None:
        if done_s > job.max_s:
            raise TooLong
        connection.send(list(words))  # also none, which shows that the work continues

    too_long = Failure(413, f"The recording is longer than {job.max_s:g} s, the maximum of this server: divide it.")
    try:
        transcript = transcriber.with_hot_words(job.hot_words).transcribe(job.path, on_words=report)
    except TooLong:
        return too_long
    except AsrError as error:
        message = str(error).replace(f"'{job.path}'", "The file").replace(os.fspath(job.path), "the file")
        return Failure(400, message)
    except MemoryError:
        return Failure(413, "The file needs more memory than this server allows: convert it with another program.")
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        LOG.exception("An unexpected error.")
        return Failure(500, f"The file led to an unexpected error ({type(error).__name__}).")
    return too_long if transcript.duration_s > job.max_s else transcript
