"""`asr prepare`: turn a corpus into manifests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from asr.cli.progress import bar
from asr.data import corpora
from asr.data.corpora import Corpus, an4, folder, jsonl, kaldi, librispeech, table

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


@prepare.command("an4")
@SOURCE
@OUT
@dev_speakers(default=10)
@SEED
def prepare_an4(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """CMU's AN4: spelled names, numbers, commands.

    SRC is the official folder with etc/ and wav/ in it; the sound files (.wav, .flac or .sph) stay there. AN4 has no
    dev part, so some speakers of train become one, women and men in proportion.

    \b
    Example:
      asr prepare an4 downloads/an4 data/an4
    """
    with bar() as progress:
        corpus = an4.read(source, progress)
    _finish(corpus, out, dev_speakers, seed)


@prepare.command("folder")
@SOURCE
@OUT
@click.option(
    "--dev-share",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Share of the utterances to hold out as dev.",
)
@click.option(
    "--dev-speakers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Hold out so many speakers instead, for a model that new voices will use.",
)
@SEED
def prepare_folder(source: Path, out: Path, dev_share: float, dev_speakers: int | None, seed: int) -> None:
    """Your own recordings: sound files, each with its text beside it.

    SRC is a folder with files such as hello.wav and hello.txt, in any format that is read and in any depth. Folders
    right below SRC are taken for speakers. The sound files stay there.

    \b
    Example:
      asr prepare folder recordings data/mine
    """
    with bar() as progress:
        corpus = folder.read(source, progress)
    if dev_speakers is None:
        utterances = corpora.hold_out_share(corpus.utterances, dev_share, seed)
        corpus = replace(corpus, utterances=utterances)
        train, dev = ({u.speaker for u in utterances if u.split == split} - {None} for split in ("train", "dev"))
        if train & dev:
            corpus.notes.append(
                "Speakers stand in both parts, so that dev says how well their voices are read; --dev-speakers holds "
                "out others."
            )
    _finish(corpus, out, dev_speakers or 0, seed)


@prepare.command("librispeech")
@SOURCE
@OUT
@click.option(
    "--download",
    "parts",
    multiple=True,
    type=click.Choice(librispeech.PARTS),
    help="Fetch this part into SRC if it is not there; may be given several times.",
)
def prepare_librispeech(source: Path, out: Path, parts: tuple[str, ...]) -> None:
    """LibriSpeech and Mini LibriSpeech: read books.

    SRC is the folder LibriSpeech, or the one that holds it. Every part in it, such as dev-clean, becomes a manifest
    of that name; the sound files stay there.

    --download needs the extra `train`, whose package lhotse fetches PART.tar.gz from openslr.org into SRC, unpacks it
    and leaves it there; broken off, it goes on where it stopped. train-clean-5 and dev-clean-2 are 0.3 and 0.1 GB,
    each dev and test part 0.3 GB, train-clean-100 6 GB, train-clean-360 23 GB, train-other-500 30 GB.

    \b
    Example:
      asr prepare librispeech downloads data/mini --download train-clean-5 --download dev-clean-2
    """
    librispeech.download(source, parts)
    with bar() as progress:
        corpus = librispeech.read(source, progress)
    _finish(corpus, out)


@prepare.command("csv")
@SOURCE
@OUT
@dev_speakers(default=0)
@SEED
def prepare_csv(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """Common Voice, or any table with a header.

    SRC is a .tsv file (tabs, quotation marks mean nothing) or a .csv file (commas). One column has the sound file's
    path from the folder of SRC: audio, path or audio_filepath. One has the text: text, sentence or transcript. There
    may be id, offset and duration in seconds, speaker or client_id, its gender, age and accent, and split; without
    split, a file named train, dev, test or validated is that split. Common Voice's files are read as they are, with
    their clips in clips/ beside them.

    \b
    Example:
      asr prepare csv downloads/cv-corpus/en/validated.tsv data/common-voice
    """
    with bar() as progress:
        corpus = table.read(source, progress)
    _finish(corpus, out, dev_speakers, seed)


@prepare.command("kaldi")
@SOURCE
@OUT
@dev_speakers(default=0)
@SEED
def prepare_kaldi(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """One of Kaldi's data folders.

    SRC has wav.scp and text, and may have segments, utt2spk and spk2gender; its name is the split. Relative paths in
    wav.scp count from the current folder, as in Kaldi. A command in wav.scp (a line that ends in "|") is not run but
    refused.

    \b
    Example:
      asr prepare kaldi egs/yesno/s5/data/train data/yesno
    """
    with bar() as progress:
        corpus = kaldi.read(source, progress)
    _finish(corpus, out, dev_speakers, seed)


@prepare.command("jsonl")
@SOURCE
@OUT
@dev_speakers(default=0)
@SEED
def prepare_jsonl(source: Path, out: Path, dev_speakers: int, seed: int) -> None:
    """Any corpus described by one JSON object a line.

    SRC is a .jsonl file. Its rows have "audio", a path from the folder of SRC, and "text"; they may have "id",
    "offset" and "duration" in seconds, "speaker", its "gender", "age" and "accent", and "split". NeMo's
    "audio_filepath" will do for "audio". With "tar", a path from the folder of SRC, "audio" is a member of that tar,
    and is unpacked into OUT/audio.

    \b
    Example:
      asr prepare jsonl downloads/calls.jsonl data/calls --dev-speakers 5
    """
    with bar() as progress:
        corpus = jsonl.read(source, out, progress)
    _finish(corpus, out, dev_speakers, seed)


def _finish(corpus: Corpus, out: Path, dev_speakers: int = 0, seed: int = 0) -> None:
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
