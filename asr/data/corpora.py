"""Corpora: readers that turn one on disk into utterances, each with its split; holding out speakers; manifests.

A further corpus is one function here that returns a `Corpus`, and one short command in `asr.cli.prepare`.
"""

import hashlib
import os
import re
import shutil
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from asr.audio import duration_s
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.files import replacing

SPLITS = ("train", "dev", "test")
"""The usual splits, in the order in which they are listed; others follow by name."""

Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""Passes a sequence through and shows how far it has come, under a few words of description."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a reader found."""

    utterances: list[Utterance]
    """In the order of the corpus, each with a split, their ids different."""
    notes: list[str]
    """What was left out, for a person to see; one sentence each."""


def untracked(items: Sequence[Any], _description: str) -> Iterable[Any]:
    """The `Track` that shows nothing."""
    return items


def _few(names: Iterable[str]) -> str:
    """The first of many names, and how many there are."""
    names = list(names)
    return ", ".join(names[:3]) + (f" ... ({len(names):,} in all)" if len(names) > 3 else "")


def _measured(utterance: Utterance) -> Utterance:
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


# AN4, as https://github.com/cmusphinx/an4 has it

AN4_FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}
AN4_LINE = re.compile(r"(?:<s>\s*)?(?P<text>.*?)\s*(?:</s>\s*)?\((?P<id>\S+)\)")
AN4_SUFFIXES = (".wav", ".flac", ".sph")
"""In this order where a recording is there in several forms; upper or lower case."""


def an4(source: Path, track: Track = untracked) -> Corpus:
    """Read CMU's AN4 in its official layout: train and test, as `source/etc/*.transcription` divide it.

    The speaker is the name of the recording's folder. Sound files stay where they are.

    Raises:
        DataError: a transcription file is missing or has a line of another form; a transcript has no sound file; two
            speakers of a split have a recording of one name.
        AudioError: a sound file cannot be read.
    """
    utterances, notes = [], []
    seen: dict[str, str] = {}
    for split, name in AN4_FOLDERS.items():
        transcription, folder = source / "etc" / f"an4_{split}.transcription", source / "wav" / name
        texts, recordings = _an4_texts(transcription, seen), _an4_recordings(folder)
        if missing := [name for name in texts if name not in recordings]:
            raise DataError(
                f"{transcription} has transcripts without a sound file ({', '.join(AN4_SUFFIXES)}) below {folder}: "
                f"{_few(missing)}; add the files or take out the lines."
            )
        if untold := [str(path) for name, path in recordings.items() if name not in texts]:
            notes.append(f"Left out, for {transcription} has no transcript: {_few(untold)}.")
        found = [
            Utterance(name, recordings[name].absolute(), 0.0, text, speaker=recordings[name].parent.name, split=split)
            for name, text in texts.items()
        ]
        utterances += [_measured(utterance) for utterance in track(found, f"measuring {split}")]
    return Corpus(utterances, notes)


def _an4_texts(path: Path, seen: dict[str, str]) -> dict[str, str]:
    """Id -> transcript, from lines such as `<s> TWENTY SIX </s> (cen7-fash-b)`; `<s>` and `</s>` may lack."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; the source has to be AN4's folder, with etc/ and wav/ in it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    texts = {}
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        match = AN4_LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(f'{where}: "{line}" is not a transcript followed by an id in parentheses.')
        manifest.claim_id(match["id"], where, seen)
        texts[match["id"]] = match["text"]
    return texts


def _an4_recordings(folder: Path) -> dict[str, Path]:
    """Id -> sound file, from `folder/SPEAKER/ID.wav` and the like."""
    recordings: dict[str, Path] = {}
    for suffix in AN4_SUFFIXES:
        for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() == suffix):
            first = recordings.setdefault(path.stem, path)
            if first.parent != path.parent:
                raise DataError(f"{first} and {path} have one name but two speakers; take one of them out.")
    return recordings


# JSONL: rows beside sound files, or beside tars of sound files


def jsonl(source: Path, out: Path, track: Track = untracked) -> Corpus:
    """Read a JSONL file of rows with `audio` and `text`, and unpack the tars that they name into `out/audio/`.

    `audio` (or NeMo's `audio_filepath`) is a path from the file's folder or, beside a `tar`, inside of that; `tar` is
    a path from the file's folder. A row may have `id`, `offset`, `duration`, `speaker` and `split`, too; other keys
    are dropped. Without `duration` the sound file is measured; without `split` the row goes to "all". A file that is
    already unpacked, with the size and time that the tar states, is left as it is.

    Raises:
        DataError: a row breaks a rule of `manifest.read` or its path leads out of its tar; a file is missing or
            damaged; `source` would be overwritten.
        AudioError: a sound file to be measured cannot be read.
    """
    utterances: list[Utterance] = []
    seen: dict[str, str] = {}
    packed: dict[Path, tuple[str, str]] = {}
    for where, row in manifest.rows(source):
        utterance, member = _jsonl_row(row, where, source.parent.absolute(), out.absolute())
        manifest.claim_id(utterance.id, where, seen)
        utterances.append(utterance)
        if member and (first := packed.setdefault(utterance.audio_filepath, member)) != member:
            raise DataError(f"{where}: this would be unpacked over {first[1]} of {first[0]}; rename one of the tars.")

    written = {f"{name}.jsonl" for name in (*split_up(utterances), "dev")}
    if source.name in written and source.resolve().parent == out.resolve():
        raise DataError(f"{source} would be overwritten by the manifest of that name; choose another folder.")
    tars = {tar: source.parent / tar for tar, _ in packed.values()}
    beside = {utterance.audio_filepath for utterance in utterances if utterance.audio_filepath not in packed}
    if missing := sorted(str(path) for path in beside.union(tars.values()) if not path.is_file()):
        raise DataError(f"{source} names files that are not there: {_few(missing)}.")

    notes = []
    for tar, path in tars.items():
        targets = {name: target for target, (its_tar, name) in packed.items() if its_tar == tar}
        notes += _unpack(path, targets, track)
    return Corpus([_measured(utterance) for utterance in track(utterances, "measuring")], notes)


def _jsonl_row(row: manifest.Row, where: str, folder: Path, out: Path) -> tuple[Utterance, tuple[str, str] | None]:
    """The utterance of a row, its duration 0 if unknown, and its tar and member if it is in a tar."""
    key = "audio_filepath" if "audio_filepath" in row else "audio"
    manifest.check_keys(row, (key, "text"), ("tar", "duration", *manifest.OPTIONAL), where)
    audio, text = manifest.string(row, key, where), manifest.string(row, "text", where)
    tar, split = manifest.string(row, "tar", where), manifest.string(row, "split", where) or "all"
    offset = manifest.seconds(row, "offset", where) or 0.0
    assert audio is not None and text is not None
    if not re.fullmatch(r"[\w-][\w.-]*", split):
        raise DataError(f'{where}: the split "{split}" has to be a plain file name of letters, digits, "-", "_", ".".')
    path, member = folder / audio, None
    if tar is not None:
        member = _below(tar, "tar", where).as_posix(), _below(audio, key, where).as_posix()
        path = out / "audio" / PurePosixPath(member[0]).with_suffix("") / member[1]
    utterance = Utterance(
        id=manifest.string(row, "id", where) or manifest.default_id(audio, offset),
        audio_filepath=path,
        duration=manifest.seconds(row, "duration", where) or 0.0,
        text=text,
        offset=offset,
        speaker=manifest.string(row, "speaker", where),
        split=split,
    )
    return utterance, member


def _below(name: str, key: str, where: str) -> PurePosixPath:
    """`name` as a path, if it leads below the folder where it starts."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f'{where}: "{key}" is "{name}"; with a tar it has to be a relative path without "..".')
    return path


def _unpack(tar: Path, targets: dict[str, Path], track: Track) -> list[str]:
    """Unpack the members that `targets` names to the paths that it gives; return notes on the others.

    Where a file goes is never the tar's to say, so it cannot write outside of `out`; its links, owners and modes
    are not used either.
    """
    try:
        with tarfile.open(tar) as archive:
            members = [(PurePosixPath(member.name).as_posix(), member) for member in archive if not member.isdir()]
            names = {name for name, _ in members}
            if missing := [name for name in targets if name not in names]:
                raise DataError(f"{tar} lacks files that the rows name: {_few(missing)}.")
            wanted = [(targets[name], member) for name, member in members if name in targets]
            if odd := [member.name for _, member in wanted if not member.isreg()]:
                raise DataError(f"{tar} has links or devices where the rows name sound files: {_few(odd)}.")
            for target, member in track(wanted, f"unpacking {tar.name}"):
                _unpack_member(archive, member, target)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{tar} cannot be unpacked: {error}.") from error
    unnamed = sorted(names - targets.keys())
    return [f"Left in {tar}, for no row names them: {_few(unnamed)}."] if unnamed else []


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if target.is_file():
        there = target.stat()
        if there.st_size == member.size and int(there.st_mtime) == int(member.mtime):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member)
    assert content is not None
    with replacing(target) as file:
        shutil.copyfileobj(content, file)
    os.utime(target, (member.mtime, member.mtime))


# From utterances to manifests


def hold_out(utterances: Sequence[Utterance], num_speakers: int, seed: int = 0) -> list[Utterance]:
    """Turn `num_speakers` speakers of the train split into the dev split.

    Which ones depends on their names and the seed alone. Names that begin with f and with m are drawn in proportion:
    in AN4 they are women and men; elsewhere the letters mean nothing, and the draw is as random as any.

    Raises:
        DataError: there is no train split, or already a dev split; an utterance of train has no speaker; no speaker
            would be left to train on.
    """
    parts = split_up(utterances)
    if "train" not in parts or "dev" in parts:
        raise DataError(
            "Dev speakers are held out of a train split where there is no dev split; "
            f"this corpus has {', '.join(parts)}: hold out none."
        )
    if nameless := [utterance.id for utterance in parts["train"] if utterance.speaker is None]:
        raise DataError(f"Dev speakers cannot be held out, for utterances of train have no speaker: {_few(nameless)}.")
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
