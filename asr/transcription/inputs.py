"""Expand the user's inputs (files, folders, patterns, a list) to recordings, each with the name of its outputs."""

import codecs
import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from asr.errors import AsrError, DataError
from asr.files import below

STDIN = "-"
MAX_PATH = 4096
"""Longest path that systems can open."""
LIST_HEAD_BYTES = 4096
"""A NUL among these first bytes of a list shows that it is no text."""


@dataclass(frozen=True)
class Input:
    """A recording to transcribe."""

    source: str
    """A path, or "-" for standard input."""
    name: str
    """Path of its outputs, relative to the output folder and without suffix."""
    problem: str = ""
    """Why it cannot be transcribed, as a sentence, where that is known without reading it."""


def expand(paths: Iterable[str], list_file: str | None = None) -> list[Input]:
    """List all recordings, each once, in the order of the arguments, those of a folder sorted.

    Args:
        paths: files, "-", folders (searched recursively for audio and video), and patterns such as "calls/**/*.mp3".
            What is missing or cannot be audio is kept, with its `problem`.
        list_file: a text file with one path per line; "-" is standard input.

    Raises:
        DataError: the list cannot be read, is empty or is not text.
        AsrError: the outputs of two recordings would have the same name.
    """
    inputs = [recording for path in paths for recording in _expand_path(path)]
    if list_file is not None:
        inputs += listed(read_list(list_file))
    return unique(inputs)


def listed(paths: Sequence[str]) -> list[Input]:
    """The files of a list, named relative to the folder that contains all of them."""
    if not paths:
        return []
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - without "..", unlike Path.absolute
    parent = os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120
    return [_file(path, _stem(os.path.relpath(full, parent))) for path, full in zip(paths, absolute, strict=True)]


def unique(inputs: Iterable[Input]) -> list[Input]:
    """The recordings, each once, with names that differ. Raises AsrError if that cannot be."""
    return _with_unique_names(list({recording.source: recording for recording in inputs}.values()))


def _expand_path(path: str) -> list[Input]:
    """Expand one argument."""
    if path == STDIN:
        return [Input(path, "stdin")]
    if Path(path).is_dir():
        files = [str(file) for file in below(Path(path)) if file.suffix.lower() in AUDIO_SUFFIXES + VIDEO_SUFFIXES]
        if not files:
            problem = f"The folder '{path}' contains no audio or video files: give another folder, or files by name."
            return [Input(path, Path(path).name, problem)]
        return [Input(file, _stem(os.path.relpath(file, path))) for file in files]
    if glob.has_magic(path) and not Path(path).exists():
        prefix = path[: min(path.find(wildcard) for wildcard in "*?[" if wildcard in path)]
        root = os.path.dirname(prefix) or "."  # noqa: PTH120 - "calls/a" and "calls/" differ
        matches = sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
        if not matches:
            problem = f"No file matches the pattern '{path}': check its folder, or give files by name."
            return [Input(path, "pattern", problem)]
        return [Input(file, _stem(os.path.relpath(file, root))) for file in matches]
    return [_file(path, Path(path).stem)]


def _file(path: str, name: str) -> Input:
    """A file that was given by name, with the problem that its name tells."""
    problem = ""
    if len(path) > MAX_PATH:
        problem = f"'{path[:40]}...' is no path: it has {len(path):,} characters; give the path of an audio file."
    elif re.match(r"[a-z]{2,8}://", path, re.IGNORECASE):
        problem = f"'{path}' is a URL, and nothing is downloaded: download the file and give its path."
    elif not os.path.lexists(path):
        problem = f"'{path}' does not exist: give the path of an audio file."
    elif path.lower().endswith(".onnx"):
        problem = f"'{path}' is a model, not a recording: give it with `--model`."
    return Input(path, name, problem)


def read_list(list_file: str) -> list[str]:
    """Read a list of paths, one per line; "-" is standard input.

    Raises:
        DataError: the list cannot be read, is empty or is not text.
    """
    if list_file == STDIN and sys.stdin is None:
        raise DataError("Standard input is closed, so the list cannot be read from it: give a text file.")
    try:
        content = sys.stdin.buffer.read() if list_file == STDIN else Path(list_file).read_bytes()
    except OSError as error:
        raise DataError(f"The list '{list_file}' cannot be read ({error.strerror}): give a text file.") from error
    if b"\0" in content[:LIST_HEAD_BYTES]:
        raise DataError(
            f"The list '{list_file}' is not a text file: give one with the path of a recording per line, or, if it is "
            "a recording, give it without `--list`."
        )
    lines = content.removeprefix(codecs.BOM_UTF8).splitlines()  # a byte order mark, as written by Windows editors
    paths = [os.fsdecode(line) for line in lines if line.strip()]
    if not paths:
        raise DataError(f"The list '{list_file}' is empty: give a text file with the path of one recording per line.")
    return paths


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]  # noqa: PTH122 - Path would change "./a" and "a/"


def _with_unique_names(inputs: list[Input]) -> list[Input]:
    """Make names unique: keep the suffix where only that differs, as in a.wav and a.mp3, then the folder."""
    inputs = _rename_duplicates(inputs, lambda recording: recording.name + Path(recording.source).suffix)
    if duplicates := _duplicates(inputs):
        parent = os.path.commonpath([os.path.dirname(os.path.abspath(one.source)) for one in duplicates])  # noqa: PTH100, PTH120
        inputs = _rename_duplicates(
            inputs,
            lambda recording: _stem(os.path.relpath(os.path.abspath(recording.source), parent)),  # noqa: PTH100
        )
    by_name: dict[str, Input] = {}
    for recording in inputs:
        if recording.problem:  # nothing is written for it
            continue
        if recording.name in by_name:
            raise AsrError(
                f"'{by_name[recording.name].source}' and '{recording.source}' would both be written to "
                f"{recording.name!r}: transcribe them separately, or give the folder that contains both."
            )
        by_name[recording.name] = recording
    return inputs


def _duplicates(inputs: list[Input]) -> list[Input]:
    """Select the recordings whose names are not unique."""
    counts = Counter(recording.name for recording in inputs)
    return [recording for recording in inputs if counts[recording.name] > 1]


def _rename_duplicates(inputs: list[Input], name: Callable[[Input], str]) -> list[Input]:
    """Rename the recordings whose names are not unique."""
    duplicates = set(_duplicates(inputs))
    return [replace(recording, name=name(recording)) if recording in duplicates else recording for recording in inputs]
