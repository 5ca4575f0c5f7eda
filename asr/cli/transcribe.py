"""`asr transcribe`."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import bar
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError
from asr.progress import Progress, silent
from asr.transcript.formats import FORMATS

if TYPE_CHECKING:
    from asr.models.session import Device
    from asr.transcript.transcript import Transcript
    from asr.transcription.inputs import Input
    from asr.transcription.transcriber import Channel, Transcriber
    from asr.transcription.workers import Load


class ChannelType(click.ParamType):
    """A channel number, counted from 1, or the word `split`."""

    name = "channel"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "split" or isinstance(value, int):
            return value
        if not value.isdecimal() or not int(value):
            self.fail(f"{value!r} is neither a channel number (1, 2, ...) nor the word split.", param, ctx)
        return int(value)


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUTS...")
@click.option("--model", help="An .onnx file or a shipped model.  [default: english]")
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    default=["txt"],
    show_default=True,
    help="Output format; may be repeated with --output-dir.",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write files to this folder, in the folder structure of the inputs, instead of printing; created if missing.",
)
@click.option(
    "--list",
    "listed",
    metavar="FILE",
    help='Also transcribe the paths listed in FILE, one per line; "-" reads the list from standard input.',
)
@click.option(
    "--resume", is_flag=True, help="With --output-dir: skip inputs whose outputs exist and are newer than the input."
)
@click.option(
    "--channel",
    type=ChannelType(),
    metavar="N|split",
    help="Transcribe channel N only, or `split`: every channel as one speaker.  [default: the mix of all channels]",
)
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Number of processes.  [default: one per core]"
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the model runs; cuda needs onnxruntime-gpu and a float model (not int8).",
)
@options.decoding
def transcribe(
    inputs: tuple[str, ...],
    *,
    model: str | None,
    formats: tuple[str, ...],
    output_dir: Path | None,
    listed: str | None,
    resume: bool,
    channel: "Channel",
    workers: int | None,
    device: "Device",
    decoding: DecodingOptions,
) -> None:
    """Transcribe audio and video files.

    INPUTS are files, folders (searched recursively), patterns such as "calls/**/*.mp3", or "-" for standard input. Any
    format that libsndfile or FFmpeg can read, at any sample rate and of any length. The text is lower case without
    punctuation. Decoding uses the settings tuned by `asr tune`; a model without them is decoded greedily.

    If a file cannot be read, the error is reported, the other files are still transcribed, and the exit status is 1.

    \b
    Example:
      asr transcribe interviews --format srt --format txt --output-dir text --resume
    """
    from functools import partial

    from asr import models
    from asr.parallel import cores
    from asr.transcription import outputs
    from asr.transcription.inputs import expand
    from asr.transcription.transcriber import open_transcriber

    if not inputs and listed is None:
        raise click.UsageError("There is nothing to transcribe: give files, folders, or a list of paths with --list.")
    recordings = expand(inputs, listed)
    if output_dir is None and (resume or len(formats) > 1 or (len(recordings) > 1 and formats != ("txt",))):
        raise click.UsageError(
            "Only one text format can go to standard output, and --resume needs files: use --output-dir."
        )
    open_model = partial(
        open_transcriber, models.find(models.DEFAULT if model is None else model), decoding, device=device
    )
    transcriber = open_model(threads=cores())
    if transcriber.decoder.remark:
        click.echo(f"Note: {transcriber.decoder.remark}", err=True)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
    pending = [r for r in recordings if not (resume and output_dir and outputs.is_done(r, output_dir, formats))]
    run = _sequential(transcriber, pending, channel)
    if len(pending) > 1 and workers != 1 and all(recording.source != "-" for recording in pending):
        run = _parallel(partial(open_model, threads=1), pending, workers, channel)

    started = time.monotonic()
    failed, transcribed_s = 0, 0.0
    with bar(real_time=True) as shown:
        progress = _total_progress(pending, shown if shown.is_drawn else silent)
        for recording, result in _ordered(run(progress), pending, output_dir is None):
            try:
                if isinstance(result, AsrError):
                    raise result
                transcribed_s += result.duration_s
                for line in _write(recording, result, formats, output_dir, len(recordings) > 1):
                    shown.print(line)
                if not result.words and (threshold := transcriber.decoder.min_confidence):
                    name = click.format_filename(recording.source)
                    reason = f"no words with a confidence of {threshold:g} or more"
                    shown.print(f"Note: {name}: {reason}; --min-confidence 0 shows all words.\n", err=True)
            except AsrError as error:
                failed += 1
                shown.print(f"Error: {error}\n", err=True)
    if len(recordings) > 1:
        skipped = len(recordings) - len(pending)
        click.echo(_summary(len(pending) - failed, failed, skipped, transcribed_s, started), err=True)
    if failed:
        sys.exit(1)


Results = Iterator[tuple[int, "Transcript | AsrError"]]
"""Index of the recording and its result, in the order in which they are finished."""


def _sequential(
    transcriber: "Transcriber", recordings: Sequence["Input"], channel: "Channel"
) -> Callable[[Progress], Results]:
    """Transcribe in this process: no start-up cost, and the windows of a long recording run in parallel threads."""

    def run(progress: Progress) -> Results:
        for index, recording in enumerate(recordings):
            try:

                def by_source(_task: str, done: float, total: float | None, source: str = recording.source) -> None:
                    progress(source, done, total)

                yield index, transcriber.transcribe(recording.source, channel=channel, progress=by_source)
            except AsrError as error:
                yield index, error

    return run


def _parallel(
    load: "Load", recordings: Sequence["Input"], workers: int | None, channel: "Channel"
) -> Callable[[Progress], Results]:
    """Transcribe in several processes with one thread each."""
    from asr.parallel import cores
    from asr.transcription.workers import transcribe_all

    count = min(workers or cores(), len(recordings))
    sources = [recording.source for recording in recordings]
    return lambda progress: transcribe_all(sources, load, workers=count, channel=channel, progress=progress)


def _ordered(
    results: Results, recordings: Sequence["Input"], keep_order: bool
) -> "Iterator[tuple[Input, Transcript | AsrError]]":
    """Yield each recording with its result, in the order of the recordings if `keep_order`, else as they finish."""
    waiting: dict[int, Transcript | AsrError] = {}
    next_index = 0
    for index, result in results:
        if not keep_order:
            yield recordings[index], result
            continue
        waiting[index] = result
        while next_index in waiting:
            yield recordings[next_index], waiting.pop(next_index)
            next_index += 1


def _write(
    recording: "Input", transcript: "Transcript", formats: Sequence[str], output_dir: Path | None, label: bool
) -> Iterator[str]:
    """Write the output files, if there is a folder for them, and yield the lines to print."""
    from asr.transcription import outputs

    if output_dir is None:
        yield (f"{click.format_filename(recording.source)}: " if label else "") + transcript.to(formats[0])
        return
    for target in outputs.write_all(transcript, recording, output_dir, formats):
        yield f"{click.format_filename(target)}\n"


def _summary(done: int, failed: int, skipped: int, transcribed_s: float, started: float) -> str:
    from datetime import timedelta

    elapsed_s = time.monotonic() - started
    audio, elapsed = (timedelta(seconds=round(seconds)) for seconds in (transcribed_s, elapsed_s))
    parts = [f"{done} file{'' if done == 1 else 's'}, {audio} h of audio in {elapsed} h"]
    if transcribed_s:
        parts[0] += f", {transcribed_s / max(elapsed_s, 1e-3):.0f} times real time"
    parts += [f"{skipped} already done and skipped"] if skipped else []
    parts += [f"{failed} failed"] if failed else []
    return "; ".join(parts) + "."


def _total_progress(recordings: Sequence["Input"], shown: Progress) -> Progress:
    """A `Progress` that is called with the source of a recording as its task and reports the sum over all of them."""
    total_s = sum(_duration_s(recording.source) for recording in recordings) if shown is not silent else 0.0
    done_s: dict[str, float] = {}

    def progress(source: str, seconds: float, _total_s: float | None) -> None:
        done_s[source] = seconds
        shown("transcribing", sum(done_s.values()), total_s)

    return progress


def _duration_s(source: str) -> float:
    """The duration of a recording in seconds, from its header; a guess for a stream, 0 if it cannot be read."""
    from asr import audio

    try:
        is_stream = source == "-" or Path(source).is_fifo()  # reading the header would consume it
        return 60.0 if is_stream else audio.duration_s(Path(source))
    except AsrError:
        return 0.0
