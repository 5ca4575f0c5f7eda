"""An `asr serve` of our own and requests to it, for the scripts that load and disturb it (Linux)."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
BOUNDARY = "Ea1sd9"


class Server:
    """A server with default limits on a port of 127.0.0.1 that the system has chosen."""

    def __init__(self, *options: str, environment: Mapping[str, str] = ENVIRONMENT) -> None:
        command = [sys.executable, "-m", "asr", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(environment))
        assert self.process.stderr is not None
        self.log = [self.process.stderr.readline()]
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.log[0])
        if found is None:
            raise SystemExit(f"The server did not start: {self.log[0]}{self.process.stderr.read()}")
        self.port = int(found[1])
        stderr = self.process.stderr
        self.reader = threading.Thread(target=lambda: self.log.extend(stderr), daemon=True)
        self.reader.start()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.reader.join()

    def workers(self) -> list[int]:
        """The processes that transcribe files."""
        return [pid for pid in _descendants(self.process.pid) if pid != self.process.pid]

    def memory_mib(self) -> float:
        """Memory of the server and its workers; what they share counts once."""
        return sum(map(_pss_mib, _descendants(self.process.pid)))


def _descendants(parent: int) -> list[int]:
    found = [parent]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, children.read_text(encoding="ascii").split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _pss_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024


def upload(content: bytes, *, length: int | None = None) -> bytes:
    """A request of HTTP/1.1 to transcribe a WAV file; `length`: the stated length of the body, if not the true one."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
        + content
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body
