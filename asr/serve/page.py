"""The page at `/`: its files, and what runs the model in the browser instead of here."""

import functools
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asr.decoding import build, decoder
from asr.decoding.beam.search import BeamSearch
from asr.decoding.live import Rules
from asr.decoding.options import BOOST
from asr.decoding.phone_search import PhoneSearch
from asr.lm.ngram import Ngram
from asr.models import rewrite
from asr.pages import onnxruntime_web
from asr.pages.assemble import PAGES
from asr.serve.errors import ApiError
from asr.transcript import subtitles
from asr.transcript.words import PAUSE_MS
from asr.transcription import windows
from asr.transcription.transcriber import Transcriber

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing but what this server has, and no script or style inside the HTML."""
HEADERS = {
    "Cache-Control": "no-cache",  # asks each time whether it has changed, which costs no transfer
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

NOT_HERE = ApiError(404, "This server does not let the model run in the browser.")
ALIGNMENT = 128
"""Bytes before the arrays of a language model."""
COMPRESSION = 1
"""Level of gzip for a language model, which has to be compressed when it is first asked for."""


@dataclass(frozen=True)
class _File:
    """A file in memory."""

    content: bytes
    media_type: str
    encoding: str | None = None

    @functools.cached_property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        headers = HEADERS | {"ETag": self.tag}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if self.encoding:
            headers["Content-Encoding"] = self.encoding
        return Response(self.content, media_type=self.media_type, headers=headers)


class Page:
    """The page. All its files are in memory: names that clients send are looked up, and never used as paths."""

    def __init__(self, transcriber: Transcriber, model: Path | None) -> None:
        """`model`: the file that runs in the browser; None lets it run here only."""
        paths = [PAGES / "style.css", PAGES / "shared.js", *sorted((PAGES / "serve").glob("*"))]
        self._files = {path.name: _File(path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in paths}
        self._runs_in_browser = model is not None and onnxruntime_web.is_installed()
        if self._runs_in_browser:
            for name in onnxruntime_web.FILES:
                content = (onnxruntime_web.FOLDER / f"{name}.gz").read_bytes()
                self._files[name] = _File(content, MEDIA_TYPES[Path(name).suffix], "gzip")
        self._model, self._transcriber = model, transcriber

    @property
    def open_paths(self) -> frozenset[str]:
        """Paths that need no key, because they are the same on all servers."""
        return frozenset(["/", *(f"/page/{name}" for name in self._files)])

    @property
    def routes(self) -> Sequence[Route]:
        """The routes. What is below `/page` is for the page only, and may change."""
        return [
            Route("/", self._page, include_in_schema=False),
            Route("/page/settings.json", self._settings, include_in_schema=False),
            Route("/page/model.onnx", self._onnx, include_in_schema=False),
            Route("/page/language_model", self._language_model, include_in_schema=False),
            Route("/page/{name}", self._file, include_in_schema=False),
        ]

    def _page(self, request: Request) -> Response:
        return self._files["page.html"].answer(request)

    def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            raise ApiError(404, "Not Found.")
        return self._files[name].answer(request)

    def _settings(self, request: Request) -> Response:
        found = settings(self._transcriber) | {"runs_in_browser": self._runs_in_browser}
        if self._runs_in_browser:
            found["downloads"] = {"model": len(self._stripped.content), "language_model": self._language_model_size}
        return _File(json.dumps(found).encode(), "application/json").answer(request)

    def _onnx(self, request: Request) -> Response:
        if not self._runs_in_browser:
            raise NOT_HERE
        return self._stripped.answer(request)

    def _language_model(self, request: Request) -> Response:
        if not self._runs_in_browser or not self._language_model_size:
            raise NOT_HERE
        return self._packed.answer(request)

    @functools.cached_property
    def _stripped(self) -> _File:
        """The model without its metadata: the language model in them is the larger half of it."""
        assert self._model is not None
        return _File(rewrite.with_metadata(self._model, {}), "application/octet-stream")

    @functools.cached_property
    def _language_model_size(self) -> int:
        ngram = ngram_of(self._transcriber)
        return 0 if ngram is None else sum(memoryview(part).nbytes for part in packed(ngram))

    @functools.cached_property
    def _packed(self) -> _File:
        ngram = ngram_of(self._transcriber)
        assert ngram is not None
        content = gzip.compress(b"".join(packed(ngram)), COMPRESSION, mtime=0)
        return _File(content, "application/octet-stream", "gzip")


def ngram_of(transcriber: Transcriber) -> Ngram | None:
    """The language model that the search in the browser uses; None for none."""
    search = _by_letters(transcriber)
    return None if search is None else search.ngram


def _by_letters(transcriber: Transcriber) -> BeamSearch | None:
    """The beam search in the browser, which is over letters; None if it decodes greedily."""
    search = transcriber.decoder.search
    if isinstance(search, PhoneSearch):
        return search.by_letters()
    return search if isinstance(search, BeamSearch) else None


def packed(ngram: Ngram) -> Sequence[bytes | memoryview]:
    """A language model as `ngram.js` reads it; the suffixes, which can be computed, are left out."""
    trie = ngram.trie
    header = json.dumps({"start": ALIGNMENT, "nodes": len(trie.word), "contexts": len(trie.backoff)}).encode()
    assert len(header) < ALIGNMENT
    arrays = (trie.word, trie.log_prob, trie.backoff, trie.first_child)
    words = "\n".join(ngram.words).encode()
    return [header + b"\n" * (ALIGNMENT - len(header)), *(array.data for array in arrays), words]


def settings(transcriber: Transcriber) -> dict[str, Any]:
    """What the page has to know of the model, and of how Python runs it, so that a browser runs it alike."""
    description = transcriber.model.description
    tokenizer = json.loads(description.tokenizer.to_json())
    search = _by_letters(transcriber)
    used = build.hot_word_search(description) if search is None else search
    return {
        "name": description.name,
        "about": transcriber.decoder.about,
        "sample_rate": description.sample_rate,
        "frame_shift_s": description.frame_shift_s,
        "lowest_level_db": description.lowest_level_db,
        "tokenizer": {key: tokenizer[key] for key in ("type", "alphabet", "pieces") if key in tokenizer},
        "temperature": transcriber.decoder.temperature,
        "min_confidence": transcriber.decoder.min_confidence,
        "is_greedy": search is None,
        "is_by_phones": isinstance(transcriber.decoder.search, PhoneSearch),
        "search": asdict(used.options),
        "log_prior": used.log_prior.tolist(),
        "boost": BOOST,
        "segment_frames": decoder.LIMIT,
        "files": asdict(windows.DEFAULT),
        "live": asdict(windows.LIVE),
        "rules": asdict(Rules()),
        "level_segment_s": windows.SEGMENT_S,
        "silent_log_prob": windows.SILENT_LOG_PROB,
        "pause_ms": PAUSE_MS,
        "subtitles": {
            "characters_per_s": subtitles.CHARACTERS_PER_S,
            "min_cue_ms": subtitles.MIN_CUE_MS,
            "max_cue_ms": subtitles.MAX_CUE_MS,
            "gap_ms": subtitles.GAP_MS,
            "two_frames_ms": subtitles.TWO_FRAMES_MS,
            "after_comma": subtitles.AFTER_COMMA,
            "short_word": subtitles.SHORT_WORD,
            **asdict(subtitles.STANDARD),
        },
    }
