"""The application: routes, keys and origins, and the answers to what goes wrong."""

import hmac
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr.parallel import cores
from asr.serve.errors import ApiError
from asr.serve.limits import Limits
from asr.serve.live import Live
from asr.serve.observe import Observer
from asr.serve.openapi import describe
from asr.serve.page import Page
from asr.serve.pool import Pool
from asr.serve.transcriptions import Transcriptions
from asr.serve.worker import Load
from asr.transcription.transcriber import Transcriber

OPEN_PATHS = ("/health",)
"""Paths that need no key, apart from those of the page."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use the server."""

    api_key: str | None = None
    """Key that clients must send as `Authorization: Bearer KEY`; None for none."""
    origins: Sequence[str] = ()
    """Web pages of other origins that may use the server, such as https://example.org."""


def make(
    transcriber: Transcriber,
    load: Load,
    *,
    workers: int,
    model_file: Path | None = None,
    limits: Limits | None = None,
    access: Access | None = None,
) -> Starlette:
    """Build the application.

    Args:
        transcriber: transcribes live audio, in threads of this process.
        load: opens the same model with one thread in each worker process, which transcribe files.
        workers: number of worker processes.
        model_file: the model, which browsers may load to run it themselves; None lets it run here only.
        limits: what clients may use.
        access: who may use the server.
    """
    limits, access = limits or Limits(), access or Access()
    name = transcriber.model.description.name
    page = Page(transcriber, model_file)
    pool = Pool(load, workers, limits)
    observer = Observer(pool)
    threads = ThreadPoolExecutor(cores(), thread_name_prefix="live")
    live = Live(transcriber, threads, limits, observer)
    folder = tempfile.TemporaryDirectory(prefix="asr-serve-")
    created = int(time.time())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.pool = pool
        pool.start()
        try:
            yield
        finally:
            await pool.close()
            threads.shutdown(wait=False, cancel_futures=True)
            folder.cleanup()

    def model() -> dict[str, object]:
        return {"id": name, "object": "model", "created": created, "owned_by": "asr"}

    def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model()]})

    def one_model(request: Request) -> Response:
        if request.path_params["name"] != name:
            raise ApiError(404, f"There is no model of that name: this server runs {name!r}.", code="model_not_found")
        return JSONResponse(model())

    def health(_request: Request) -> Response:
        status = "ok" if pool.ready else "starting"
        return JSONResponse({"status": status, "model": name, "workers": pool.ready}, 200 if pool.ready else 503)

    def metrics(_request: Request) -> Response:
        return Response(observer.text(), media_type="text/plain; version=0.0.4")

    def description(_request: Request) -> Response:
        return JSONResponse(describe(name, has_key=access.api_key is not None))

    routes = [
        Route(
            "/v1/audio/transcriptions",
            Transcriptions(pool, limits, Path(folder.name), observer).answer,
            methods=["POST"],
        ),
        Route("/v1/models", models),
        Route("/v1/models/{name}", one_model),
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/openapi.json", description),
        *page.routes,
        WebSocketRoute("/v1/audio/live", live.own),
        WebSocketRoute("/", live.vosk),
    ]
    middleware = [Middleware(_Observed, observer=observer)]
    if access.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(access.origins),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
            )
        )
    middleware.append(Middleware(_Guard, access=access, open_paths=page.open_paths.union(OPEN_PATHS)))
    return Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _unexpected},
    )


def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = ApiError(error.status_code, f"{error.detail}.").response()
    response.headers.update(error.headers or {})
    return response


def _unexpected(_request: Request, _error: Exception) -> Response:
    return ApiError(500, "The server met an unexpected error, which is in its log.").response()


class _Observed:
    """Counts and logs the requests."""

    def __init__(self, app: ASGIApp, observer: Observer) -> None:
        self._app, self._observer = app, observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = scope.get("route")
            path = route.path if route is not None else "other"
            self._observer.request(scope["method"], path, status, time.monotonic() - started)


class _Guard:
    """Refuses requests without the key, and those of web pages of other origins."""

    def __init__(self, app: ASGIApp, access: Access, open_paths: Collection[str]) -> None:
        self._app, self._access, self._open_paths = app, access, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (error := self._objection(HTTPConnection(scope))):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: answered by 403
            else:
                await error.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _objection(self, connection: HTTPConnection) -> ApiError | None:
        origin = connection.headers.get("origin")
        if origin is not None and origin not in self._access.origins:
            own = connection.headers.get("host", "")
            if origin.partition("://")[2] != own:
                return ApiError(403, "Web pages of other origins may not use this server (--allow-origin).")
        key = self._access.api_key
        is_open = connection.scope["type"] == "http" and connection.url.path in self._open_paths
        if key is None or is_open:
            return None
        scheme, _, sent = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            sent = connection.query_params.get("api_key", "")  # web pages cannot set the header of a WebSocket
        if hmac.compare_digest(sent.strip().encode(), key.encode()):
            return None
        return ApiError(401, "The API key is missing or wrong: send it as `Authorization: Bearer KEY`.")
