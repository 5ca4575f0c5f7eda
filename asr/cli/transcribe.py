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
    """A number from 1, or the word `split`."""

    name = "channel"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "split" or isinstance(value, int):
            return value
        if not value.isdecimal() or not int(value):
            self.fail(f"{value!r} is neither the number of a channel, from 1, nor the word split.", param, ctx)
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
    help="May be repeated, with --output-dir.",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write files into this folder, made if need be, in folders like those of the inputs, instead of printing.",
)
@click.option(
    "--list", "listed", metavar="FILE", help='Also the sounds whose paths FILE holds, one a line; "-" reads it.'
)
@click.option("--resume", is_flag=True, help="With --output-dir: leave out what is written and newer than its sound.")
@click.option("--channel", type=ChannelType(), metavar="N|split", help="Hear channel N alone, or each as a speaker.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one for each core]")
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the model runs; cuda needs onnxruntime-gpu and a model that is not int8.",
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
    """Turn sounds into text.

    INPUTS are files, folders (with all sounds below them), patterns such as "calls/**/*.mp3", or "-" for standard
    input. Any format that libsndfile or FFmpeg reads, videos too, any sample rate, any length. The text is lower case
    without punctuation; it is found as the model was tuned (`asr tune`), else greedily.

    A file that cannot be read is reported, the others go on, and the exit status is 1 then.

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
        raise click.UsageError("There is nothing to transcribe: name files, folders, or a list by --list.")
    sounds = expand(inputs, listed)
    if output_dir is None and (resume or len(formats) > 1 or (len(sounds) > 1 and formats != ("txt",))):
        raise click.UsageError("Several documents in one stream are none, and it keeps nothing: give --output-dir.")
    opened = partial(open_transcriber, models.find(models.DEFAULT if model is None else model), decoding, device=device)
    transcriber = opened(threads=cores())
    if transcriber.decoder.remark:
        click.echo(f"Note: {transcriber.decoder.remark}", err=True)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
    waiting = [sound for sound in sounds if not (resume and output_dir and outputs.is_done(sound, output_dir, formats))]
    work = _one_by_one(transcriber, waiting, channel)
    if len(waiting) > 1 and workers != 1 and all(sound.source != "-" for sound in waiting):
        work = _in_processes(partial(opened, threads=1), waiting, workers, channel)

    started = time.monotonic()
    failed, heard_s = 0, 0.0
    with bar(real_time=True) as shown:
        say, progress = shown.print, _in_all(waiting, shown if shown.is_drawn else silent)
        for sound, found in _in_order(work(progress), waiting, output_dir is None):
            try:
                if isinstance(found, AsrError):
                    raise found
                heard_s += found.duration_s
                for line in _deliver(sound, found, formats, output_dir, len(sounds) > 1):
                    say(line)
                if not found.words and (least := transcriber.decoder.min_confidence):
                    what = f"{click.format_filename(sound.source)}: no words, or none surer than {least:g}"
                    say(f"Note: {what}; --min-confidence 0 shows all.\n", err=True)
            except AsrError as error:
                failed += 1
                say(f"Error: {error}\n", err=True)
    if len(sounds) > 1:
        click.echo(_summary(len(waiting) - failed, failed, len(sounds) - len(waiting), heard_s, started), err=True)
    if failed:
        sys.exit(1)


Found = Iterator[tuple[int, "Transcript | AsrError"]]


def _one_by_one(
    transcriber: "Transcriber", sounds: Sequence["Input"], channel: "Channel"
) -> Callable[[Progress], Found]:
    """In this process, which starts at once and hears several parts of a long sound at a time."""

    def work(progress: Progress) -> Found:
        for number, sound in enumerate(sounds):
            try:

                def of_this(_task: str, done: float, total: float | None, source: str = sound.source) -> None:
                    progress(source, done, total)

                yield number, transcriber.transcribe(sound.source, channel=channel, progress=of_this)
            except AsrError as error:
                yield number, error

    return work


def _in_processes(
    load: "Load", sounds: Sequence["Input"], workers: int | None, channel: "Channel"
) -> Callable[[Progress], Found]:
    """In several processes, each with one thread."""
    from asr.parallel import cores
    from asr.transcription.workers import transcribe_all

    count = min(workers or cores(), len(sounds))
    sources = [sound.source for sound in sounds]
    return lambda progress: transcribe_all(sources, load, workers=count, channel=channel, progress=progress)


def _in_order(found: Found, sounds: Sequence["Input"], wanted: bool) -> "Iterator[tuple[Input, Transcript | AsrError]]":
    """What is found as it comes, or in the order of the sounds."""
    early: dict[int, Transcript | AsrError] = {}
    following = 0
    for number, result in found:
        if not wanted:
            yield sounds[number], result
            continue
        early[number] = result
        while following in early:
            yield sounds[following], early.pop(following)
            following += 1


def _deliver(
    sound: "Input", found: "Transcript", formats: Sequence[str], output_dir: Path | None, many: bool
) -> Iterator[str]:
    """Write files, and yield what is to be printed."""
    from asr.transcription import outputs

    if output_dir is None:
        yield (f"{click.format_filename(sound.source)}: " if many else "") + found.to(formats[0])
        return
    for target in outputs.write_all(found, sound, output_dir, formats):
        yield f"{click.format_filename(target)}\n"


def _summary(done: int, failed: int, left_out: int, heard_s: float, started: float) -> str:
    from datetime import timedelta

    elapsed_s = time.monotonic() - started
    files = f"{done} file{'' if done == 1 else 's'}"
    parts = [f"{files}, {timedelta(seconds=round(heard_s))} h of sound in {timedelta(seconds=round(elapsed_s))} h"]
    if heard_s:
        parts[0] += f", {heard_s / max(elapsed_s, 1e-3):.0f} times real time"
    parts += [f"{left_out} were there already"] if left_out else []
    parts += [f"{failed} could not be transcribed"] if failed else []
    return "; ".join(parts) + "."


def _in_all(sounds: Sequence["Input"], shown: Progress) -> Progress:
    """The `Progress` of single sounds, by their sources, as that of all together."""
    total_s = sum(_duration_s(sound.source) for sound in sounds) if shown is not silent else 0.0
    done_s: dict[str, float] = {}

    def progress(source: str, seconds: float, _total_s: float | None) -> None:
        done_s[source] = seconds
        shown("transcribing", sum(done_s.values()), total_s)

    return progress


def _duration_s(source: str) -> float:
    """The seconds of a sound, as its header says; a guess if it does not."""
    from asr import audio

    try:
        is_stream = source == "-" or Path(source).is_fifo()  # asking would use it up
        return 60.0 if is_stream else audio.duration_s(Path(source))
    except AsrError:
        return 0.0
