"""`asr listen`."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, cast

import click

from asr.cli import options
from asr.cli.live_output import Files, JsonLines, Lines, Terminal
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError

if TYPE_CHECKING:
    from io import BufferedReader

    from asr.audio.live_input import PcmFormat
    from asr.transcription.transcriber import Transcriber

PIPE_BYTES = 1 << 14
"""Most bytes that are read from a pipe at once: half a second."""
PIPE_BLOCKS = 8
"""Most blocks of a pipe that wait to be transcribed; beyond them the other program waits."""
POLL_S = 0.2
"""Time between two looks at whether to stop."""


@click.command()
@click.argument("source", required=False, type=click.Choice(["-"]), metavar="[-]")
@options.model
@click.option(
    "--device", metavar="NAME|NUMBER|list", help="Microphone to use, or `list` to show all.  [default: the system's]"
)
@click.option(
    "--rate",
    type=click.IntRange(1_000, 768_000),
    default=16_000,
    show_default=True,
    metavar="HZ",
    help="Sample rate of raw samples on standard input.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="Also write the text to this file as it grows; its suffix says in which format: .txt, .srt, .vtt, .json, ...",
)
@click.option("--json", "as_json", is_flag=True, help="Print every update as a line of JSON, tentative words included.")
@click.option(
    "--silence",
    "silence_s",
    type=click.FloatRange(0.2, 60),
    default=1.2,
    show_default=True,
    metavar="S",
    help="Seconds without a word that end an utterance.",
)
@options.decoding
def listen(
    source: str | None,
    *,
    model: str | None,
    device: str | None,
    rate: int,
    outputs: tuple[Path, ...],
    as_json: bool,
    silence_s: float,
    decoding: DecodingOptions,
) -> None:
    """Transcribe a microphone, or standard input, while it is spoken.

    With "-", audio is read from standard input: WAV, or raw 16-bit samples of one channel. Without it, from the
    microphone, which needs the extra `live`.

    On a terminal, words that may still change are dim. Elsewhere a line is printed at the end of each phrase; with
    --json, every update is, as an object with `words` (final, never change), `tail` (tentative, instead of the last
    one), `ends_utterance` and `time_s`. Ctrl-C ends the recording, and nothing that was said before is lost.

    \b
    Example:
      asr listen --output talk.srt
    """
    from asr import models
    from asr.audio import microphone
    from asr.audio.live_input import PcmFormat
    from asr.transcription.transcriber import open_transcriber

    if device == "list":
        click.echo(microphone.devices())
        return
    for path in outputs:
        options.check_output(path)
    files = Files(outputs)
    if source is None and device is None and sys.stdin is not None and not sys.stdin.isatty():
        click.echo('Note: Listening to the microphone; give "-" to read standard input.', err=True)
    transcriber = open_transcriber(models.find(model), decoding)
    if transcriber.decoder.remark:
        click.echo(f"Note: {transcriber.decoder.remark}", err=True)
    display = JsonLines() if as_json else Terminal() if sys.stdout is not None and sys.stdout.isatty() else Lines()
    with ExitStack() as stack:
        stop = stack.enter_context(_stopping())
        opened = _pipe(PcmFormat(sample_rate=rate)) if source == "-" else _microphone(device, transcriber)
        sample_rate, blocks = stack.enter_context(opened)
        stream = transcriber.stream(sample_rate, silence_s=silence_s)
        failure: AsrError | None = None
        updates = _updates(stream, blocks, stop)
        try:
            for update in updates:
                display.show(update)
                files.add(update)
        except AsrError as error:
            failure = error
        display.close()
        files.finish(transcriber.model.description.name, stream.duration_s)
        for path in outputs:
            click.echo(f"Written: '{click.format_filename(path)}'.", err=True)
    if failure is not None:
        raise failure


def _updates(stream: Any, blocks: Queue[Any], stop: threading.Event) -> Iterator[Any]:
    """Yield updates until the audio ends, or it is to stop; then those of what was recorded until then."""
    failure = None
    while True:
        try:
            block = blocks.get(timeout=POLL_S)
        except Empty:
            if stop.is_set():
                break
            continue
        if isinstance(block, AsrError):
            failure = block
        if block is None or failure is not None:
            break
        yield from stream.updates(block)
    yield from stream.finish()
    if failure is not None:
        raise failure


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that they interrupt nothing; SIGTERM ends the program afterwards."""
    event = threading.Event()
    received: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if event.is_set():  # the second time, end at once
            raise KeyboardInterrupt
        received.append(number)
        event.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGTERM in received:
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def _microphone(device: str | None, transcriber: "Transcriber") -> Iterator[tuple[int, Queue[Any]]]:
    from asr.audio import microphone

    blocks: Queue[Any] = Queue()
    with microphone.opened(device, transcriber.model.description.sample_rate, blocks.put) as rate:
        click.echo("Listening; Ctrl-C ends.", err=True)
        yield rate, blocks


@contextmanager
def _pipe(raw: "PcmFormat") -> Iterator[tuple[int, Queue[Any]]]:
    """Read standard input in a thread."""
    from asr.audio.live_input import PcmStream

    if sys.stdin is None:
        raise AsrError("Standard input is closed: pipe audio into `asr listen -`.")
    pipe = cast("BufferedReader", sys.stdin.buffer)
    stream = PcmStream(lambda: pipe.read1(PIPE_BYTES), raw, "Standard input")
    blocks: Queue[Any] = Queue(PIPE_BLOCKS)
    threading.Thread(target=_read, args=(stream.blocks, blocks), daemon=True).start()
    yield stream.format.sample_rate, blocks


def _read(read: Callable[[], Iterator[Any]], blocks: Queue[Any]) -> None:
    try:
        for block in read():
            blocks.put(block)
        blocks.put(None)
    except OSError as error:
        blocks.put(AsrError(f"Standard input cannot be read to its end ({error.strerror or error})."))
