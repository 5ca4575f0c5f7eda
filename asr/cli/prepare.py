"""`asr prepare`: convert a corpus to manifests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from asr.audio.rates import MAX_RATE, MIN_RATE
from asr.cli import unusable
from asr.cli.progress import bar
from asr.data import corpora
from asr.data.corpora import Corpus, an4, folder, jsonl, kaldi, librispeech, table

SOURCE = click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
OUT = click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
SEED = click.option("--seed", default=0, show_default=True, metavar="N", help="Random seed of the dev split.")


def dev_speakers(default: int) -> Any:
    """The option --dev-speakers, with a default that depends on the corpus."""
    return click.option(
        "--dev-speakers",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        metavar="N",
        help="Number of train speakers to hold out as the dev set.",
    )


@click.group()
def prepare() -> None:
    """Convert a corpus to manifests (OUT/train.jsonl, ...) with one line per utterance.

    Each corpus format has its own command. The whole corpus is read and checked before the first manifest is written.

    \b
    Example:
      asr prepare an4 downloads/an4 data/an4
    """


@prepare.command("an4")
@SOURCE
@OUT
@unusable.skip_bad
@dev_speakers(default=10)
@SEED
def prepare_an4(source: Path, out: Path, *, skip_bad: bool, dev_speakers: int, seed: int) -> None:
    """CMU's AN4: spelled names, numbers, commands.

    SRC is the official folder, which contains etc/ and wav/; the audio files (.wav, .flac or .sph) stay there. AN4 has
    no dev set, so some train speakers are held out, women and men in proportion.

    \b
    Example:
      asr prepare an4 downloads/an4 data/an4
    """
    with bar() as progress:
        corpus = an4.read(source, progress)
    _finish(corpus, out, dev_speakers, seed, skip_bad=skip_bad)


@prepare.command("folder")
@SOURCE
@OUT
@unusable.skip_bad
@click.option(
    "--dev-share",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Fraction of the utterances to hold out as the dev set.",
)
@click.option(
    "--dev-speakers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Hold out N speakers instead, to measure the accuracy on unseen speakers.",
)
@SEED
def prepare_folder(
    source: Path, out: Path, *, skip_bad: bool, dev_share: float, dev_speakers: int | None, seed: int
) -> None:
    """Your own recordings, with transcripts.

    SRC is a folder with pairs of an audio file and its transcript, such as hello.wav and hello.txt, at any depth and in
    any supported audio format. The folders directly below SRC name the speakers. The audio files stay there.

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
                "Train and dev share speakers, so the dev set does not measure the accuracy on unseen speakers; hold "
                "out whole speakers with --dev-speakers."
            )
    _finish(corpus, out, dev_speakers or 0, seed, skip_bad=skip_bad)


@prepare.command("librispeech")
@SOURCE
@OUT
@unusable.skip_bad
@click.option(
    "--download",
    "parts",
    multiple=True,
    type=click.Choice(librispeech.PARTS),
    help="Download this part to SRC if it is missing; may be repeated.",
)
def prepare_librispeech(source: Path, out: Path, *, skip_bad: bool, parts: tuple[str, ...]) -> None:
    """LibriSpeech and Mini LibriSpeech: read books.

    SRC is the folder LibriSpeech or its parent. Every part in it, such as dev-clean, becomes a manifest of that name;
    the audio files stay there.

    --download needs the extra `train`: its package lhotse downloads PART.tar.gz from openslr.org to SRC, unpacks it
    and keeps the archive. An interrupted download is resumed. Sizes: train-clean-5 0.3 GB, dev-clean-2 0.1 GB, each
    dev or test part 0.3 GB, train-clean-100 6 GB, train-clean-360 23 GB, train-other-500 30 GB.

    \b
    Example:
      asr prepare librispeech downloads data/mini --download train-clean-5 --download dev-clean-2
    """
    from asr.training.data import librispeech_download

    librispeech_download.download(source, parts)
    with bar() as progress:
        corpus = librispeech.read(source, progress)
    _finish(corpus, out, skip_bad=skip_bad)


@prepare.command("csv")
@SOURCE
@OUT
@unusable.skip_bad
@dev_speakers(default=0)
@SEED
def prepare_csv(source: Path, out: Path, *, skip_bad: bool, dev_speakers: int, seed: int) -> None:
    """Common Voice, or any table with a header.

    SRC is a .tsv file (tab-separated, no quoting) or a .csv file (comma-separated). One column has the path of the
    audio file relative to the folder of SRC: audio, path or audio_filepath. One has the text: text, sentence or
    transcript. Optional columns: id, offset and duration in seconds, speaker or client_id, gender, age, accent, split.
    Without the column split, a file named train, dev, test or validated is that split. Common Voice's files are read
    unchanged, with the audio files in clips/ next to them.

    \b
    Example:
      asr prepare csv downloads/cv-corpus/en/validated.tsv data/common-voice
    """
    with bar() as progress:
        corpus = table.read(source, progress)
    _finish(corpus, out, dev_speakers, seed, skip_bad=skip_bad)


@prepare.command("kaldi")
@SOURCE
@OUT
@unusable.skip_bad
@dev_speakers(default=0)
@SEED
def prepare_kaldi(source: Path, out: Path, *, skip_bad: bool, dev_speakers: int, seed: int) -> None:
    """A Kaldi data folder.

    SRC contains wav.scp and text, optionally segments, utt2spk and spk2gender; its name is the split. Relative paths
    in wav.scp are relative to the current folder, as in Kaldi. A command in wav.scp (a line that ends in "|") is never
    run; it is an error.

    \b
    Example:
      asr prepare kaldi egs/yesno/s5/data/train data/yesno
    """
    with bar() as progress:
        corpus = kaldi.read(source, progress)
    _finish(corpus, out, dev_speakers, seed, skip_bad=skip_bad)


@prepare.command("jsonl")
@SOURCE
@OUT
@unusable.skip_bad
@dev_speakers(default=0)
@SEED
def prepare_jsonl(source: Path, out: Path, *, skip_bad: bool, dev_speakers: int, seed: int) -> None:
    """Any corpus described by one JSON object per line.

    SRC is a .jsonl file. Each row has "audio", a path relative to the folder of SRC, and "text". Optional keys: "id",
    "offset" and "duration" in seconds, "speaker", "gender", "age", "accent", "split". "audio_filepath" (NeMo) may
    replace "audio". If a row has "tar", a path relative to the folder of SRC, "audio" is a member of that tar archive
    and is unpacked to OUT/audio.

    \b
    Example:
      asr prepare jsonl downloads/calls.jsonl data/calls --dev-speakers 5
    """
    with bar() as progress:
        corpus = jsonl.read(source, out, progress)
    _finish(corpus, out, dev_speakers, seed, skip_bad=skip_bad)


@prepare.command("shar")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST...")
@click.argument("out", metavar="OUT")
@click.option(
    "--shard-size", type=click.IntRange(min=1), default=1000, show_default=True, help="Utterances in a shard."
)
@click.option(
    "--sample-rate",
    type=click.IntRange(MIN_RATE, MAX_RATE),
    default=16_000,
    show_default=True,
    metavar="HZ",
    help="Sample rate of the model to be trained.",
)
@unusable.skip_bad
def prepare_shar(manifests: tuple[Path, ...], out: str, *, shard_size: int, sample_rate: int, skip_bad: bool) -> None:
    """Shards for training at scale: manifests and their audio in few large files.

    OUT is a new folder or a URL of fsspec, such as s3://bucket/train. The format is Lhotse's Shar, with the audio as
    FLAC of 16 bits. Trained on as `data.train: [shar:OUT]`, it gives the same weights as the manifests at that sample
    rate. Needs the extra `train`, and for a URL the package of its protocol, such as s3fs.

    \b
    Example:
      asr prepare shar data/an4/train.jsonl data/an4-shards
    """
    from asr.training.acoustic.corpus import read_manifests
    from asr.training.data import shar

    utterances = read_manifests(manifests)
    with bar() as progress:
        shards, bad = shar.write(utterances, out, shard_size=shard_size, sample_rate=sample_rate, progress=progress)
    click.echo(f"{len(utterances) - len(bad):,} utterances in {shards:,} shards: data.train=[shar:{out}]")
    unusable.report(bad, len(utterances), "The shards have the others: fix or remove these", skip_bad=skip_bad)


def _finish(corpus: Corpus, out: Path, dev_speakers: int = 0, seed: int = 0, *, skip_bad: bool) -> None:
    """Hold out a dev set, write the manifests, and print a table and notes on skipped files."""
    utterances = corpora.hold_out(corpus.utterances, dev_speakers, seed) if dev_speakers else corpus.utterances
    before = set(out.glob("*.jsonl"))
    files = corpora.write(utterances, out)

    width = max(len(split) for split in (*files, "split"))
    click.echo(f"{'split':{width}}  utterances  speakers   hours  manifest")
    for split, members in corpora.split_up(utterances).items():
        speakers = len({utterance.speaker for utterance in members} - {None})
        hours = sum(utterance.duration for utterance in members) / 3600
        click.echo(f"{split:{width}}  {len(members):10,}  {speakers or '-':>8}  {hours:6.2f}  {files[split]}")

    if stale := sorted(str(path) for path in before.difference(files.values())):
        corpus.notes.append(f"{', '.join(stale)} existed before and was not written by this run.")
    for note in corpus.notes:
        click.echo(f"Note: {note}", err=True)
    total, remedy = len(corpus.utterances) + len(corpus.unusable), "The manifests hold the others: fix or remove these"
    unusable.report(corpus.unusable, total, remedy, skip_bad=skip_bad)
