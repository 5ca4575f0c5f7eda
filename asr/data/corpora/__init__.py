"""Corpora: read them from disk, hold out dev speakers, and write manifests.

To add a corpus, write a module here whose `read` returns a `Corpus`, and a short command in `asr.cli.prepare`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from asr.audio import duration_s
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import AsrError, AudioError, DataError
from asr.progress import Progress, silent, tracked

SPLITS = ("train", "dev", "test")
"""The usual splits, in the order of the output; others follow by name."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The result of a corpus reader."""

    utterances: list[Utterance]
    """In the order of the corpus; each has a split and a unique id."""
    notes: list[str]
    """Notes for the user on skipped files; one sentence each."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Id of each utterance that was left out -> why it cannot be used, as a sentence."""


# Helpers for the readers


def few(names: Iterable[object]) -> str:
    """The first three names, and their number if there are more."""
    names = [str(name) for name in names]
    return ", ".join(names[:3]) + (f" ... ({len(names):,} in all)" if len(names) > 3 else "")


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (where, line) for each line of a text file, including the line end; `where` names file and line.

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
    """Raise DataError if the name of a split cannot be the name of a manifest."""
    if not re.fullmatch(r"[\w-][\w.-]*", split):
        raise DataError(f'{where}: the split "{split}" must be a plain file name of letters, digits, "-", "_", ".".')


def collected(utterances: Sequence[Utterance], notes: Sequence[str], progress: Progress = silent) -> Corpus:
    """Measure the utterances of a corpus; what cannot be used is left out, and named with the reason.

    Raises:
        DataError: no utterance can be used.
    """
    usable, unusable = [], dict[str, str]()
    for utterance in tracked(utterances, "measuring", progress):
        try:
            usable.append(measured(utterance))
        except AsrError as error:
            unusable[utterance.id] = str(error)
    if not usable and unusable:
        raise DataError(
            f"None of the {len(unusable):,} utterances can be used. The first: {next(iter(unusable.values()))}"
        )
    return Corpus(usable, list(notes), unusable)


def measured(utterance: Utterance) -> Utterance:
    """The utterance with its duration read from the audio file, if it is still 0."""
    if utterance.duration:
        if not utterance.audio_filepath.is_file():
            raise AudioError(f"'{utterance.audio_filepath}' does not exist: add the file, or remove the utterance.")
        return utterance
    rest_s = duration_s(utterance.audio_filepath) - utterance.offset
    if rest_s <= 0:
        raise DataError(
            f"{utterance.audio_filepath} has no audio after {utterance.offset:g} s, where the utterance "
            f'"{utterance.id}" starts; correct its offset or remove it.'
        )
    return replace(utterance, duration=rest_s)


# From utterances to manifests


def hold_out(utterances: Sequence[Utterance], num_speakers: int, seed: int = 0) -> list[Utterance]:
    """Turn `num_speakers` speakers of the train split, or of a corpus without splits, into the dev split.

    The selection depends only on the names and the seed. Names that begin with f and with m are drawn in proportion: in
    AN4 they are women and men; in other corpora the letters have no meaning and the draw is still random.

    Raises:
        DataError: there is no train split, or there is a dev split already; a train utterance has no speaker; no
            speaker would remain to train on.
    """
    by_split = split_up(utterances)
    if len(by_split) == 1 and set(by_split) <= {"all", "validated"}:  # a corpus without splits is used for training
        utterances = [replace(utterance, split="train") for utterance in utterances]
        by_split = split_up(utterances)
    if "train" not in by_split or "dev" in by_split:
        raise DataError(
            "Dev speakers can be held out only from a corpus with a train split and without a dev split, but this one "
            f"has {', '.join(by_split)}: use --dev-speakers 0."
        )
    if nameless := [utterance.id for utterance in by_split["train"] if utterance.speaker is None]:
        raise DataError(f"Dev speakers cannot be held out because train utterances have no speaker: {few(nameless)}.")
    speakers = {utterance.speaker or "" for utterance in by_split["train"]}
    if num_speakers >= len(speakers):
        raise DataError(
            f"{num_speakers} dev speakers are too many: train has {len(speakers)}, and at least one must remain."
        )

    # Hashes are the same on every machine, and the hash of a speaker does not depend on the other speakers.
    groups: dict[str, list[str]] = defaultdict(list)
    for speaker in sorted(speakers, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest()):
        groups[speaker[0] if speaker[0] in "fm" else ""].append(speaker)
    # Proportional allocation by the Sainte-Laguë method: in the order of (rank within the group + 1/2) / group size.
    order = sorted(((rank + 0.5) / len(group), name) for group in groups.values() for rank, name in enumerate(group))
    dev = {name for _, name in order[:num_speakers]}
    return [
        replace(utterance, split="dev") if utterance.split == "train" and utterance.speaker in dev else utterance
        for utterance in utterances
    ]


def hold_out_share(utterances: Sequence[Utterance], share: float, seed: int = 0) -> list[Utterance]:
    """Split a corpus of one or of unknown speakers into train and dev, with at least one utterance each.

    Utterances are drawn in the order of a hash of the seed and the id.

    Raises:
        DataError: there are fewer than two utterances.
    """
    if len(utterances) < 2:
        raise DataError(f"A corpus of {len(utterances)} utterance cannot be split into train and dev: record more.")
    shuffled = sorted(utterances, key=lambda utterance: hashlib.sha256(f"{seed} {utterance.id}".encode()).digest())
    count = min(len(shuffled) - 1, max(1, round(share * len(shuffled))))
    dev = {utterance.id for utterance in shuffled[:count]}
    return [replace(utterance, split="dev" if utterance.id in dev else "train") for utterance in utterances]


def split_up(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Group the utterances by split: train, dev, test, then others by name."""
    by_split: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        assert utterance.split is not None
        by_split[utterance.split].append(utterance)
    return {name: by_split[name] for name in sorted(by_split, key=lambda name: ((*SPLITS, name).index(name), name))}


def write(utterances: Iterable[Utterance], out: Path) -> dict[str, Path]:
    """Write `out/SPLIT.jsonl` for each split and return these paths by split.

    Raises:
        DataError: a file cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be created as a folder: {error.strerror}.") from error
    files = {}
    for split, members in split_up(utterances).items():
        files[split] = out / f"{split}.jsonl"
        manifest.write(members, files[split])
    return files
