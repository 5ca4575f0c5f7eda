"""`asr transcribe`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import Bar, bar
from asr.cli.transcripts import Printer, Writer
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError, printable

if TYPE_CHECKING:
    from asr.models.session import Device
    from asr.transcript.words import Word
    from asr.transcription.inputs import Input
    from asr.transcription.transcriber import Channel
    from asr.transcription.workers import OnWords


LOG = logging.getLogger("asr")


def configure_logging(*, quiet: bool, verbose: bool) -> None:
    """Print log records on standard error: notes, with `verbose` details, with `quiet` neither."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers, LOG.propagate = [handler], False
    LOG.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


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
@click.argument("inputs", nargs=-1, metavar="INPUTS...", type=options.FileType())
@options.model
@click.option(
    "-f",
    "--format",
    "formats",
    type=options.FormatType(several=True),
    multiple=True,
    default=["txt"],
    show_default=True,
    help="Output format; with --output-dir it may be repeated, or be a list with commas.",
)
@click.option(
    "-o",
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
    "--track",
    type=click.IntRange(min=1),
    metavar="N",
    help="Transcribe audio track N of videos that have several.  [default: the main one]",
)
@click.option(
    "--workers",
    "processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes.  [default: one per core, for several long recordings]",
)
@click.option(
    "--times/--no-times",
    default=None,
    help="Print the time of each phrase before it.  [default: on a terminal]",
)
@click.option(
    "--max-line-width",
    type=click.IntRange(min=10),
    default=42,
    show_default=True,
    metavar="N",
    help="Characters on a line of subtitles (srt, vtt, tsv).",
)
@click.option(
    "--max-lines", type=click.IntRange(1, 3), default=2, show_default=True, help="Lines of a subtitle (srt, vtt, tsv)."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the model runs; cuda needs onnxruntime-gpu and a float model (not int8).",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only, besides the text.")
@click.option("-v", "--verbose", is_flag=True, help="Print details of the audio and the decoding.")
@options.decoding
def transcribe(
    inputs: tuple[str, ...],
    *,
    model: str | None,
    formats: list[str],
    output_dir: Path | None,
    listed: str | None,
    resume: bool,
    channel: "Channel",
    track: int | None,
    processes: int | None,
    times: bool | None,
    max_line_width: int,
    max_lines: int,
    device: "Device",
    quiet: bool,
    verbose: bool,
    decoding: DecodingOptions,
) -> None:
    """Transcribe audio and video files.

    INPUTS are files, folders (searched recursively), patterns such as "calls/**/*.mp3", or "-" for standard input. Any
    format that libsndfile or FFmpeg can read, at any sample rate and of any length. The text is lower case without
    punctuation. Decoding uses the settings tuned by `asr tune`; a model without them is decoded greedily.

    The text appears as it is recognised, a line per phrase. Files in --output-dir are named NAME.partial.FORMAT until
    they are complete, so that an interrupted run loses nothing; the same command with --resume completes it.

    If a file cannot be read, the error is reported, the other files are still transcribed, and the exit status is 1.

    \b
    Example:
      asr transcribe interviews --format srt --format txt --output-dir text --resume
    """
    from functools import partial

    from asr import models
    from asr.parallel import cores
    from asr.transcript.subtitles import Layout
    from asr.transcription import outputs, workers
    from asr.transcription.inputs import expand
    from asr.transcription.transcriber import open_transcriber

    if not inputs and listed is None:
        raise click.UsageError("There is nothing to transcribe: give files, folders, or a list of paths with --list.")
    formats = list(dict.fromkeys(name for names in formats for name in names))
    configure_logging(quiet=quiet, verbose=verbose)
    recordings = expand(inputs, listed)
    if output_dir is None and (resume or len(formats) > 1 or (len(recordings) > 1 and list(formats) != ["txt"])):
        raise click.UsageError(
            "Only one text format can go to standard output, and --resume needs files: use --output-dir."
        )
    failed = [recording for recording in recordings if recording.problem]
    for recording in failed:
        click.echo(f"Error: {printable(recording.problem)}", err=True)
    usable = [recording for recording in recordings if not recording.problem]
    if not usable:
        sys.exit(1)
    open_model = partial(open_transcriber, models.find(model), decoding, device=device)
    transcriber = open_model(threads=cores())
    if transcriber.decoder.remark and not quiet:
        click.echo(f"Note: {transcriber.decoder.remark}", err=True)
    LOG.info("Model: %s. Decoding: %s.", transcriber.model.description.name, transcriber.decoder.about)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
    pending = [r for r in usable if not (resume and output_dir and outputs.is_done(r, output_dir, formats))]
    sources = [recording.source for recording in pending]
    layout = Layout(max_line_width, max_lines)
    with bar(real_time=True, hidden=quiet) as shown:
        sink: Printer | Writer
        if output_dir is None:
            label, live = len(recordings) > 1, channel != "split"
            sink = Printer(shown, pending, formats[0], label=label, times=times, live=live, layout=layout)
        else:
            sink = Writer(shown, pending, formats, output_dir, transcriber.model.description.name, layout=layout)
        sink.min_confidence = 0.0 if quiet else transcriber.decoder.min_confidence
        selection: dict[str, Any] = {"channel": channel, "track": track}
        on_words = _with_progress(sink.add, pending, shown)
        if processes == 1 or not _is_worth_processes(sources):
            results = workers.in_this_process(sources, transcriber, **selection, on_words=on_words)
        else:
            load, count = partial(open_model, threads=1), processes or cores()
            results = workers.transcribe_all(sources, load, workers=count, **selection, on_words=on_words)
        sink.run(results)
    if len(recordings) > 1 and not quiet:
        click.echo(sink.summary(skipped=len(usable) - len(pending), failed=len(failed)), err=True)
    if failed or sink.failed:
        sys.exit(1)


WORTH_S = 300.0
"""Audio, in seconds, from which on starting processes is worth the second that it takes."""
WORTH_FILES = 200
"""Number of files, likewise."""


def _is_worth_processes(sources: Sequence[str]) -> bool:
    """Whether the recordings together are long enough for processes of their own; standard input is read here."""
    if len(sources) < 2 or "-" in sources:
        return False
    return len(sources) > WORTH_FILES or sum(map(_duration_s, sources)) > WORTH_S


def _with_progress(add: "OnWords", recordings: Sequence["Input"], shown: Bar) -> "OnWords":
    """Show the progress of all recordings as one bar whenever there are words."""
    total_s = sum(_duration_s(recording.source) for recording in recordings) if shown.is_drawn else 0.0
    done_s_of: dict[int, float] = {}

    def on_words(index: int, words: "Sequence[Word]", done_s: float) -> None:
        done_s_of[index] = done_s
        shown("transcribing", sum(done_s_of.values()), total_s)
        add(index, words, done_s)

    return on_words


def _duration_s(source: str) -> float:
    """The duration of a recording in seconds, from its header; a guess for a stream, 0 if it cannot be read."""
    from asr import audio

    try:
        is_stream = source == "-" or Path(source).is_fifo()  # reading the header would consume it
        return 60.0 if is_stream else audio.duration_s(Path(source))
    except AsrError:
        return 0.0
