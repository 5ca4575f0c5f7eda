"""`asr data`: what manifests hold, and what is wrong with them."""

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
    """Say what manifests hold, and what is wrong with them.

    \b
    Example:
      asr data validate data/an4/train.jsonl data/an4/dev.jsonl
    """


@data.command()
@MANIFESTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stats(manifests: tuple[Path, ...], as_json: bool) -> None:
    """Count and measure what manifests hold.

    Utterances, hours, speakers, words and characters are counted for each manifest and in all.
    Texts are taken as they stand: "The" and "the" are two words, and the alphabet has every character that occurs.
    Speakers of one name are one speaker, also in different manifests.

    \b
    Example:
      asr data stats data/an4/train.jsonl data/an4/test.jsonl
    """
    from asr.data.statistics import summarise

    read = [manifest.read(path) for path in manifests]
    parts = [summarise(utterances) for utterances in read]
    together = summarise([utterance for utterances in read for utterance in utterances])
    if as_json:
        each = [{"manifest": str(path)} | asdict(part) for path, part in zip(manifests, parts, strict=True)]
        click.echo(json.dumps({"manifests": each, "all": asdict(together)}, ensure_ascii=False))
        return
    named = [(str(path), part) for path, part in zip(manifests, parts, strict=True)]
    _show_statistics([*named, ("all", together)] if len(named) > 1 else named)


@data.command()
@MANIFESTS
@click.option("--alphabet", metavar="CHARACTERS", help="What a normalised text may hold.  [default: a-z, space, ']")
@click.option(
    "--frame-shift-ms",
    type=click.Choice(["20", "40", "80"]),
    default="40",
    show_default=True,
    help="The model's, for what is too short.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=cores,
    show_default="one a core",
    metavar="N",
    help="Files to read at a time.",
)
@click.option("--show", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="Lines a kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every finding in it.")
def validate(
    manifests: tuple[Path, ...], *, alphabet: str | None, frame_shift_ms: str, workers: int, show: int, as_json: bool
) -> None:
    """Read every sound file and name what is wrong.

    Sound: unreadable; duration (off by more than 0.1 s); silent (RMS below -60 dBFS); clipped (more than 0.1 % of the
    samples within 1 % of full scale); too-short (for its text, under CTC). Text: empty; alphabet (other characters are
    left after normalisation). Several utterances: duplicate-id (in two manifests); duplicate-audio (equal samples,
    other id); shared-speaker (in two splits, or in two manifests where no split is given).

    The exit status is 1 when anything is found.

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
        click.echo(json.dumps(report | {"findings": [asdict(each) for each in findings]}, ensure_ascii=False))
    else:
        for kind, meaning in validation.KINDS.items():
            _show_findings(f"{kind}: {meaning}", [finding for finding in findings if finding.kind == kind], show)
        hours = duration_s / 3600
        click.echo(
            f"{len(findings):,} finding{'' if len(findings) == 1 else 's'} in {len(entries):,} utterances; "
            f"{hours:.2f} hours of sound in {elapsed_s:.1f} s, {hours / elapsed_s:.2f} hours per second."
        )
    if findings:
        click.get_current_context().exit(1)


def _show_statistics(parts: Sequence[tuple[str, "Statistics"]]) -> None:
    rows = [
        ("", "utterances", "hours", "speakers", "shortest", "median", "longest", "words", "distinct", "characters/s")
    ]
    rows += [
        (
            name,
            f"{part.utterances:,}",
            f"{part.duration_s / 3600:.2f}",
            f"{part.speakers:,}" if part.speakers else "-",
            *(f"{seconds:.2f} s" for seconds in (part.shortest_s, part.median_s, part.longest_s)),
            f"{part.words:,}",
            f"{part.distinct_words:,}",
            f"{part.characters_per_second:.1f}",
        )
        for name, part in parts
    ]
    _show_table(rows)
    for name, part in parts:
        characters = " ".join(f"{_visible(character)}={count}" for character, count in part.alphabet.items())
        click.echo()
        line = f"{name}, {len(part.alphabet)} characters: {characters}"
        click.echo(fill(line, 100, break_on_hyphens=False, break_long_words=False))


def _visible(character: str) -> str:
    """A character as a person can see it: letters, digits and signs as they are, others by code point."""
    seen = unicodedata.category(character)[0] in "LNPS"
    return character if seen else "space" if character == " " else f"U+{ord(character):04X}"


def _show_findings(title: str, findings: Sequence["Finding"], show: int) -> None:
    if not findings:
        return
    click.echo(f"{title} ({len(findings):,})")
    _show_table([(f"  {finding.id}", finding.manifest, finding.value) for finding in findings[:show]], numbers=False)
    if len(findings) > show:
        click.echo(f"  and {len(findings) - show:,} more: see them with --show {len(findings)} or --json")
    click.echo()


def _show_table(rows: Sequence[Sequence[str]], numbers: bool = True) -> None:
    """Columns side by side, the first to the left; the others to the right if they are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = str.rjust if numbers else str.ljust
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *map(aligned, rest, widths[1:])]
        click.echo("  ".join(cells).rstrip())
