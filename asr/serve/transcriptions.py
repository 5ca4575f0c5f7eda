"""POST /v1/audio/transcriptions, as OpenAI's clients send it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from asr.decoding.options import BOOST
from asr.serve import formats, uploads
from asr.serve.errors import ApiError
from asr.serve.limits import Limits
from asr.serve.observe import Observer
from asr.serve.pool import Pool
from asr.serve.worker import Failure, Job
from asr.transcript.transcript import Transcript

GRANULARITIES = ("word", "segment")
LANGUAGE = "english"
"""Language of the answer if the request names none."""
GONE_S = 0.5
"""Time between two looks at whether the client of a waiting request is still there."""


@dataclass(frozen=True)
class Options:
    """The fields of a request but for the file."""

    format: str
    granularities: tuple[str, ...]
    include: frozenset[str]
    stream: bool
    language: str
    hot_words: dict[str, float]


def options(form: FormData) -> Options:
    """Read the fields of a form. Raises ApiError for a wrong value."""
    format_ = _one(form, "response_format") or "json"
    if format_ not in formats.FORMATS:
        raise _wrong("response_format", format_, formats.FORMATS)
    granularities = _several(form, "timestamp_granularities")
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise _wrong("timestamp_granularities", granularity, GRANULARITIES)
    if granularities and format_ != "verbose_json":
        raise ApiError(
            400, "`timestamp_granularities` needs the `response_format` verbose_json.", param="timestamp_granularities"
        )
    include = _several(form, "include")
    for name in include:
        if name not in formats.INCLUDE:
            raise _wrong("include", name, formats.INCLUDE)
    if include and format_ != "json":
        raise ApiError(400, "`include` needs the `response_format` json.", param="include")
    stream = (_one(form, "stream") or "false").lower()
    if stream not in ("true", "false", "1", "0"):
        raise _wrong("stream", stream, ("true", "false"))
    is_stream = stream in ("true", "1")
    if is_stream and format_ not in ("json", "text"):
        raise ApiError(400, "`stream` needs the `response_format` json or text.", param="stream")
    words = [word for phrase in _several(form, "keywords") for word in phrase.split()]
    return Options(
        format_,
        tuple(granularities) or ("segment",),
        frozenset(include),
        is_stream,
        _one(form, "language") or LANGUAGE,
        dict.fromkeys(words, BOOST),
    )


def _wrong(param: str, value: str, values: tuple[str, ...]) -> ApiError:
    return ApiError(400, f"`{param}` is {value[:50]!r}, but must be one of {', '.join(values)}.", param=param)


def _one(form: FormData, name: str) -> str:
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise ApiError(400, f"`{name}` must be text, not a file.", param=name)
    return value or ""


def _several(form: FormData, name: str) -> list[str]:
    """The values of a list, whose fields are named `name[]`."""
    values = [*form.getlist(f"{name}[]"), *form.getlist(name)]
    if any(isinstance(value, UploadFile) for value in values):
        raise ApiError(400, f"`{name}` must be text, not a file.", param=name)
    return [value for value in values if isinstance(value, str) and value]


class Transcriptions:
    """The endpoint."""

    def __init__(self, pool: Pool, limits: Limits, folder: Path, observer: Observer) -> None:
        """`folder`: where uploads are kept while they are transcribed."""
        self._pool, self._limits, self._folder, self._observer = pool, limits, folder, observer

    async def answer(self, request: Request) -> Response:
        """Answer a request. Raises ApiError if it is refused or fails."""
        self._pool.check_room()  # before the upload is read
        async with uploads.form(request, self._limits) as form:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise ApiError(400, "The field `file` with the recording is missing.", param="file")
            wanted = options(form)
            path = await uploads.save(upload, self._folder)
        job = Job(str(path), wanted.hot_words, self._limits.audio_s)
        if wanted.stream:
            words = self._words(job, path)
            first = await anext(words)  # so that a refusal is one, and not a stream
            return StreamingResponse(self._events(first, words, wanted), media_type="text/event-stream")
        return self._answer(await self._transcript(request, job, path), wanted)

    async def _transcript(self, request: Request, job: Job, path: Path) -> Transcript:
        """Wait for the transcript; leave the queue if the client does."""

        async def last() -> Transcript:
            async with aclosing(self._words(job, path)) as messages:
                async for message in messages:
                    if isinstance(message, Transcript):
                        return message
            raise AssertionError("a job ends with a transcript or an error")

        task = asyncio.create_task(last())
        try:
            while not (await asyncio.wait([task], timeout=GONE_S))[0]:
                if await request.is_disconnected():
                    raise ApiError(400, "The client went away.")
        finally:
            task.cancel()
        return await task

    async def _words(self, job: Job, path: Path) -> AsyncGenerator[list | Transcript]:
        """Yield lists of words, then the transcript. Raises ApiError if there is none."""
        try:
            async with aclosing(self._pool.run(job)) as messages:
                async for message in messages:
                    if isinstance(message, Failure):
                        raise ApiError(message.status, message.message, param="file" if message.status < 500 else None)
                    if isinstance(message, Transcript):
                        self._observer.audio(message.duration_s)
                        yield message
                    else:
                        yield list(message)  # type: ignore[call-overload]
        finally:
            path.unlink(missing_ok=True)

    def _answer(self, transcript: Transcript, wanted: Options) -> Response:
        if wanted.format == "json":
            return JSONResponse(formats.to_json(transcript, wanted.include))
        if wanted.format == "verbose_json":
            return JSONResponse(formats.to_verbose_json(transcript, wanted.granularities, wanted.language))
        text = formats.text_of(transcript, wanted.format)
        return PlainTextResponse(text, media_type=formats.MEDIA_TYPES[wanted.format])

    async def _events(
        self, first: list | Transcript, rest: AsyncIterator[list | Transcript], wanted: Options
    ) -> AsyncIterator[str]:
        """Server-sent events: a delta per stretch of words, then all of the text."""
        is_first = True
        try:
            message: list | Transcript | None = first
            event: dict[str, Any]
            while message is not None:
                if isinstance(message, Transcript):
                    event = {"type": "transcript.text.done"} | formats.to_json(message, wanted.include)
                else:
                    text = ("" if is_first else " ") + " ".join(word.text for word in message)
                    event = {"type": "transcript.text.delta", "delta": text} | formats.included(message, wanted.include)
                    is_first = False
                yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
                message = await anext(rest, None)
        except ApiError as error:
            yield f"event: error\ndata: {json.dumps(error.body())}\n\n"
        yield "data: [DONE]\n\n"
