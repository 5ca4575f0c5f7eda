#!/usr/bin/env python3
"""Disturb `asr serve` in every way that clients and machines do, and check that it goes on as if nothing had happened.

    python scripts/server_faults.py [MODEL]

After each fault the server must answer a request as before, have no work left, and not have grown. MODEL is an4. The
full disk is a file system in memory, which only root can mount; without it that part is skipped.
"""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from serving import BOUNDARY, ENVIRONMENT, Server, upload
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[1]
SPEECH = (ROOT / "examples" / "pittsburgh.wav").read_bytes()
WAIT_S = 120.0
GROWTH_MIB = 60.0
"""Most memory that a server may have more after a fault than after the first requests."""
HUGE = 2 * 2**30
RESET = struct.pack("ii", 1, 0)
"""Option of a socket: close it with a reset."""


def answer(port: int, request: bytes) -> tuple[int, bytes]:
    """Send a request, and return status and body of the answer; status 0 if the server closes without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before the end
            connection.sendall(request)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    with connection.makefile("rb") as stream:
        try:
            status = stream.readline().split()
            if len(status) < 2:
                return 0, b""
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return int(status[1]), stream.read(length)
        except ConnectionResetError:
            return 0, b""


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as page:
        found = re.findall(rf"^{re.escape(name)} (\S+)", page.read().decode(), re.MULTILINE)
        return float(found[0]) if found else 0.0


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what}, after {WAIT_S:g} s")
        time.sleep(0.1)


def check(*, holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")


def huge_stated(server: Server) -> str:
    """2 GiB that the header states are refused before they are sent."""
    status, body = answer(server.port, upload(b"", length=HUGE)[:400])
    check(holds=status == 413 and b"larger than 512 MiB" in body, what=f"{status} {body!r}")
    return "413 at once"


def huge_sent(server: Server) -> str:
    """2 GiB in pieces, whose size is not stated, are ended at the limit."""
    head = upload(b"").partition(b"\r\n\r\n")[0]
    head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    piece = b"100000\r\n" + bytes(2**20) + b"\r\n"
    form = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head + b"\r\n\r\n" + f"{len(form):x}\r\n".encode() + form + b"\r\n")
            while sent < HUGE:
                connection.sendall(piece)
                sent += 2**20
        status, _ = read_answer(connection)
    check(holds=status in (0, 413) and sent < HUGE, what=f"{status} after {sent} bytes")
    return f"{'413' if status else 'closed'} after {sent // 2**20} MiB"


def garbage(server: Server) -> str:
    """Bodies that are no form, no audio, or cut, and requests that are no HTTP."""
    whole = upload(SPEECH)
    requests = [upload(os.urandom(size)) for size in (0, 1, 1000, 1_000_000)]
    requests += [whole.replace(b"multipart/form-data", kind) for kind in (b"audio/wav", b"application/json", b"x")]
    requests += [whole.replace(b'name="file"', b'name="' + bytes([65] * 5000) + b'"'), os.urandom(2000) + b"\r\n\r\n"]
    requests += [re.sub(rb"Content-Length: \d+", b"Content-Length: " + size, whole) for size in (b"-5", b"x", b"100")]
    found = Counter(answer(server.port, request)[0] for request in requests)
    check(holds=all(400 <= status < 500 for status in found), what=f"statuses {found}")
    return ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))


def slow(server: Server) -> str:
    """Twenty bodies that stop after some bytes."""
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) for _ in range(20)]
    for connection in connections:
        connection.sendall(upload(SPEECH)[:5000])
    found = Counter(read_answer(connection)[0] for connection in connections)
    for connection in connections:
        connection.close()
    check(holds=found == {408: 20}, what=f"statuses {found}")
    return "20 x 408"


def vanished(server: Server) -> str:
    """Two hundred clients that go away while they send, or while they wait for the transcript."""
    request = upload(SPEECH)
    for number in range(200):
        with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
            connection.sendall(request[: len(request) // 2] if number % 2 else request)
            if number % 4 < 2:  # with a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return "200 gone"


def streams(server: Server) -> str:
    """Five hundred WebSockets that are opened, used and abandoned."""
    url, refused = f"ws://127.0.0.1:{server.port}/v1/audio/live", 0
    for number in range(500):
        with connect(url, open_timeout=WAIT_S) as client:
            try:
                client.send(bytes(3200))
            except ConnectionClosed:  # more are open than the server allows at a time
                refused += 1
            if number % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.socket.close()
    until(lambda: metric(server.port, "asr_live_streams") == 0, "streams are still open")
    with connect(url, open_timeout=WAIT_S) as client:
        client.send('{"type": "finish"}')
        check(holds="end" in str(client.recv(timeout=WAIT_S)), what="a new stream does not end")
    return f"500 abandoned, {refused} of them refused"


def killed(server: Server) -> str:
    """A worker that is killed while it transcribes costs at most its own request."""
    found: Counter[int] = Counter()
    for _ in range(5):
        with ThreadPoolExecutor(6) as clients:
            answers = [clients.submit(answer, server.port, upload(SPEECH)) for _ in range(6)]
            time.sleep(0.1)
            os.kill(server.workers()[-1], signal.SIGKILL)
        found.update(one.result()[0] for one in answers)
        until(lambda: metric(server.port, "asr_workers_ready") == 2, "the worker is not replaced")
    check(holds=found.keys() <= {200, 500} and found[500] <= 5, what=f"statuses {found}")
    return ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))


FAULTS = (huge_stated, huge_sent, garbage, slow, vanished, streams, killed)


def settled(server: Server, text: bytes) -> None:
    """The server has no work left and answers as before."""
    for name in ("asr_jobs_waiting", "asr_jobs_running", "asr_live_streams"):
        until(lambda name=name: metric(server.port, name) == 0, f"{name} is not 0")
    check(holds=answer(server.port, upload(SPEECH)) == (200, text), what="another answer than before")


def terminated(model: str, text: bytes) -> str:
    """SIGTERM under load: what was accepted is answered."""
    found: Counter[int] = Counter()
    with Server("-m", model, "--workers", "2") as server:
        until(lambda: metric(server.port, "asr_workers_ready") == 2, "the workers do not start")
        sent: list[socket.socket] = []
        for _ in range(16):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
            connection.sendall(upload(SPEECH))
            sent.append(connection)
        waiting = ("asr_jobs_waiting", "asr_jobs_running")
        until(
            lambda: (
                sum(metric(server.port, name) for name in waiting)
                + metric(server.port, 'asr_requests_total{path="/v1/audio/transcriptions",status="200"}')
                >= 16
            ),
            "the requests do not arrive",
        )
        server.process.send_signal(signal.SIGTERM)
        for connection in sent:
            status, body = read_answer(connection)
            found[status] += 1
            check(holds=status != 200 or body == text, what="another text")
        server.process.wait(timeout=WAIT_S)
    check(holds=found == {200: 16}, what=f"statuses {found}")
    return "16 x 200, then the end"


def full_disk(model: str, text: bytes) -> str:
    """Uploads that do not fit on the disk are refused, and the next one that fits is transcribed."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
        )
        if mounted.returncode:
            return "skipped: a file system of 4 MiB cannot be mounted"
        try:
            with Server("-m", model, "--workers", "2", environment=ENVIRONMENT | {"TMPDIR": folder}) as server:
                until(lambda: metric(server.port, "asr_workers_ready") == 2, "the workers do not start")
                found = Counter(answer(server.port, upload(bytes(8 * 2**20)))[0] for _ in range(10))
                check(holds=found == {503: 10}, what=f"statuses {found}")
                settled(server, text)
                check(holds=not list(Path(folder).rglob("*.*")), what="files are left")
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    return "10 x 503, then 200"


def main(model: str = "an4") -> None:
    with Server("-m", model, "--workers", "2") as server:
        until(lambda: metric(server.port, "asr_workers_ready") == 2, "the workers do not start")
        status, text = answer(server.port, upload(SPEECH))
        check(holds=status == 200, what=f"{status} {text!r}")
        for _ in range(10):
            settled(server, text)
        before = server.memory_mib()
        print(f"{'first requests':15} {before:6.0f} MiB  {text.decode()}")
        for fault in FAULTS:
            found = fault(server)
            settled(server, text)
            memory = server.memory_mib()
            print(f"{fault.__name__:15} {memory:6.0f} MiB  {found}", flush=True)
            check(holds=memory < before + GROWTH_MIB, what="the server has grown")
    check(holds=not any("Traceback" in line for line in server.log), what="a traceback in the log")
    print(f"{'terminated':15}             {terminated(model, text)}")
    print(f"{'full disk':15}             {full_disk(model, text)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
