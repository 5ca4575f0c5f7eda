"""Any corpus described by one JSON object per line: rows that refer to audio files, or to tar archives of them."""

import lzma
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_split, collected, few, split_up
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.files import replacing
from asr.progress import Progress, silent, tracked

LATEST_S = 2**40
"""Latest time of a file in an archive, in seconds since 1970."""


def read(source: Path, out: Path, progress: Progress = silent) -> Corpus:
    """Read a JSONL file of rows with `audio` and `text`, and unpack the tar archives that they name to `out/audio/`.

    `audio` (or NeMo's `audio_filepath`) is a path relative to the folder of the JSONL file or, if the row has `tar`, a
    member of that archive; `tar` is a path relative to the same folder. Optional keys: `id`, `offset`, `duration`,
    `speaker`, `split` and the traits of the speaker (`asr.data.traits`); other keys are ignored. Without `duration` the
    audio file is collected; without `split` the split is "all". A file that is already unpacked, with the size and time
    recorded in the archive, is kept.

    Raises:
        DataError: a row violates a rule of `manifest.read` or its path leaves its archive; a file is missing or
            damaged; `source` would be overwritten.
        AudioError: an audio file to be collected cannot be read.
    """
    utterances: list[Utterance] = []
    seen: dict[str, str] = {}
    packed: dict[Path, tuple[str, str]] = {}
    for where, row in manifest.rows(source):
        utterance, member = _row(row, where, source.parent.absolute(), out.absolute())
        manifest.claim_id(utterance.id, where, seen)
        utterances.append(utterance)
        if member and (first := packed.setdefault(utterance.audio_filepath, member)) != member:
            raise DataError(
                f"{where}: this would overwrite {first[1]} of {first[0]} when unpacked; rename one of the archives."
            )

    written = {f"{name}.jsonl" for name in (*split_up(utterances), "dev")}
    if source.name in written and source.resolve().parent == out.resolve():
        raise DataError(f"{source} would be overwritten by the manifest of that name; choose another folder.")
    tars = {tar: source.parent / tar for tar, _ in packed.values()}
    if missing := sorted(path for path in tars.values() if not path.is_file()):
        raise DataError(f"{source} refers to missing archives: {few(missing)}.")

    notes = []
    for tar, path in tars.items():
        targets = {name: target for target, (archive, name) in packed.items() if archive == tar}
        notes += _unpack(path, targets, progress)
    return collected(utterances, notes, progress)


def _row(row: manifest.Row, where: str, folder: Path, out: Path) -> tuple[Utterance, tuple[str, str] | None]:
    """The utterance of a row, its duration 0 if unknown, and its archive and member if it has `tar`."""
    key = "audio_filepath" if "audio_filepath" in row else "audio"
    manifest.check_keys(row, (key, "text"), ("tar", "duration", *manifest.OPTIONAL), where)
    audio, text = manifest.string(row, key, where), manifest.string(row, "text", where)
    tar, split = manifest.string(row, "tar", where), manifest.string(row, "split", where) or "all"
    offset = manifest.seconds(row, "offset", where) or 0.0
    assert audio is not None and text is not None
    check_split(split, where)
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
        **traits.of(row),
    )
    return utterance, member


def _below(name: str, key: str, where: str) -> PurePosixPath:
    """`name` as a relative path that stays below its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f'{where}: "{key}" is "{name}"; with a tar it must be a relative path without "..".')
    return path


def _unpack(tar: Path, targets: dict[str, Path], progress: Progress) -> list[str]:
    """Unpack the members named by the keys of `targets` to its values; return notes on the other members.

    The archive never determines where a file is written, so it cannot write outside of `out`; its links, owners and
    modes are ignored too.
    """
    try:
        with tarfile.open(tar) as archive:
            members = [(PurePosixPath(member.name).as_posix(), member) for member in archive if not member.isdir()]
            names = {name for name, _ in members}
            if missing := [name for name in targets if name not in names]:
                raise DataError(f"{tar} lacks files that are named in the rows: {few(missing)}.")
            wanted = [(targets[name], member) for name, member in members if name in targets]
            if irregular := [member.name for _, member in wanted if not member.isreg() or member.issparse()]:
                raise DataError(f"{tar} has links, devices or sparse files instead of audio files: {few(irregular)}.")
            if undated := [member.name for _, member in wanted if not 0 <= member.mtime < LATEST_S]:
                raise DataError(f"{tar} has files with an impossible time: {few(undated)}; pack it again.")
            for target, member in tracked(wanted, f"unpacking {tar.name}", progress):
                _unpack_member(archive, member, target)
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError) as error:
        raise DataError(f"{tar} cannot be unpacked: {error}.") from error
    unnamed = sorted(names - targets.keys())
    return [f"Skipped files of {tar} that no row names: {few(unnamed)}."] if unnamed else []


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if target.is_file():
        existing = target.stat()
        if existing.st_size == member.size and int(existing.st_mtime) == int(member.mtime):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = archive.extractfile(member)
    assert content is not None
    with replacing(target) as file:
        shutil.copyfileobj(content, file)
    os.utime(target, (member.mtime, member.mtime))
