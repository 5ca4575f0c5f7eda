"""Corpora: readers that turn one on disk into utterances, each with its split; holding out speakers; manifests.

A further corpus is one module here whose `read` returns a `Corpus`, and one short command in `asr.cli.prepare`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.audio import duration_s
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import DataError

SPLITS = ("train", "dev", "test")
"""The usual splits, in the order in which they are listed; others follow by name."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a reader found."""

    utterances: list[Utterance]
    """In the order of the corpus, each with a split, their ids different."""
    notes: list[str]
    """What was left out, for a person to see; one sentence each."""


# What the readers share


def few(names: Iterable[object]) -> str:
    """The first of many names, and how many there are."""
    names = [str(name) for name in names]
    return ", ".join(names[:3]) + (f" ... ({len(names):,} in all)" if len(names) > 3 else "")


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (where, line) for each line of a text file, its end included; `where` names file and line.

    Raises:
        DataError: the file cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, content in enumerate(file, start=1):
                where = f"{path}, line {number}"
                try:
                    line = content.decode("utf-8-sig")
                except UnicodeDecodeError as error:
                    raise DataError(f"{where}: this is not UTF-8 text; save the file as UTF-8.") from error
                yield where, line
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def check_split(split: str, where: str) -> None:
    """Refuse a split whose name cannot be a manifest's."""
    if not re.fullmatch(r"[\w-][\w.-]*", split):
        raise DataError(f'{where}: the split "{split}" has to be a plain file name of letters, digits, "-", "_", ".".')


def check_files(paths: Iterable[Path], source: Path) -> None:
    """Refuse a corpus that names files which do not exist."""
    if missing := sorted({path for path in paths if not path.is_file()}):
        raise DataError(f"{source} names files that are not there: {few(missing)}.")


def measured(utterance: Utterance) -> Utterance:
    """The utterance with its duration taken from the sound file, if that is still 0."""
    if utterance.duration:
        return utterance
    rest_s = duration_s(utterance.audio_filepath) - utterance.offset
    if rest_s <= 0:
        raise DataError(
            f"{utterance.audio_filepath} has no sound after {utterance.offset:g} s, where the utterance "
            f'"{utterance.id}" begins; correct its offset or leave it out.'
        )
    return replace(utterance, duration=rest_s)


# From utterances to manifests


def hold_out(utterances: Sequence[Utterance], num_speakers: int, seed: int = 0) -> list[Utterance]:
    """Turn `num_speakers` speakers of the train split, or of a corpus without splits, into the dev split.

    Which ones depends on their names and the seed alone. Names that begin with f and with m are drawn in proportion:
    in AN4 they are women and men; elsewhere the letters mean nothing, and the draw is as random as any.

    Raises:
        DataError: there is no train split, or already a dev split; an utterance of train has no speaker; no speaker
            would be left to train on.
    """
    parts = split_up(utterances)
    if len(parts) == 1 and set(parts) <= {"all", "validated"}:  # a corpus that is not divided is there to train on
        utterances = [replace(utterance, split="train") for utterance in utterances]
        parts = split_up(utterances)
    if "train" not in parts or "dev" in parts:
        raise DataError(
            "Dev speakers are held out of a train split where there is no dev split; "
            f"this corpus has {', '.join(parts)}: hold out none."
        )
    if nameless := [utterance.id for utterance in parts["train"] if utterance.speaker is None]:
        raise DataError(f"Dev speakers cannot be held out, for utterances of train have no speaker: {few(nameless)}.")
    speakers = {utterance.speaker or "" for utterance in parts["train"]}
    if num_speakers >= len(speakers):
        raise DataError(f"{num_speakers} dev speakers are too many: train has {len(speakers)}, and one has to stay.")

    # Lots by hash are the same on every machine, and a speaker's lot does not depend on who else is there.
    groups: dict[str, list[str]] = defaultdict(list)
    for speaker in sorted(speakers, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest()):
        groups[speaker[0] if speaker[0] in "fm" else ""].append(speaker)
    # In proportion as Sainte-Laguë gives seats to parties: in the order of (rank within + 1/2) / size.
    order = sorted(((rank + 0.5) / len(group), name) for group in groups.values() for rank, name in enumerate(group))
    dev = {name for _, name in order[:num_speakers]}
    return [
        replace(utterance, split="dev") if utterance.split == "train" and utterance.speaker in dev else utterance
        for utterance in utterances
    ]


def hold_out_share(utterances: Sequence[Utterance], share: float, seed: int = 0) -> list[Utterance]:
    """Divide a corpus of one speaker, or of unknown ones, into train and dev: at least one utterance each.

    Lots are drawn by hash of the id and the seed.

    Raises:
        DataError: there are fewer than two utterances.
    """
    if len(utterances) < 2:
        raise DataError(f"A corpus of {len(utterances)} utterance cannot be divided into train and dev: record more.")
    lots = sorted(utterances, key=lambda utterance: hashlib.sha256(f"{seed} {utterance.id}".encode()).digest())
    count = min(len(lots) - 1, max(1, round(share * len(lots))))
    dev = {utterance.id for utterance in lots[:count]}
    return [replace(utterance, split="dev" if utterance.id in dev else "train") for utterance in utterances]


def split_up(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """The utterances by split: train, dev, test, then others by name."""
    parts: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        assert utterance.split is not None
        parts[utterance.split].append(utterance)
    return {name: parts[name] for name in sorted(parts, key=lambda name: ((*SPLITS, name).index(name), name))}


def write(utterances: Iterable[Utterance], out: Path) -> dict[str, Path]:
    """Write `out/SPLIT.jsonl` for each split and return these paths by split.

    Raises:
        DataError: a file cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be made a folder: {error.strerror}.") from error
    files = {}
    for split, part in split_up(utterances).items():
        files[split] = out / f"{split}.jsonl"
        manifest.write(part, files[split])
    return files
