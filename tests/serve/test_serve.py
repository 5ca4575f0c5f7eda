"""The server with clients that others wrote: OpenAI's, and one that speaks the Vosk server's protocol."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import asr
from asr import models
from asr.serve import app
from asr.serve.limits import Limits
from asr.transcription.transcriber import open_transcriber

ROOT = Path(__file__).resolve().parents[2]
ENTER = ROOT / "examples" / "enter.wav"
SPOKEN = "enter two nine eight one"
WRITTEN = "Enter two nine eight one."
LIMITS = Limits(upload_bytes=6 * 2**20, audio_s=150.0, waiting=1, body_s=3.0, idle_s=1.0, live=2)


class Server:
    """A server in a thread, with one worker process."""

    def __init__(self, **options: Any) -> None:
        load = partial(open_transcriber, models.find("an4"), None, threads=1)
        self.app = app.make(load(), load, workers=1, limits=LIMITS, **options)
        config = uvicorn.Config(self.app, port=0, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=5)
        self.uvicorn = uvicorn.Server(config)
        listening = config.bind_socket()
        self.port = listening.getsockname()[1]
        self.thread = threading.Thread(target=self.uvicorn.run, kwargs={"sockets": [listening]})
        self.thread.start()
        until(lambda: self.uvicorn.started and self.pool.ready)

    @property
    def pool(self) -> Any:
        return self.app.state.pool

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(api_key=key, base_url=f"http://127.0.0.1:{self.port}/v1", max_retries=0)

    def stop(self) -> None:
        self.uvicorn.should_exit = True
        self.thread.join()


def until(condition: Any) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with server.client() as client:
        yield client


def noise(seconds: float) -> bytes:
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, round(16_000 * seconds))
    soundfile.write(file, samples, 16_000, format="WAV")
    return file.getvalue()


def transcribe(client: openai.OpenAI, file: Any = ENTER, **options: Any) -> Any:
    return client.audio.transcriptions.create(model="whisper-1", file=file, **options)


def test_json_and_text(client: openai.OpenAI) -> None:
    assert transcribe(client).text == WRITTEN
    assert transcribe(client, response_format="text") == WRITTEN + "\n"
    log_probs = transcribe(client, include=["logprobs"]).logprobs
    assert "".join(token.token for token in log_probs) == WRITTEN
    assert all(token.logprob <= 0 and bytes(map(int, token.bytes)).decode() == token.token for token in log_probs)


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_subtitles_are_those_of_the_library(client: openai.OpenAI, format: Any) -> None:
    expected = asr.load("an4").transcribe(ENTER).to(format)
    assert transcribe(client, response_format=format) == expected


def test_verbose_json_has_what_is_asked_for(client: openai.OpenAI) -> None:
    plain = transcribe(client, response_format="verbose_json")
    assert (plain.text, plain.language, plain.words) == (WRITTEN, "english", None)
    assert plain.duration == pytest.approx(1.815, abs=0.01)
    (segment,) = plain.segments
    assert segment.text.strip() == WRITTEN
    assert segment.avg_logprob < 0
    words = transcribe(client, response_format="verbose_json", timestamp_granularities=["word"], language="en")
    assert [word.word for word in words.words] == WRITTEN.split()
    assert words.segments is None
    assert words.language == "en"
    times = [time for word in words.words for time in (word.start, word.end)]
    assert times == sorted(times)


def test_a_stream_ends_with_the_whole_text(client: openai.OpenAI) -> None:
    events = list(transcribe(client, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[0].delta == events[1].text == WRITTEN


def test_hot_words_reach_the_search(client: openai.OpenAI) -> None:
    """A boosted word that sounds alike is preferred."""
    assert transcribe(client, extra_body={"keywords": ["to"]}, response_format="text") == "Enter to nine eight one.\n"
    with pytest.raises(openai.BadRequestError, match="hot word '7' cannot be written"):
        transcribe(client, extra_body={"keywords": ["7"]})


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["an4"]
    assert client.models.retrieve("an4").owned_by == "asr"
    with pytest.raises(openai.NotFoundError, match="this server runs 'an4'"):
        client.models.retrieve("whisper-1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response_format": "yaml"}, "`response_format` is 'yaml', but must be one of json"),
        ({"timestamp_granularities": ["word"]}, "needs the `response_format` verbose_json"),
        ({"timestamp_granularities": ["letter"], "response_format": "verbose_json"}, "must be one of word, segment"),
        ({"include": ["logprobs"], "response_format": "srt"}, "`include` needs the `response_format` json"),
        ({"stream": True, "response_format": "vtt"}, "`stream` needs the `response_format` json or text"),
        ({"file": ("x.wav", b"")}, "is empty"),
        ({"file": ("../../x.wav", b"nonsense" * 500)}, "The file is not an audio file, or is damaged"),
    ],
)
def test_wrong_requests_are_answered_in_the_shape_of_the_interface(
    client: openai.OpenAI, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        transcribe(client, **options)
    body: Any = caught.value.body
    assert body["type"] == "invalid_request_error"
    assert body.keys() == {"message", "type", "param", "code"}


def test_too_much_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="larger than 6 MiB") as caught:
        transcribe(client, ("big.wav", bytes(7 * 2**20)))
    assert caught.value.status_code == 413
    with pytest.raises(openai.APIStatusError, match="longer than 150 s") as caught:
        transcribe(client, ("long.wav", noise(160)))
    assert caught.value.status_code == 413
    assert transcribe(client).text == WRITTEN


def post(server: Server, body: bytes, length: int) -> bytes:
    """Send a form whose body may be shorter than stated; return the answer."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
        connection.settimeout(60)
        with connection.makefile("rb") as answer:
            return answer.read()


def test_a_slow_upload_is_ended(server: Server) -> None:
    answer = post(server, b"--b\r\n", 1000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slow" in answer


@pytest.mark.parametrize(
    "body", [b"", b"--b--\r\n", b"nonsense", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"]
)
def test_a_damaged_form_is_refused(server: Server, body: bytes) -> None:
    assert post(server, body, len(body)).startswith(b"HTTP/1.1 400 ")


def test_a_worker_that_dies_costs_its_request_only(server: Server, client: openai.OpenAI) -> None:
    failures: list[Exception] = []

    def request() -> None:
        try:
            transcribe(client, ("noise.wav", noise(140)))
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=request)
    thread.start()
    until(lambda: server.pool.busy)
    server.pool.kill_one()
    thread.join()
    assert [getattr(error, "status_code", None) for error in failures] == [500]
    assert "ended the process that was decoding it" in str(failures[0])
    assert transcribe(client).text == WRITTEN
    assert server.pool.replaced == 1


def test_a_full_queue_is_answered_by_429_with_the_time_to_wait(server: Server, client: openai.OpenAI) -> None:
    content = noise(140)
    results: list[Any] = []

    def request() -> None:
        try:
            results.append(transcribe(client, ("noise.wav", content)).text)
        except openai.RateLimitError as error:
            results.append(error)

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [result for result in results if not isinstance(result, str)]
    assert len(results) == 8
    assert 1 <= len(refused) < 8
    assert all(int(error.response.headers["Retry-After"]) > 0 for error in refused)
    assert transcribe(client).text == WRITTEN
    assert server.pool.waiting == server.pool.busy == 0


def get(server: Server, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as answer:
        return answer.read().decode()


def test_health_metrics_and_description(server: Server, client: openai.OpenAI) -> None:
    transcribe(client)
    assert json.loads(get(server, "/health")) == {"status": "ok", "model": "an4", "workers": 1}
    assert 'asr_requests_total{path="/v1/audio/transcriptions",status="200"}' in get(server, "/metrics")
    description = json.loads(get(server, "/openapi.json"))
    routes = {route.path for route in server.app.routes if getattr(route, "include_in_schema", False)}  # type: ignore[attr-defined]
    assert set(description["paths"]) == routes - {"/openapi.json"}


def pcm() -> bytes:
    return soundfile.read(ENTER, dtype="int16")[0].tobytes()


def test_a_client_of_the_vosk_server_gets_an_answer_to_each_piece_and_the_result_at_the_end(server: Server) -> None:
    """As test.py of alphacep/vosk-server does it."""
    with connect(f"ws://127.0.0.1:{server.port}") as client:
        client.send('{ "config" : { "sample_rate" : 16000 } }')
        content = pcm()
        for first in range(0, len(content), 8000):
            client.send(content[first : first + 8000])
            assert json.loads(client.recv()).keys() == {"partial"}
        client.send('{"eof" : 1}')
        final = json.loads(client.recv())
    assert final["text"] == SPOKEN
    assert [word["word"] for word in final["result"]] == SPOKEN.split()
    assert all(word.keys() == {"conf", "start", "end", "word"} for word in final["result"])


def test_our_protocol_sends_updates(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/v1/audio/live") as client:
        client.send(json.dumps({"type": "start", "sample_rate": 16_000}))
        client.send(pcm())
        client.send(json.dumps({"type": "finish"}))
        messages = [json.loads(message) for message in client]
    assert [message["type"] for message in messages[-2:]] == ["update", "end"]
    assert " ".join(word["text"] for message in messages[:-1] for word in message["words"]) == SPOKEN
    assert messages[-1]["duration_s"] == pytest.approx(1.815, abs=0.01)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("nonsense", "must be a JSON object"),
        ('{"type": "stop"}', "must be of the type `start`"),
        ('{"type": "start", "sample_rate": "high"}', "must be numbers"),
        ('{"type": "start", "sample_rate": 3}', "sample rate is 3 Hz"),
        ('{"type": "start", "silence_s": 1e400}', "`silence_s`"),
        ('{"type": "start", "keywords": "word"}', "list of words"),
        (None, "no message for 1 s"),
    ],
)
def test_wrong_messages_are_answered(server: Server, message: str | None, reason: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/v1/audio/live") as client:
        if message is not None:
            client.send(message)
        answer = json.loads(client.recv())
        assert answer["type"] == "error"
        assert reason in answer["error"]["message"]
        with pytest.raises(ConnectionClosed):
            client.recv()


def test_abandoned_streams_make_room_for_others(server: Server) -> None:
    url = f"ws://127.0.0.1:{server.port}/v1/audio/live"
    live = next(
        route for route in server.app.routes if getattr(route, "path", "") == "/v1/audio/live"
    ).endpoint.__self__  # type: ignore[attr-defined]
    for _ in range(10):
        until(lambda: live.open < 2)
        # A client is connected before its stream is counted, so it may be one too many and be refused.
        with connect(url) as client, contextlib.suppress(ConnectionClosed):
            client.send(bytes(3200))
            client.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: live.open == 0)
    with connect(url), connect(url), connect(url) as third:
        assert "2 live streams are open" in json.loads(third.recv())["error"]["message"]
    until(lambda: live.open == 0)


def test_keys_and_origins_are_checked() -> None:
    server = Server(access=app.Access(api_key="secret", origins=["https://friend.example"]))
    try:
        with server.client("guess") as guess, pytest.raises(openai.AuthenticationError, match="missing or wrong"):
            guess.models.list()
        with server.client("secret") as friend:
            assert [model.id for model in friend.models.list()] == ["an4"]
        assert "ok" in get(server, "/health")
        url = f"ws://127.0.0.1:{server.port}/v1/audio/live"
        with pytest.raises(InvalidStatus, match="403"), connect(url):
            pass
        with connect(f"{url}?api_key=secret", origin="https://friend.example") as client:  # type: ignore[arg-type]
            client.send('{"type": "finish"}')
            assert json.loads(client.recv())["type"] == "end"
        foe: Any = "https://foe.example"
        with pytest.raises(InvalidStatus, match="403"), connect(f"{url}?api_key=secret", origin=foe):
            pass
    finally:
        server.stop()


def test_other_addresses_need_a_key() -> None:
    command = [sys.executable, "-m", "asr", "serve", "--host", "0.0.0.0", "-m", "an4"]
    environment = {name: value for name, value in os.environ.items() if name != "ASR_API_KEY"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "give a key that they must send (--api-key, or ASR_API_KEY" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_sigterm_finishes_the_work_in_flight() -> None:
    command = [sys.executable, "-m", "asr", "serve", "--port", "0", "-m", "an4", "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            url = process.stderr.readline().split()[2].rstrip(";")
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
            results: list[str] = []
            content = noise(140)
            with openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0) as client:
                thread = threading.Thread(
                    target=lambda: results.append(transcribe(client, ("noise.wav", content)).text)
                )
                thread.start()
                until(lambda: any(f"asr_jobs_{what} 1.0" in read(f"{url}/metrics") for what in ("waiting", "running")))
                process.send_signal(signal.SIGTERM)
                thread.join()
            assert len(results) == 1
            assert process.wait() == -signal.SIGTERM
            log = process.stderr.read()
        finally:
            process.kill()
    assert '"status": 200' in log
    assert "Traceback" not in log


def read(url: str) -> str:
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()
