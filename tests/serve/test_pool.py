"""Recordings that hang, take memory, or have their process stopped or killed cost their own request only."""

import multiprocessing
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from asr.serve import app, pool
from asr.serve.limits import Limits
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import processes
from asr.transcription.transcriber import OnWords

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and /proc")

LIMITS = Limits(recording=processes.Limits(memory_gib=0.5, step_s=1.0))


class Hostile:
    """A transcriber that does what the recording says."""

    def __init__(self) -> None:
        self.model = SimpleNamespace(description=SimpleNamespace(name="hostile", sample_rate=16_000))

    def with_hot_words(self, _boosts: dict[str, float]) -> "Hostile":
        return self

    def transcribe(self, source: Any, *, on_words: OnWords = lambda _words, _done_s: None) -> Transcript:
        action = Path(source).read_text(encoding="ascii") if isinstance(source, str) else ""
        on_words([], 1.0)
        if action == "hang":
            time.sleep(600)
        if action == "memory":
            bytearray(2**30)
        if action == "slowly":  # but without a step that takes too long
            for second in range(15):
                time.sleep(0.1)
                on_words([], float(second))
        if action in ("SIGSTOP", "SIGKILL", "SIGSEGV"):
            os.kill(os.getpid(), signal.Signals[action])
        return Transcript((Word("whole", 0, 1, 1),), 3.0)


def load() -> Any:
    return Hostile()


def load_at_the_second_attempt(marker: Path) -> Any:
    if not marker.exists():
        marker.touch()
        os._exit(3)
    return Hostile()


def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when there is no memory, or the limit of processes is reached."""
    monkeypatch.setattr(pool, "MAX_PAUSE_S", 0.1)
    kind = multiprocessing.get_context("spawn").Process
    usual, tries = kind.start, []

    def start(process: Any) -> None:
        tries.append(process)
        if len(tries) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        usual(process)

    monkeypatch.setattr(kind, "start", start)
    with TestClient(app.make(load(), load, workers=1, limits=LIMITS)) as client:
        answer = client.post("/v1/audio/transcriptions", files={"file": ("x.wav", b"slowly")})
        assert (answer.status_code, answer.json()["text"]) == (200, "whole")
    assert len(tries) == 2


def test_a_worker_that_cannot_be_started_is_started_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "MAX_PAUSE_S", 0.1)
    application = app.make(load(), partial(load_at_the_second_attempt, tmp_path / "tried"), workers=1, limits=LIMITS)
    with TestClient(application) as client:
        answer = client.post("/v1/audio/transcriptions", files={"file": ("x.wav", b"slowly")})
        assert (answer.status_code, answer.json()["text"]) == (200, "whole")


def test_faults_are_answered_in_the_shape_of_the_interface_and_the_worker_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "CHECK_S", 0.05)
    expected = {
        "hang": (413, "took longer than 1 s for one step of about half a minute of audio"),
        "memory": (413, "needs more memory than this server allows"),
        "SIGSTOP": (500, "was stopped by another program: try again"),
        "SIGKILL": (500, "(killed by SIGKILL, perhaps because memory ran out): try again"),
        "SIGSEGV": (500, "(killed by SIGSEGV): convert it with another program"),
    }
    application = app.make(load(), load, workers=1, limits=LIMITS)
    with TestClient(application) as client:
        for action, (status, message) in expected.items():
            answer = client.post("/v1/audio/transcriptions", files={"file": ("x.wav", action.encode())})
            error = answer.json()["error"]
            assert (answer.status_code, error["type"]) == (
                status,
                "invalid_request_error" if status == 413 else "server_error",
            )
            assert message in error["message"]
            answer = client.post("/v1/audio/transcriptions", files={"file": ("x.wav", b"slowly")})
            assert (answer.status_code, answer.json()["text"]) == (200, "whole")
        assert application.state.pool.replaced == 4  # running out of memory does not end a process
