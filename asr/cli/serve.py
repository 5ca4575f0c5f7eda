"""`asr serve`."""

import ipaddress
import logging
from functools import partial

import click

from asr.cli import options
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError, MissingExtra

GRACE_S = 60
"""Longest time that work in flight is given when the server is to stop."""
MAX_MESSAGE_BYTES = 1 << 20
"""Largest message of a WebSocket: half a minute of audio."""


@click.command()
@options.model
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need an API key.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="Port; 0 chooses one.")
@click.option(
    "--api-key",
    envvar="ASR_API_KEY",
    show_envvar=True,
    metavar="KEY",
    help="Key that clients must send as a bearer token; better given in the environment, where no other user sees it.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let web pages of ORIGIN, such as https://example.org, use the server; may be repeated.  [default: none]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes that transcribe files.  [default: one per core]",
)
@click.option(
    "--max-waiting", type=click.IntRange(min=1), default=64, show_default=True, help="Most requests that wait."
)
@click.option("--max-live", type=click.IntRange(min=0), default=16, show_default=True, help="Most live streams.")
@click.option(
    "--max-upload",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="MIB",
    help="Largest upload in MiB.",
)
@click.option(
    "--max-audio",
    type=click.FloatRange(min=1),
    default=14_400,
    show_default=True,
    metavar="S",
    help="Longest recording in seconds.",
)
@options.max_memory
@options.timeout
@options.decoding
def serve(
    *,
    model: str | None,
    host: str,
    port: int,
    api_key: str | None,
    origins: tuple[str, ...],
    workers: int | None,
    max_waiting: int,
    max_live: int,
    max_upload: int,
    max_audio: float,
    memory_gib: float,
    step_s: float,
    decoding: DecodingOptions,
) -> None:
    """Serve OpenAI's transcription interface, live audio, and a page to speak to.

    The page is at http://HOST:PORT. Clients of OpenAI's interface use http://HOST:PORT/v1 as their base URL, those of
    the Vosk server ws://HOST:PORT. The server has one model, whatever name a request gives. Needs the extra `serve`.

    A line of JSON is logged per request, without what was spoken. SIGTERM and Ctrl-C finish the work in flight.

    \b
    Example:
      asr serve --port 8000
    """
    try:
        import uvicorn

        from asr.serve import app
        from asr.serve.limits import Limits
    except ModuleNotFoundError as error:
        raise MissingExtra("`asr serve`", "serve", (error.name or "").partition(".")[0]) from None
    from asr import models
    from asr.parallel import cores
    from asr.transcription import processes
    from asr.transcription.transcriber import open_transcriber

    if not api_key and not _is_local(host):
        raise AsrError(
            f"Other computers could use the server at {host}: give a key that they must send (--api-key, or "
            "ASR_API_KEY in the environment), or listen on 127.0.0.1."
        )
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    path = models.find(model)
    load = partial(open_transcriber, path, decoding, threads=1)
    limits = Limits(
        upload_bytes=max_upload * 2**20,
        audio_s=max_audio,
        waiting=max_waiting,
        live=max_live,
        recording=processes.Limits(memory_gib, step_s),
    )
    access = app.Access(api_key=api_key or None, origins=origins)
    application = app.make(load(), load, workers=workers or cores(), model_file=path, limits=limits, access=access)
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws="websockets-sansio",
        server_header=False,
    )
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen(config.backlog)  # who reads the next line can connect, and is answered once all has started
    address = f"[{host}]" if ":" in host else host
    click.echo(f"Serving at http://{address}:{listening.getsockname()[1]}; Ctrl-C ends.", err=True)
    server.run(sockets=[listening])
    if not server.started:
        raise AsrError("The server could not start: see its log.")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
