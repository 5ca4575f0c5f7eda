"""Live audio over WebSockets: our own protocol, and that of the Vosk server."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from asr.decoding.live import Update
from asr.decoding.options import BOOST
from asr.errors import AsrError
from asr.serve.errors import ApiError
from asr.serve.limits import Limits
from asr.serve.observe import Observer
from asr.transcript.words import Word
from asr.transcription.live import LiveStream
from asr.transcription.transcriber import Transcriber

Result = TypeVar("Result")

TRY_LATER, BAD_DATA = 1013, 1007
"""Codes with which a WebSocket is closed (RFC 6455 and its registry)."""


class Live:
    """The endpoints. Streams run in threads, which onnxruntime and the compiled search let run in parallel."""

    def __init__(self, transcriber: Transcriber, threads: Executor, limits: Limits, observer: Observer) -> None:
        self._transcriber, self._threads = transcriber, threads
        self._limits, self._observer = limits, observer
        self.open = 0
        """Number of streams that are open."""

    async def own(self, socket: WebSocket) -> None:
        """Our protocol; see `docs/serve.md`."""
        await self._session(socket, self._own)

    async def vosk(self, socket: WebSocket) -> None:
        """The protocol of the Vosk server (alphacep/vosk-server): an answer to each piece of audio."""
        await self._session(socket, self._vosk)

    async def _own(self, socket: WebSocket) -> None:
        stream: LiveStream | None = None
        settings: dict[str, Any] = {}
        while True:
            content = await self._receive(socket)
            if isinstance(content, dict):
                kind = content.get("type")
                if kind == "start" and stream is None:
                    settings = content
                    stream = await self._run(self._begin, settings)
                    continue
                if kind != "finish":
                    raise ApiError(400, "A message must be of the type `start`, first, or `finish`, last.")
                break
            if stream is None:
                stream = await self._run(self._begin, settings)
            for update in await self._run(stream.feed, content):
                await socket.send_json({"type": "update"} | update.to_dict())
        for update in await self._run(stream.finish) if stream else []:
            await socket.send_json({"type": "update"} | update.to_dict())
        await socket.send_json({"type": "end", "duration_s": round(stream.duration_s, 3) if stream else 0.0})
        self._observer.audio(stream.duration_s if stream else 0.0)

    async def _vosk(self, socket: WebSocket) -> None:
        stream: LiveStream | None = None
        settings: dict[str, Any] = {}
        utterance: list[Word] = []
        while True:
            content = await self._receive(socket)
            if isinstance(content, dict):
                if "config" in content:
                    config = content["config"] if isinstance(content["config"], dict) else {}
                    phrases = config.get("phrase_list") or []
                    words = [word for phrase in phrases if isinstance(phrase, str) for word in phrase.split()]
                    settings = {"keywords": [word for word in words if word != "[unk]"]}
                    settings["sample_rate"] = config.get("sample_rate")
                    continue
                if "eof" not in content:
                    continue
                break
            if stream is None:
                stream = await self._run(self._begin, settings)
            updates = await self._run(stream.feed, content)
            await socket.send_text(_vosk_answer(updates, utterance))
        for update in await self._run(stream.finish) if stream else []:
            utterance += update.words
        await socket.send_text(_vosk_result(utterance))
        self._observer.audio(stream.duration_s if stream else 0.0)

    def _begin(self, settings: dict[str, Any]) -> LiveStream:
        """Begin a stream. Raises ApiError for settings of a wrong type or value."""
        rate, silence_s = settings.get("sample_rate"), settings.get("silence_s", 1.2)
        keywords = settings.get("keywords", [])
        if not (rate is None or isinstance(rate, int | float)) or not isinstance(silence_s, int | float):
            raise ApiError(400, "`sample_rate` and `silence_s` must be numbers.")
        if not isinstance(keywords, list) or not all(isinstance(word, str) for word in keywords):
            raise ApiError(400, "`keywords` must be a list of words.")
        transcriber = self._transcriber.with_hot_words(dict.fromkeys(keywords[:1000], BOOST))
        return transcriber.stream(None if rate is None else int(rate), silence_s=float(silence_s))

    async def _run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def _receive(self, socket: WebSocket) -> bytes | dict[str, Any]:
        """The next message. Raises ApiError if there is none for too long, or it is not JSON."""
        try:
            message = await asyncio.wait_for(socket.receive(), self._limits.idle_s)
        except TimeoutError:
            raise ApiError(408, f"There was no message for {self._limits.idle_s:g} s.") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        if (content := message.get("bytes")) is not None:
            return content
        try:
            parsed = json.loads(message["text"])
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise ApiError(400, "A text message must be a JSON object; audio is sent in binary messages.")
        return parsed

    async def _session(self, socket: WebSocket, talk: Callable[[WebSocket], Awaitable[None]]) -> None:
        """Accept a client if there is room, and report what goes wrong."""
        await socket.accept()
        if self.open >= self._limits.live:
            error = ApiError(429, f"The server is busy: {self.open} live streams are open, the maximum.")
            await socket.send_json({"type": "error"} | error.body())
            await socket.close(TRY_LATER)
            return
        self.open += 1
        self._observer.live.set(self.open)
        code = 1000
        try:
            await talk(socket)
        except (ApiError, AsrError) as error:
            code = BAD_DATA
            shown = error if isinstance(error, ApiError) else ApiError(400, str(error))
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.send_json({"type": "error"} | shown.body())
        except WebSocketDisconnect:
            code = 1001
        finally:
            self.open -= 1
            self._observer.live.set(self.open)
            self._observer.log("live", path=socket.scope["path"], code=code)
            if socket.application_state == socket.client_state == WebSocketState.CONNECTED:
                with contextlib.suppress(RuntimeError):
                    await socket.close(code)


def _vosk_answer(updates: Iterable[Update], utterance: list[Word]) -> str:
    """The answer to a piece of audio: the result of an utterance that has ended, else the partial text."""
    ended, tail = list[Word](), ()
    for update in updates:
        utterance += update.words
        tail = update.tail
        if update.ends_utterance:
            ended += utterance
            utterance.clear()
    if ended:
        return _vosk_result(ended)
    return json.dumps({"partial": " ".join(word.text for word in (*utterance, *tail))}, ensure_ascii=False)


def _vosk_result(words: Iterable[Word]) -> str:
    found = [
        {
            "conf": round(word.confidence, 4),
            "start": round(word.start_s, 3),
            "end": round(word.end_s, 3),
            "word": word.text,
        }
        for word in words
    ]
    result = {"result": found} if found else {}
    return json.dumps(result | {"text": " ".join(word["word"] for word in found)}, ensure_ascii=False)
