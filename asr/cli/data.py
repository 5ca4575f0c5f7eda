"""`asr data`: summarise and validate manifests."""

import json
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from asr.cli.progress import bar
from asr.data import manifest
from asr.parallel import cores

if TYPE_CHECKING:
    from asr.data.statistics import Statistics
    from asr.data.validation import Finding

MANIFESTS = click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST...")


@click.group()
def data() -> None:
    """Summarise and validate manifests.

    \b
    Example:
      asr data validate data/an4/train.jsonl data/an4/dev.jsonl
    """


@data.command()
@MANIFESTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stats(manifests: tuple[Path, ...], as_json: bool) -> None:
    """Print statistics of manifests.

    One row per manifest and a total: utterances, hours, speakers, words and characters. Texts are not normalised:
    "The" and "the" are two words, and the alphabet lists every character that occurs. A speaker id that occurs in
    several manifests counts as one speaker.

    \b
    Example:
      asr data stats data/an4/train.jsonl data/an4/test.jsonl
    """
    from asr.data.statistics import summarise

    utterances = [manifest.read(path) for path in manifests]
    statistics = [(str(path), summarise(read)) for path, read in zip(manifests, utterances, strict=True)]
    total = summarise([utterance for read in utterances for utterance in read])
    if as_json:
        rows = [{"manifest": name} | asdict(summary) for name, summary in statistics]
        click.echo(json.dumps({"manifests": rows, "all": asdict(total)}, ensure_ascii=False))
        return
    _show_statistics([*statistics, ("all", total)] if len(statistics) > 1 else statistics)


@data.command()
@MANIFESTS
@click.option(
    "--alphabet", metavar="CHARACTERS", help="Characters allowed in normalised text.  [default: a-z, space, ']"
)
@click.option(
    "--frame-shift-ms",
    type=click.Choice(["20", "40", "80"]),
    default="40",
    show_default=True,
    help="Frame shift of the model, for the check `too-short`.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=cores,
    show_default="one per core",
    metavar="N",
    help="Number of files to read in parallel.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Findings to show per kind.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all findings.")
def validate(
    manifests: tuple[Path, ...], *, alphabet: str | None, frame_shift_ms: str, workers: int, show: int, as_json: bool
) -> None:
    """Check manifests and every audio file in them.

    Audio: unreadable; duration (off by more than 0.1 s); silent (RMS below -60 dBFS); clipped (more than 0.1 % of the
    samples within 1 % of full scale); too-short (fewer frames than CTC needs for the text). Text: empty; alphabet
    (characters outside the alphabet after normalisation). Across utterances: duplicate-id (in two manifests);
    duplicate-audio (identical samples, different id); shared-speaker (in two splits, or in two manifests without
    splits).

    The exit status is 1 if there are findings.

    \b
    Example:
      asr data validate data/an4/train.jsonl data/an4/dev.jsonl
    """
    from asr.data import validation
    from asr.text import ENGLISH

    entries = [validation.Entry(path, utterance) for path in manifests for utterance in manifest.read(path)]
    duration_s = sum(entry.utterance.duration for entry in entries)
    started = time.monotonic()
    with bar() as progress:
        findings = validation.validate(
            entries,
            ENGLISH if alphabet is None else alphabet,
            int(frame_shift_ms) // 10,
            workers,
            progress,
        )
    elapsed_s = time.monotonic() - started
    if as_json:
        report = {"manifests": [str(path) for path in manifests], "utterances": len(entries), "duration_s": duration_s}
        click.echo(json.dumps(report | {"findings": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    else:
        for kind, meaning in validation.KINDS.items():
            _show_findings(f"{kind}: {meaning}", [finding for finding in findings if finding.kind == kind], show)
        hours = duration_s / 3600
        click.echo(
            f"{len(findings):,} finding{'' if len(findings) == 1 else 's'} in {len(entries):,} utterances; "
            f"{hours:.2f} hours of audio in {elapsed_s:.1f} s, {hours / elapsed_s:.2f} hours per second."
        )
    if findings:
        click.get_current_context().exit(1)


def _show_statistics(statistics: Sequence[tuple[str, "Statistics"]]) -> None:
    rows = [
        ("", "utterances", "hours", "speakers", "shortest", "median", "longest", "words", "distinct", "characters/s")
    ]
    rows += [
        (
            name,
            f"{summary.utterances:,}",
            f"{summary.duration_s / 3600:.2f}",
            f"{summary.speakers:,}" if summary.speakers else "-",
            *(f"{seconds:.2f} s" for seconds in (summary.shortest_s, summary.median_s, summary.longest_s)),
            f"{summary.words:,}",
            f"{summary.distinct_words:,}",
            f"{summary.characters_per_second:.1f}",
        )
        for name, summary in statistics
    ]
    _show_table(rows)
    for name, summary in statistics:
        characters = " ".join(f"{_visible(character)}={count}" for character, count in summary.alphabet.items())
        click.echo()
        line = f"{name}, {len(summary.alphabet)} characters: {characters}"
        click.echo(fill(line, 100, break_on_hyphens=False, break_long_words=False))


def _visible(character: str) -> str:
    """A human-readable character: letters, digits and symbols as they are, others by code point."""
    is_visible = unicodedata.category(character)[0] in "LNPS"
    return character if is_visible else "space" if character == " " else f"U+{ord(character):04X}"


def _show_findings(title: str, findings: Sequence["Finding"], show: int) -> None:
    if not findings:
        return
    click.echo(f"{title} ({len(findings):,})")
    _show_table([(f"  {finding.id}", finding.manifest, finding.value) for finding in findings[:show]], numbers=False)
    if len(findings) > show:
        click.echo(f"  and {len(findings) - show:,} more: show them with --show {len(findings)} or --json")
    click.echo()


def _show_table(rows: Sequence[Sequence[str]], numbers: bool = True) -> None:
    """Print columns, the first one left-aligned, the others right-aligned if `numbers`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = str.rjust if numbers else str.ljust
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *map(aligned, rest, widths[1:])]
        click.echo("  ".join(cells).rstrip())
