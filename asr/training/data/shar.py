"""Training data in Lhotse Shar: each shard is a list of cuts and a tar with their sound, in any store of fsspec.

    cuts.000000.jsonl.gz   a cut a line: id, duration, text, speaker
    recording.000000.tar   ID.flac and ID.json of each cut, in the same order

A quarter of a million small files become some hundred large ones, which copy, list and open fast. The lists are read
before the first step; a sound is then read by its place in the tar, one request each, so that batches are planned,
shuffled and resumed as those of single files are. The place stands in the cut's `custom` field (`tar`: first byte and
length), or is looked up in the headers of a tar that another program wrote. The format is that
of Lhotse (github.com/lhotse-speech/lhotse), which reads what is written here.
"""

import gzip
import io
import json
import math
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from asr import audio
from asr.audio.encoders import flac
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import AudioError, DataError
from asr.files import replacing
from asr.progress import Progress, silent

PREFIX = "shar:"
"""Before a folder or URL among the manifests of a recipe."""
MEMBER = re.compile(r"(?P<first>\d{1,18})\+(?P<length>\d{1,12}):")
"""Before the name of a member of a tar, as `Utterance.audio_filepath` has it: where its bytes are."""
MAX_CUTS_BYTES = 2**30
"""A list of cuts may not be larger when it is unpacked."""


def write(
    utterances: Iterable[Utterance], url: str, *, shard_size: int, sample_rate: int, progress: Progress = silent
) -> tuple[int, dict[str, str]]:
    """Write shards of `shard_size` utterances, the tar of each before its list, which marks it as complete.

    Returns:
        The number of shards, and the utterances whose audio cannot be used, by id, with the reason.

    Raises:
        DataError: the folder cannot be written, or holds shards already.
    """
    files, folder = _store(url)
    rest = iter(utterances)
    shards = done = 0
    bad: dict[str, str] = {}
    try:
        files.makedirs(folder, exist_ok=True)
        with suppress(FileNotFoundError):  # an object store has no empty folders
            if _lists(files, folder):
                raise DataError(f"'{url}' holds shards already: give a new folder.")
        while some := list(islice(rest, shard_size)):
            cuts, sounds = _shard(some, sample_rate, bad)
            done += len(some)
            progress("writing shards", done, None)
            if cuts:
                _put(files, f"{folder}/recording.{shards:06}.tar", sounds)
                _put(files, f"{folder}/cuts.{shards:06}.jsonl.gz", cuts)
                shards += 1
    except OSError as error:
        raise DataError(f"'{url}' cannot be written: {error}.") from error
    return shards, bad


def _put(files: Any, path: str, content: bytes) -> None:
    """Write a whole file, a local one in place of what may be there."""
    if isinstance(files, LocalFileSystem):
        with replacing(Path(path)) as file:
            file.write(content)
    else:
        files.pipe_file(path, content)


def _shard(utterances: Sequence[Utterance], sample_rate: int, bad: dict[str, str]) -> tuple[bytes, bytes]:
    """The list and the tar of a shard, empty if no utterance can be used; the others are noted in `bad`."""
    lines, file = [], io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in utterances:
            try:
                waveform = audio.load(one.audio_filepath, sample_rate, offset_s=one.offset, duration_s=one.duration)
            except AudioError as error:
                bad[one.id] = str(error)
                continue
            cut = _cut(one, len(waveform), sample_rate)
            place = _add(tar, f"{one.id}.flac", flac(waveform, sample_rate))
            _add(tar, f"{one.id}.json", json.dumps(cut["recording"]).encode())
            lines.append(json.dumps(cut | {"custom": {"tar": place}}).encode() + b"\n")
    return (gzip.compress(b"".join(lines), mtime=0), file.getvalue()) if lines else (b"", b"")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> list[int]:
    """Add a member; the place of its first byte, and their number."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
    blocks = -(-len(content) // tarfile.BLOCKSIZE)
    return [tar.offset - blocks * tarfile.BLOCKSIZE, len(content)]


def _cut(one: Utterance, samples: int, sample_rate: int) -> dict[str, Any]:
    """An utterance as Lhotse writes a cut of a whole recording."""
    recording = {
        "id": one.id,
        "sources": [{"type": "shar", "channels": [0], "source": ""}],
        "sampling_rate": sample_rate,
        "num_samples": samples,
        "duration": samples / sample_rate,
        "channel_ids": [0],
    }
    speaker = {"speaker": one.speaker, "gender": one.gender}
    others = {"split": one.split, "age": one.age, "accent": one.accent}
    said = {
        "id": one.id,
        "recording_id": one.id,
        "start": 0.0,
        "duration": samples / sample_rate,
        "channel": 0,
        "text": one.text,
        **{name: value for name, value in speaker.items() if value is not None},
        "custom": {name: value for name, value in others.items() if value is not None},
    }
    return {
        "id": one.id,
        "start": 0,
        "duration": samples / sample_rate,
        "channel": 0,
        "supervisions": [said],
        "recording": recording,
        "type": "MonoCut",
    }


def utterances(url: str) -> Iterator[Utterance]:
    """The utterances of all shards, in the order of the shards; their audio can be read with `read_member`.

    Raises:
        DataError: there are no shards, or one is damaged.
    """
    files, folder = _store(url)
    try:
        lists = _lists(files, folder)
        if not lists:
            raise DataError(f"'{url}' holds no shards: there is no cuts.*.jsonl.gz in it.")
        for path in lists:
            number = path.rsplit("/", 1)[1].split(".")[1]
            yield from _utterances(files, path, f"{folder}/recording.{number}.tar", files.unstrip_protocol(folder))
    except OSError as error:
        raise DataError(f"'{url}' cannot be read: {error}.") from error


def _utterances(files: Any, path: str, tar: str, base: str) -> Iterator[Utterance]:
    """The utterances of one shard."""
    if not files.exists(tar):
        raise DataError(f"'{tar}' does not exist, which has the sound of '{path}': copy it again.")
    name = tar.rsplit("/", 1)[1]
    shown = Path(base.removeprefix("file://")) / name
    with files.open(path, "rb") as packed:
        try:
            content = gzip.GzipFile(fileobj=packed).read(MAX_CUTS_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"'{path}' is damaged ({error}): copy it again.") from None
    if len(content) > MAX_CUTS_BYTES:
        raise DataError(f"'{path}' is larger than {MAX_CUTS_BYTES / 2**30:.0f} GiB unpacked: make smaller shards.")
    rows = list(manifest.rows_of(io.BytesIO(content), path))
    size = files.size(tar) or math.inf
    said = [_place(row, size) for _, row in rows]
    is_right = all(place and _agrees(files, tar, rows[end][1], place) for end, place in ((0, said[0]), (-1, said[-1])))
    found = None if is_right and None not in said else _look_up(files, tar)
    for (where, row), place in zip(rows, said, strict=True):
        if found is None:
            assert place is not None
            (first, length), member = place, f"{row.get('id')}.flac"
        elif str(row.get("id")) in found:
            first, length, member = found[str(row["id"])]
        else:
            raise DataError(f"{where}: '{tar}' has no sound of the cut {row.get('id')!r}: copy it again.")
        yield _utterance(row, where, shown / f"{first}+{length}:{member.replace('/', '_')}")


def _utterance(row: manifest.Row, where: str, path: Path) -> Utterance:
    said = row.get("supervisions")
    if row.get("type") != "MonoCut" or not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], dict):
        raise DataError(f"{where}: a cut must have one channel and one supervision, the transcript of the whole cut.")
    custom = said[0].get("custom")
    known = custom if isinstance(custom, dict) else {}
    flat = {"id": row.get("id"), "audio_filepath": str(path), "duration": row.get("duration")}
    flat |= {"text": said[0].get("text"), "speaker": said[0].get("speaker"), "gender": said[0].get("gender")}
    flat |= {name: known.get(name) for name in ("split", "age", "accent")}
    return manifest.utterance(flat, where, Path())


def _place(row: manifest.Row, size: float) -> tuple[int, int] | None:
    """Where the sound of a cut is in its tar of some size, if the cut says so: its first byte and length."""
    custom = row.get("custom")
    place = custom.get("tar") if isinstance(custom, dict) else None
    if isinstance(place, list) and len(place) == 2 and all(type(n) is int and n >= 0 for n in place):
        return (place[0], place[1]) if sum(place) <= size else None
    return None


def _agrees(files: Any, tar: str, row: manifest.Row, place: tuple[int, int]) -> bool:
    """Whether the sound of a cut is at a place of its tar, by the header before it; a copy may have another tar."""
    first, length = place
    try:
        head = files.cat_file(tar, start=max(0, first - tarfile.BLOCKSIZE), end=first)
        member = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return member.size == length and f"{row.get('id')}.flac".startswith(member.name)


def _look_up(files: Any, path: str) -> dict[str, tuple[int, int, str]]:
    """The places of the sounds in a tar by the id of their cut, read from its headers."""
    try:
        with files.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = [(member.name, member.offset_data, member.size) for member in tar if member.isfile()]
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"'{path}' is damaged ({error}): copy it again.") from None
    return {
        name.removesuffix(Path(name).suffix): (first, size, name)
        for name, first, size in members
        if not name.endswith((".json", ".nometa"))
    }


def is_member(path: Path) -> bool:
    """Whether an utterance's audio is in a shard."""
    return path.parent.suffix == ".tar" and MEMBER.match(path.name) is not None


def read_member(path: Path) -> bytes:
    """The file of an utterance in a shard. Raises AudioError when it cannot be read."""
    match = MEMBER.match(path.name)
    assert match is not None, path
    try:
        first, length = int(match["first"]), int(match["length"])
        files, tar = _store(str(path.parent))
        content = files.cat_file(tar, start=first, end=first + length)
    except Exception as error:  # each store has errors of its own
        raise AudioError(f"'{path.parent}' cannot be read: {error}.") from error
    if len(content) != length:
        raise AudioError(
            f"'{path.parent}' gave {len(content):,} bytes instead of {length:,} from byte {first:,} on: it ends "
            "before, or its server cannot send parts of files."
        )
    return content


def _lists(files: Any, folder: str) -> list[str]:
    """The lists of cuts in a folder, in order."""
    return sorted(path for path in files.ls(folder, detail=False) if re.search(r"/cuts\.\d+\.jsonl\.gz$", path))


def _store(url: str) -> tuple[Any, str]:
    """The file system of a URL or local path, and the path in it. Raises DataError when there is no such store."""
    whole = re.sub(r"^([a-z][a-z0-9+.-]+):/+(?!/)", r"\1://", url)  # pathlib joins the two slashes of a URL
    try:
        return fsspec.core.url_to_fs(whole)
    except (ImportError, ValueError) as error:
        raise DataError(f"'{whole}' cannot be opened: {error}.") from None
