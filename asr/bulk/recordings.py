"""The recordings of a job: from files, folders, patterns, lists and manifests, on the local disk or in a store."""

import os
import posixpath
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from asr.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from asr.bulk.store import file_system, is_url, open_store, os_errors
from asr.data import manifest
from asr.errors import DataError
from asr.transcription.inputs import STDIN, Input, expand, listed, read_list, unique

WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, or a segment of one."""

    name: str
    """Its id in a manifest, else the relative path of its outputs without suffix; unique in a job."""
    source: str
    """An absolute path, or a URL."""
    offset_s: float = 0.0
    duration_s: float | None = None
    """Length of the segment; None is up to the end."""

    def to_row(self) -> dict[str, Any]:
        """The fields that are not their default."""
        row = asdict(self)
        if self.duration_s is None:
            del row["offset_s"], row["duration_s"]
        return row


def collect(paths: Iterable[str], list_file: str | None = None) -> tuple[list[Recording], list[str]]:
    """List all recordings, in the order of the arguments, those of a folder sorted; and what is wrong with others.

    Args:
        paths: files, folders, patterns and manifests (.jsonl), local or as URLs.
        list_file: a local text file with a path or URL per line; "-" is standard input.

    Returns:
        the recordings, and a sentence for each path that cannot be one.

    Raises:
        DataError: a list or manifest violates its format, or an id is used twice or is no relative path.
        AsrError: a URL cannot be opened, or the outputs of two recordings would have the same name.
        OSError: a store cannot be read.
    """
    files: list[Input] = []
    segments: list[Recording] = []
    for path in paths:
        if path == STDIN:
            raise DataError("A job cannot contain standard input, which is read only once: give files.")
        if path.lower().endswith(".jsonl"):
            segments += _manifest(path)
        else:
            files += _remote(path) if is_url(path) else expand([path])
    if list_file is not None:
        lines = read_list(list_file)
        files += _listed_urls([line for line in lines if is_url(line)])
        files += listed([line for line in lines if not is_url(line)])
    files = unique(files)
    found = [Recording(one.name, _absolute(one.source)) for one in files if not one.problem] + segments
    _check_names(found)
    return found, [one.problem for one in files if one.problem]


def _absolute(path: str) -> str:
    return path if is_url(path) else os.path.abspath(path)  # noqa: PTH100 - without "..", unlike Path.absolute


def _stem(path: str) -> str:
    return posixpath.splitext(path)[0]


def _check_names(recordings: Iterable[Recording]) -> None:
    seen: dict[str, str] = {}
    for one in recordings:
        parts = PurePosixPath(one.name).parts
        if ".." in parts or one.name.startswith("/"):
            raise DataError(
                f"The id {one.name!r} of '{one.source}' cannot name a file below a folder: ids must be relative paths "
                "without '..'."
            )
        manifest.claim_id(one.name, f"'{one.source}'", seen)


def _remote(url: str) -> list[Input]:
    """Expand a URL: a file, a folder, or a pattern."""
    system, path = file_system(url)
    with os_errors(url):
        is_pattern = any(wildcard in path for wildcard in WILDCARDS)
        if is_pattern:
            root = path[: min(path.find(wildcard) for wildcard in WILDCARDS if wildcard in path)].rpartition("/")[0]
            files = sorted(system.glob(path))
        elif _is_audio(path) or not system.isdir(path):
            return [Input(url, _stem(posixpath.basename(path)))]
        else:
            root = path.rstrip("/")
            files = sorted(system.find(path))
    files = [file for file in files if is_pattern or _is_audio(file)]
    if not files:
        return [Input(url, "url", f"'{url}' has no audio or video files: check the address.")]
    return [Input(system.unstrip_protocol(file), _stem(posixpath.relpath(file, root or "/"))) for file in files]


def _listed_urls(urls: Sequence[str]) -> list[Input]:
    """The URLs of a list, named relative to the folder that contains all of them."""
    parent = posixpath.commonpath([posixpath.dirname(url) for url in urls]) if urls else ""
    return [Input(url, _stem(posixpath.relpath(url, parent))) for url in urls]


def _is_audio(path: str) -> bool:
    return path.lower().endswith(AUDIO_SUFFIXES + VIDEO_SUFFIXES) and not posixpath.basename(path).startswith(".")


def _manifest(path: str) -> Iterator[Recording]:
    """Read a manifest; a row with an offset is a segment, one without is all of its file."""
    if not is_url(path):
        yield from _rows(Path(path), os.path.dirname(_absolute(path)))  # noqa: PTH120
        return
    folder, _, name = path.rpartition("/")
    with tempfile.TemporaryDirectory() as scratch:
        yield from _rows(open_store(folder).local(name, Path(scratch)), folder)


def _rows(path: Path, folder: str) -> Iterator[Recording]:
    for where, row in manifest.rows(path):
        manifest.check_keys(row, ("audio_filepath",), ("id", "offset", "duration"), where)
        audio = manifest.string(row, "audio_filepath", where)
        offset, duration = manifest.seconds(row, "offset", where), manifest.seconds(row, "duration", where)
        assert audio is not None
        source = audio if is_url(audio) or audio.startswith("/") else f"{folder}/{audio}"
        name = manifest.string(row, "id", where) or manifest.default_id(audio, offset or 0.0).lstrip("/")
        if offset is None:
            yield Recording(name, source)
        elif duration is None:
            raise DataError(f'{where}: a row with "offset" needs "duration", the length of the segment in seconds.')
        else:
            yield Recording(name, source, offset, duration)
