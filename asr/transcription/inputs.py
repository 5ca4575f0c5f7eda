"""What a user names (files, folders, patterns, a list) -> the sounds, and the names of what is written about them."""

import codecs
import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from asr.errors import AsrError, DataError
from asr.files import below

SOUND = (
    ".aac",
    ".ac3",
    ".aif",
    ".aifc",
    ".aiff",
    ".amr",
    ".au",
    ".caf",
    ".flac",
    ".m4a",
    ".m4b",
    ".mka",
    ".mp2",
    ".mp3",
)
SOUND += (".mpga", ".oga", ".ogg", ".opus", ".sph", ".w64", ".wav", ".wma")
VIDEO = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv")
"""Endings of the files that are taken from a folder; a file that is named itself may have any."""
STDIN = "-"


@dataclass(frozen=True)
class Input:
    """A sound."""

    source: str
    """A path, or "-" for standard input."""
    name: str
    """The path of what is written about it, below the output folder and without its ending."""


def expand(given: Iterable[str], listed: str | None = None) -> list[Input]:
    """All sounds that are meant, each once, in the order in which they are named, those of a folder sorted.

    Args:
        given: files, "-", folders (searched with all below them for sounds), and patterns such as "calls/**/*.mp3".
            What is not there stays, so that it is told like any file that cannot be read.
        listed: a text file with a path a line; "-" is standard input.

    Raises:
        DataError: the list cannot be read or has no path.
        AsrError: two sounds would have the same name.
    """
    found = [each for path in given for each in _meant(path)]
    if listed is not None:
        paths = _lines(listed)
        parent = os.path.commonpath([str(Path(path).absolute().parent) for path in paths])
        found += [Input(path, _stem(os.path.relpath(Path(path).absolute(), parent))) for path in paths]
    once = {each.source: each for each in found}
    return _apart(list(once.values()))


def _meant(path: str) -> list[Input]:
    """The sounds that one argument means."""
    if path == STDIN:
        return [Input(path, "stdin")]
    if Path(path).is_dir():
        inside = [str(file) for file in below(Path(path)) if file.suffix.lower() in SOUND + VIDEO]
        return [Input(file, _stem(os.path.relpath(file, path))) for file in inside] or [Input(path, Path(path).name)]
    if glob.has_magic(path) and not Path(path).exists():
        fixed = path[: min(path.find(sign) for sign in "*?[" if sign in path)]
        root = os.path.dirname(fixed) or "."  # noqa: PTH120 - "calls/a" and "calls/" differ
        matched = sorted(file for file in glob.glob(path, recursive=True) if Path(file).is_file())  # noqa: PTH207
        return [Input(file, _stem(os.path.relpath(file, root))) for file in matched] or [Input(path, "pattern")]
    return [Input(path, Path(path).stem)]


def _lines(listed: str) -> list[str]:
    if listed == STDIN and sys.stdin is None:
        raise DataError("Standard input is closed, and the list was to come from there: give a text file.")
    try:
        content = sys.stdin.buffer.read() if listed == STDIN else Path(listed).read_bytes()
    except OSError as error:
        raise DataError(f"The list '{listed}' cannot be read ({error.strerror}): give a text file.") from error
    lines = content.removeprefix(codecs.BOM_UTF8).splitlines()  # a byte order mark, as Windows' editors write it
    paths = [os.fsdecode(line) for line in lines if line.strip()]
    if not paths:
        raise DataError(f"The list '{listed}' is empty: give a text file with the path of a sound a line.")
    return paths


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]  # noqa: PTH122 - Path would change "./a" and "a/"


def _apart(inputs: list[Input]) -> list[Input]:
    """Keep the endings of sounds that differ in nothing else, as in a.wav and a.mp3, then their folders."""
    inputs = _renamed(inputs, lambda each: each.name + Path(each.source).suffix)
    if alike := _alike(inputs):
        parent = os.path.commonpath([Path(each.source).absolute().parent for each in alike])
        inputs = _renamed(inputs, lambda each: _stem(os.path.relpath(Path(each.source).absolute(), parent)))
    first: dict[str, Input] = {}
    for each in inputs:
        if each.name in first:
            raise AsrError(
                f"'{first[each.name].source}' and '{each.source}' would both be written to {each.name!r}: transcribe "
                "them apart, or give the folder that holds both."
            )
        first[each.name] = each
    return inputs


def _alike(inputs: list[Input]) -> list[Input]:
    """Those whose names others have, too."""
    counts = Counter(each.name for each in inputs)
    return [each for each in inputs if counts[each.name] > 1]


def _renamed(inputs: list[Input], name: Callable[[Input], str]) -> list[Input]:
    """All, with other names for those that are alike."""
    alike = set(_alike(inputs))
    return [replace(each, name=name(each)) if each in alike else each for each in inputs]
