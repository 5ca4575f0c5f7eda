"""`asr transcribe`."""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import Bar, bar
from asr.cli.transcripts import Printer, Writer
from asr.decoding.options import DecodingOptions
from asr.errors import message_of
from asr.readable.options import WritingOptions

if TYPE_CHECKING:
    from asr.errors import AsrError
    from asr.models.session import Device
    from asr.transcript.transcript import Transcript
    from asr.transcript.words import Word
    from asr.transcription.inputs import Input
    from asr.transcription.processes import Limits
    from asr.transcription.transcriber import Channel, Transcriber
    from asr.transcription.workers import Opened


LOG = logging.getLogger("asr")


def configure_logging(*, quiet: bool, verbose: bool) -> None:
    """Print log records on standard error: notes, with `verbose` details, with `quiet` neither."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers, LOG.propagate = [handler], False
    LOG.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)


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
@options.channel
@options.track
@click.option(
    "--workers",
    "processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes.  [default: one per core, for several long recordings]",
)
@options.plain
@options.numbers
@options.max_memory
@options.timeout
@click.option(
    "--times/--no-times",
    default=None,
    help="Print the time of each phrase before it.  [default: on a terminal]",
)
@options.max_line_width
@options.max_lines
@options.device
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
    plain: bool,
    numbers: bool,
    memory_gib: float,
    step_s: float,
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
    format that libsndfile or FFmpeg can read, at any sample rate and of any length. Decoding uses the settings tuned by
    `asr tune`; a model without them is decoded greedily.

    The text of English models has punctuation, capitals, and numbers in digits, and hot words keep the capitals that
    they are given. JSON has the spoken words, too, and CTM only them. For scores use --plain.

    The text appears as it is recognised, a line per sentence or phrase. Files in --output-dir are named
    NAME.partial.FORMAT until they are complete, so that an interrupted run loses nothing; the same command with
    --resume completes it.

    If a file cannot be read, the error is reported, the other files are still transcribed, and the exit status is 1;
    the same holds if it takes too long or too much memory, or crashes a decoder.

    \b
    Example:
      asr transcribe interviews --format srt --format txt --output-dir text --resume
    """
    from functools import partial

    from asr import models
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
    usable = [recording for recording in recordings if not recording.problem]
    _report_problems(failed)
    if not usable:
        sys.exit(1)
    path = models.find(model)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
    done = {r for r in usable if resume and output_dir and outputs.is_done(r, output_dir, formats)}
    pending = [recording for recording in usable if recording not in done]
    if output_dir is not None:
        outputs.clean(done, pending, output_dir)
    sources = [recording.source for recording in pending]
    layout = Layout(max_line_width, max_lines)
    with bar(real_time=True, hidden=quiet) as shown:
        sink: Printer | Writer
        if output_dir is None:
            label, live = len(recordings) > 1, channel != "split"
            sink = Printer(shown, pending, formats[0], label=label, times=times, live=live, layout=layout)
        else:
            sink = Writer(shown, pending, formats, output_dir, layout=layout)

        progress = Progress(shown, sources)

        def on_open(opened: workers.Opened) -> None:
            if opened.remark and not quiet:
                shown.print(f"Note: {opened.remark}\n", err=True)
            LOG.info("Model: %s. Decoding: %s.", opened.model, opened.decoding)
            sink.model, sink.min_confidence = opened.model, 0.0 if quiet else opened.min_confidence

        def on_words(index: int, words: "Sequence[Word]", done_s: float) -> None:
            progress.add(index, done_s)
            sink.add(index, words, done_s)

        results = _transcribed(
            sources,
            partial(
                open_transcriber,
                path,
                decoding,
                device=device,
                written=WritingOptions(plain=plain, numbers=numbers),
            ),
            processes,
            workers.Limits(memory_gib, step_s),
            on_open,
            on_duration=progress.measured if shown.is_drawn else None,
            on_words=on_words,
            channel=channel,
            track=track,
        )
        sink.run(results)
    if len(recordings) > 1 and not quiet:
        click.echo(sink.summary(skipped=len(done), failed=len(failed)), err=True)
    if failed or sink.failed:
        sys.exit(1)


def _report_problems(recordings: "Sequence[Input]") -> None:
    for recording in recordings:
        click.echo(f"Error: {message_of(recording.problem)}", err=True)


def _transcribed(  # noqa: PLR0917
    sources: Sequence[str],
    open_model: "Callable[..., Transcriber]",
    processes: int | None,
    limits: "Limits",
    on_open: "Callable[[Opened], None]",
    on_duration: Callable[[int, float], None] | None,
    **how: Any,
) -> "Iterable[tuple[int, Transcript | AsrError]]":
    """Transcribe in one or several processes next to this one, or, where that takes long to start, in this one."""
    from functools import partial

    from asr.parallel import cores
    from asr.transcription import workers

    count = min(processes or cores(), len(sources)) if _is_worth_processes(sources) else 1
    method = "fork" if workers.can_fork() else "spawn"
    if "-" in sources or (count == 1 and method == "spawn"):
        transcriber = open_model(threads=cores())
        on_open(workers.opened(transcriber))
        return workers.in_this_process(sources, transcriber, **how)
    load = partial(open_model, threads=cores() if count == 1 else 1)
    how |= {"limits": limits, "method": method, "on_open": on_open, "on_duration": on_duration}
    return workers.transcribe_all(sources, load, workers=count, **how)


WORTH_BYTES = 5e6
"""Size of the recordings, five minutes of MP3, from which on several processes are worth their start and memory."""
WORTH_FILES = 200
"""Number of files, likewise."""


def _is_worth_processes(sources: Sequence[str]) -> bool:
    """Whether the recordings together are long enough to be shared by several processes."""
    if len(sources) < 2 or "-" in sources:
        return False
    return len(sources) > WORTH_FILES or sum(map(_size, sources)) > WORTH_BYTES


def _size(source: str) -> int:
    """The size of a file in bytes; 0 if there is none."""
    try:
        return Path(source).stat().st_size
    except (OSError, ValueError):
        return 0


class Progress:
    """Shows the progress of all recordings as one bar.

    Those that have not been opened are expected to be as long for their size as those that have.
    """

    def __init__(self, shown: Bar, sources: Sequence[str]) -> None:
        self.shown, self.sources = shown, sources
        self.sizes = [_size(source) for source in sources] if shown.is_drawn else []
        self.durations_s: dict[int, float] = {}
        self.done_s: dict[int, float] = {}

    def measured(self, index: int, duration_s: float) -> None:
        """Take the duration of a recording."""
        self.durations_s[index] = duration_s

    def add(self, index: int, done_s: float) -> None:
        """Take the seconds transcribed of a recording so far."""
        if not self.shown.is_drawn:
            return
        self.done_s[index] = done_s
        known_s = sum(self.durations_s.values())
        known = sum(self.sizes[index] for index in self.durations_s)
        total_s = known_s * max(1.0, sum(self.sizes) / known) if known else 0.0
        self.shown("transcribing", sum(self.done_s.values()), total_s)
