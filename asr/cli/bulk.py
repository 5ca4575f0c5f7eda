"""`asr bulk`: transcribe large collections in shards."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import bar
from asr.cli.transcripts import span
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError, printable
from asr.readable.options import WritingOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.bulk.results import Status
    from asr.bulk.worker import Outcome
    from asr.models.session import Device
    from asr.transcription.transcriber import Channel

SHOWN = 10
"""Most reasons that are shown."""

JOB = click.argument("job", metavar="JOB")


class PartType(click.ParamType):
    """K/N: part K, from 1, of N."""

    name = "part"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        first, _, count = value.partition("/")
        if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
            self.fail(f"{value!r} is not K/N, such as 3/8, with K from 1 to N.", param, ctx)
        return int(first), int(count)


@click.group()
def bulk() -> None:
    """Transcribe large collections in shards.

    A job is a folder, on the local disk or in an object store (a URL such as s3://bucket/job, with the extra `bulk`).
    `plan` cuts recordings into shards, `run` transcribes them, on one machine or many, as often as it takes, and
    `merge` joins the transcripts.

    \b
    Example:
      asr bulk plan calls job && asr bulk run job && asr bulk merge job calls.jsonl
    """


@bulk.command()
@click.argument("inputs", nargs=-1, metavar="INPUTS...", type=options.FileType())
@JOB
@options.model
@click.option(
    "--list",
    "listed",
    metavar="FILE",
    help='Also take the paths and URLs listed in FILE, one per line; "-" reads the list from standard input.',
)
@click.option(
    "--shard-size",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Recordings in a shard.",
)
@options.channel
@options.track
@options.plain
@options.numbers
@options.decoding
def plan(
    inputs: tuple[str, ...],
    job: str,
    *,
    model: str | None,
    listed: str | None,
    shard_size: int,
    channel: "Channel",
    track: int | None,
    plain: bool,
    numbers: bool,
    decoding: DecodingOptions,
) -> None:
    """Cut recordings into shards, and write a job.

    INPUTS are files, folders, patterns such as "calls/**/*.mp3", and manifests (.jsonl), local or as URLs. The model
    and the language models are copied into the job. A shard should take minutes: what is lost when a machine is lost.

    The same inputs and options give the same job. If an input cannot be used, the error is reported, the others are
    planned, and the exit status is 1.

    \b
    Example:
      asr bulk plan s3://bucket/calls s3://bucket/job --shard-size 50
    """
    from asr import models
    from asr.bulk import job as jobs
    from asr.bulk.recordings import collect
    from asr.bulk.store import open_store
    from asr.transcription.transcriber import open_transcriber

    if not inputs and listed is None:
        raise click.UsageError("There is nothing to plan: give files, folders, manifests, or a list with --list.")
    recordings, problems = collect(inputs, listed)
    for problem in problems:
        click.echo(f"Error: {printable(problem)}", err=True)
    if not recordings:
        sys.exit(1)
    if channel == "split" and any(one.duration_s is not None for one in recordings):
        raise AsrError(
            "The manifest has segments of files, which have one channel: leave out `--channel split`, or give files."
        )
    written = WritingOptions(plain=plain, numbers=numbers)
    path = models.find(model)
    open_transcriber(path, decoding, written=written)  # report wrong options here, not in every worker
    wanted = jobs.Options(model=path, decoding=decoding, writing=written, channel=channel, track=track)
    planned = jobs.plan(open_store(job), recordings, wanted, shard_size=shard_size)
    click.echo(f"{_count(len(planned.shards), 'shard')} of {_count(planned.recordings, 'recording')}: '{job}'.")
    if problems:
        sys.exit(1)


@bulk.command()
@JOB
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Use this machine, or the Ray cluster that runs here or at RAY_ADDRESS (extra `bulk`).",
)
@click.option(
    "--workers",
    "processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes.  [default: one per core of the machine or cluster]",
)
@click.option(
    "--shard",
    "part",
    type=PartType(),
    metavar="K/N",
    default="1/1",
    help="Transcribe the K-th of N parts of the job, in an array of N processes that Slurm or the like starts.",
)
@click.option("--retry", is_flag=True, help="Also transcribe shards that were set aside or have failed recordings.")
@options.max_memory
@options.timeout
@options.device
@click.option("-q", "--quiet", is_flag=True, help="Print errors and the summary only.")
def run(
    job: str,
    *,
    engine: str,
    processes: int | None,
    part: tuple[int, int],
    retry: bool,
    memory_gib: float,
    step_s: float,
    device: "Device",
    quiet: bool,
) -> None:
    """Transcribe the shards of a job that are not done.

    The output of a shard is written as one file, then a marker. Interrupt this command, kill it, or start it on many
    machines at once: a shard counts when both files are there, and its bytes do not depend on who wrote them.

    A recording that cannot be transcribed has its error in the output. A shard whose worker was lost, or whose files
    cannot be read or written, is tried three times, then set aside with the reason; --retry tries it again. In both
    cases the exit status is 1.

    \b
    Example:
      asr bulk run job --shard 3/8
    """
    import time
    from functools import partial

    from asr.bulk import engines, results
    from asr.bulk import job as jobs
    from asr.bulk.store import open_store
    from asr.bulk.worker import Machine
    from asr.parallel import cores
    from asr.transcription.processes import Limits

    store = open_store(job)
    planned = jobs.load(store)
    own = planned.shards[part[0] - 1 :: part[1]]
    done, aside = jobs.done(store), jobs.aside(store)
    if retry:
        done -= {name for name, marker in results.status(store, planned).done.items() if marker.failures}
        aside = set()
    skipped = [name for name in own if name in done]
    left_aside = [name for name in own if name in aside and name not in done]
    pending = [name for name in own if name not in done and name not in aside]
    limits = Limits(memory_gib, step_s)
    start: Callable[[], Any]
    if engine == "ray":
        start = partial(engines.on_ray, job, pending, Machine(1, limits, device), processes)
    else:
        start = partial(engines.on_this_machine, job, pending, Machine(processes or cores(), limits, device))
    started, total = time.monotonic(), Total()
    with bar(real_time=True, hidden=quiet) as shown:
        for number, outcome in enumerate(start() if pending else (), start=1):
            total.add(outcome)
            expected_s = total.audio_s * len(pending) / number
            shown("transcribing", total.audio_s, expected_s)
            if not quiet:
                shown.print(f"{number}/{len(pending)} {_about(outcome)}\n")
    click.echo(total.summary(time.monotonic() - started, len(skipped), len(left_aside)), err=True)
    _print_reasons(total.failures)
    for outcome in total.aside:
        click.echo(f"  Shard {outcome.shard} was set aside: {printable(outcome.reason)}", err=True)
    if total.failures or total.aside or left_aside:
        sys.exit(1)


class Total:
    """What one run has done."""

    def __init__(self) -> None:
        self.shards = self.recordings = 0
        self.audio_s = 0.0
        self.failures: list[Mapping[str, str]] = []
        self.aside: list[Outcome] = []

    def add(self, outcome: "Outcome") -> None:
        """Count a shard."""
        if outcome.done is None:
            self.aside.append(outcome)
            return
        self.shards += 1
        self.recordings += outcome.done.recordings
        self.audio_s += outcome.done.audio_s
        self.failures += outcome.done.failures

    def summary(self, elapsed_s: float, skipped: int, aside: int) -> str:
        """What was done, in one sentence."""
        what = f"{_count(self.shards, 'shard')}, {_count(self.recordings, 'recording')}, {span(self.audio_s)} of audio"
        parts = [f"{what} in {span(elapsed_s)}"]
        if self.audio_s > elapsed_s > 1:
            parts[0] += f", {self.audio_s / elapsed_s:.0f} times real time"
        parts += [f"{_count(skipped, 'shard')} already done and skipped"] if skipped else []
        parts += [f"{_count(len(self.failures), 'recording')} failed"] if self.failures else []
        parts += [f"{_count(len(self.aside), 'shard')} set aside"] if self.aside else []
        parts += [f"{_count(aside, 'shard')} set aside before, which --retry tries again"] if aside else []
        return "; ".join(parts) + "."


def _about(outcome: "Outcome") -> str:
    """A shard's line in the log."""
    if outcome.done is None:
        return f"{outcome.shard}: set aside"
    failed = f", {len(outcome.done.failures)} failed" if outcome.done.failures else ""
    return f"{outcome.shard}: {_count(outcome.done.recordings, 'recording')}, {span(outcome.done.audio_s)}{failed}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print_reasons(failures: "Sequence[Mapping[str, str]]", err: bool = True) -> None:
    """Print how many recordings failed for which reason, with an example of each."""
    from asr.bulk.results import by_reason

    reasons = by_reason(failures)
    for count, example in reasons[:SHOWN]:
        click.echo(f"  {_count(count, 'recording')}: {printable(example)}", err=err)
    if len(reasons) > SHOWN:
        click.echo(f"  {_count(len(reasons) - SHOWN, 'other reason')}.", err=err)


@bulk.command()
@JOB
@click.option("--failed", is_flag=True, help="Print the source and the error of every failed recording instead.")
def status(job: str, *, failed: bool) -> None:
    """Show what of a job is done, failed and left.

    The exit status is 0 if there is a transcript of every recording, else 1.

    \b
    Example:
      asr bulk status job
    """
    from asr.bulk import job as jobs
    from asr.bulk import results
    from asr.bulk.store import open_store

    store = open_store(job)
    found = results.status(store, jobs.load(store))
    if failed:
        for failure in found.failures:
            click.echo(f"{printable(failure['source'])}\t{printable(failure['error'])}")
    else:
        click.echo(_overview(found))
        _print_reasons(found.failures, err=False)
        for name, reason in found.aside.items():
            click.echo(f"  Shard {name} was set aside: {printable(reason)}")
    if not found.is_complete:
        sys.exit(1)


def _overview(found: "Status") -> str:
    """The state of a job, in one sentence."""
    recordings = sum(done.recordings for done in found.done.values())
    audio_s = sum(done.audio_s for done in found.done.values())
    parts = [
        f"{len(found.done)} of {_count(found.shards, 'shard')} done, {recordings - len(found.failures)} of "
        f"{_count(found.recordings, 'recording')} transcribed, {span(audio_s)} of audio"
    ]
    parts += [f"{_count(len(found.failures), 'recording')} failed"] if found.failures else []
    parts += [f"{_count(len(found.aside), 'shard')} set aside"] if found.aside else []
    parts += [f"{_count(found.left, 'shard')} left"] if found.left else []
    return "; ".join(parts) + "."


@bulk.command()
@JOB
@click.argument("out", metavar="OUT")
@click.option(
    "-f",
    "--format",
    "formats",
    type=options.FormatType(several=True),
    multiple=True,
    help="Write files in this format to the folder OUT instead, named like the recordings; may be repeated, or be a "
    "list with commas.",
)
@click.option("--partial", is_flag=True, help="Merge what there is, if not all shards are done.")
@options.max_line_width
@options.max_lines
def merge(
    job: str, out: str, *, formats: tuple[list[str], ...], partial: bool, max_line_width: int, max_lines: int
) -> None:
    """Join the transcripts of a job.

    OUT is a JSONL file with a line per recording, in the order of the plan, or with --format a folder; both may be
    URLs. Recordings that failed are left out and counted, and the exit status is 1.

    \b
    Example:
      asr bulk merge job subtitles -f srt,txt
    """
    from asr.bulk import job as jobs
    from asr.bulk import results
    from asr.bulk.store import open_store
    from asr.transcript.subtitles import Layout

    store = open_store(job)
    found = results.status(store, jobs.load(store))
    if len(found.done) < found.shards and not partial:
        raise AsrError(
            f"Only {len(found.done)} of {_count(found.shards, 'shard')} are done: finish them with `asr bulk run`, or "
            "merge what there is with --partial."
        )
    with bar() as shown:
        contents = results.outputs(store, found, shown)
        if formats:
            names = list(dict.fromkeys(name for names in formats for name in names))
            results.to_formats(contents, open_store(out), names, Layout(max_line_width, max_lines))
        else:
            results.to_file(contents, out)
    click.echo(_overview(found), err=True)
    _print_reasons(found.failures)
    if not found.is_complete:
        sys.exit(1)
