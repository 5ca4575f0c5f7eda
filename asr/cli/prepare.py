"""`asr prepare`: turn a corpus into manifests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from asr.data import corpora
from asr.data.corpora import Corpus

SOURCE = click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
OUT = click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
SEED = click.option("--seed", default=0, show_default=True, metavar="N", help="Another seed draws other dev speakers.")


def dev_speakers(default: int) -> Any:
    """The option --dev-speakers with a corpus's own default."""
    return click.option(
        "--dev-speakers",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        metavar="N",
        help="Speakers of train to hold out as dev.",
    )


@click.group()
def prepare() -> None:
    """Turn a corpus into manifests, OUT/train.jsonl and so on: one line for each utterance.

    Each kind of corpus is a command of its own. All is read and checked before the first manifest is written.

    \b
    Example:
      asr prepare an4 downloads/an4 data/an4
    """


@prepare.command()
@SOURCE
@OUT
@dev_speakers(default=10)
@SEED
def an4(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """CMU's AN4: spelled names, numbers, commands.

    SRC is the official folder with etc/ and wav/ in it; the sound files (.wav, .flac or .sph) stay there. AN4 has no
    dev part, so some speakers of train become one, women and men in proportion.

    \b
    Example:
      asr prepare an4 downloads/an4 data/an4
    """
    _finish(corpora.an4(source, _track), out, dev_speakers, seed)


@prepare.command()
@SOURCE
@OUT
@dev_speakers(default=0)
@SEED
def jsonl(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """Any corpus described by one JSON object a line.

    SRC is a .jsonl file. Its rows have "audio", a path from the folder of SRC, and "text"; they may have "id",
    "offset" and "duration" in seconds, "speaker" and "split". NeMo's "audio_filepath" will do for "audio". With
    "tar", a path from the folder of SRC, "audio" is a member of that tar, and is unpacked into OUT/audio.

    \b
    Example:
      asr prepare jsonl downloads/calls.jsonl data/calls --dev-speakers 5
    """
    _finish(corpora.jsonl(source, out, _track), out, dev_speakers, seed)


def _track(items: Sequence[Any], description: str) -> Iterable[Any]:
    """Show a progress bar on standard error while it is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, description, console=console, transient=True, disable=not console.is_terminal)


def _finish(corpus: Corpus, out: Path, dev_speakers: int, seed: int) -> None:
    """Hold out, write, and say what was written and what was left out."""
    utterances = corpora.hold_out(corpus.utterances, dev_speakers, seed) if dev_speakers else corpus.utterances
    before = set(out.glob("*.jsonl"))
    files = corpora.write(utterances, out)

    width = max(len(split) for split in (*files, "split"))
    click.echo(f"{'split':{width}}  utterances  speakers   hours  manifest")
    for split, part in corpora.split_up(utterances).items():
        speakers = len({utterance.speaker for utterance in part} - {None})
        hours = sum(utterance.duration for utterance in part) / 3600
        click.echo(f"{split:{width}}  {len(part):10,}  {speakers or '-':>8}  {hours:6.2f}  {files[split]}")

    if left := sorted(str(path) for path in before.difference(files.values())):
        corpus.notes.append(f"{', '.join(left)} was there before and is not of this run.")
    for note in corpus.notes:
        click.echo(f"Note: {note}", err=True)
