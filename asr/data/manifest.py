"""Manifests: segments of audio files with their transcripts, one JSON object per line.

    {"id": "19-227-0000", "audio_filepath": "audio/19-227-0000.opus", "duration": 15.025, "text": "CHAPTER THIRTY"}

The keys are NeMo's plus `id`, `speaker`, `split`, and the speaker's `gender`, `age` and `accent`, so a NeMo manifest
can be read as it is. Paths of audio files below the manifest's folder are relative, so that the folder can be moved.
"""

import difflib
import functools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.data import traits
from asr.errors import DataError
from asr.files import replacing

MAX_DIGITS = 300
"""Digits of a whole number that is certainly within the range of floats."""
REQUIRED = ("audio_filepath", "duration", "text")
OPTIONAL = ("id", "offset", "speaker", "split")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A segment of an audio file and its transcript."""

    id: str
    """Unique in its manifest."""
    audio_filepath: Path
    """The audio file; absolute after reading."""
    duration: float
    """Length of the segment in seconds, above 0."""
    text: str
    """The transcript as in the corpus, not normalised."""
    offset: float = 0.0
    """Start of the segment in the file, in seconds."""
    speaker: str | None = None
    split: str | None = None
    """The split of the corpus: train, dev, test or another plain name."""
    gender: str | None = None
    """The speaker's gender; this and the two fields below are normalised by `asr.data.traits`."""
    age: str | None = None
    accent: str | None = None


# Up to `claim_id`: validation of rows, shared with `corpora`, whose JSONL corpora have partly different keys.


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield (where, object) for each line that is not blank; `where` names file and line.

    Raises:
        DataError: the file does not exist or has no lines, or a line is not UTF-8 or not a JSON object.
    """
    try:
        with path.open("rb") as file:
            yield from rows_of(file, str(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def rows_of(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, Row]]:
    """Yield (where, object) for each line of an open file that is not blank. Raises DataError as `rows`."""
    empty = True
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        empty = False
        where = f"{name}, line {number}"
        yield where, _parse(line, where)
    if empty:
        raise DataError(f"{name} has no rows; at least one is needed.")


def _parse(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_int=_whole_number)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: this is not UTF-8 text; save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}, column {error.colno}: this is not JSON ({error.msg}); each line must be one object."
        ) from error
    except RecursionError:
        raise DataError(f"{where}: JSON is nested too deeply; a row is an object with simple values.") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: a row must be an object, {{...}}, not {_kind(row)}.")
    return row


def _whole_number(digits: str) -> int | float:
    """An integer; one too long for a float is infinite, and not an OverflowError later."""
    return int(digits) if len(digits) < MAX_DIGITS else float(digits)


def check_keys(row: Row, required: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    """Raise DataError if a required key is missing, or an unknown key looks like a misspelt optional key."""
    unknown_keys = tuple(key for key in row if key not in required and key not in optional)
    for key in required:
        if row.get(key) is None:
            misspelt = _closest(key, unknown_keys, 0.5)
            hint = f' (is "{misspelt}" a typo?)' if misspelt else ""
            raise DataError(f'{where}: the key "{key}" is missing{hint}; a row needs {", ".join(required)}.')
    for key in optional:
        # Dropping "offest" would pair the text with the wrong audio. The cutoff accepts "speaker_id" (0.824).
        if row.get(key) is None and (misspelt := _closest(key, unknown_keys, 0.83)):
            raise DataError(f'{where}: the key "{misspelt}" is unknown; did you mean "{key}"?')


@functools.lru_cache
def _closest(key: str, candidates: tuple[str, ...], cutoff: float) -> str | None:
    """The candidate most similar to `key`; cached because most rows of a file have the same keys."""
    return next(iter(difflib.get_close_matches(key, candidates, n=1, cutoff=cutoff)), None)


def string(row: Row, key: str, where: str) -> str | None:
    """The string at `key`, or None if it is missing or null. Only `text` may be empty; ids and speakers may be
    numbers."""
    value = row.get(key)
    if key in ("id", "speaker") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise DataError(f'{where}: "{key}" must be a string, not {_kind(value)}.')
    if value == "" and key != "text":
        raise DataError(f'{where}: "{key}" is empty; give it a value.')
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise DataError(f'{where}: "{key}" has an unpaired surrogate, {value!a}; write complete characters.') from error
    return value


def seconds(row: Row, key: str, where: str) -> float | None:
    """The time at `key` in seconds, or None if it is missing or null. Only `offset` may be 0."""
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f'{where}: "{key}" must be a number of seconds, not {_kind(value)}.')
    value = float(value)
    rule = "0 or more" if key == "offset" else "more than 0"
    if not math.isfinite(value) or value < 0 or (value == 0 and key != "offset"):
        raise DataError(f'{where}: "{key}" is {value:g}; it must be a finite number of seconds, {rule}.')
    return value


def default_id(audio: str, offset: float) -> str:
    """The default id of a row: its path as written without the suffix, plus `@` and the offset if that is above 0."""
    name = audio.removesuffix(Path(audio).suffix)
    return f"{name}@{offset}" if offset else name


def claim_id(name: str, where: str, seen: dict[str, str]) -> None:
    """Record in `seen` that the id `name` is used at `where`; raise DataError if it is already used."""
    if name in seen:
        raise DataError(f'{where}: the id "{name}" is already used in {seen[name]}; ids must be unique.')
    seen[name] = where


def _kind(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"the number {value:g}"
    return {bool: "true or false", str: "a string", list: "a list", dict: "an object"}.get(type(value), "null")


def utterance(row: Row, where: str, folder: Path) -> Utterance:
    """Check a row and make an utterance of it. Raises DataError."""
    check_keys(row, REQUIRED, OPTIONAL, where)
    audio, text = string(row, "audio_filepath", where), string(row, "text", where)
    duration, offset = seconds(row, "duration", where), seconds(row, "offset", where)
    assert audio is not None and text is not None and duration is not None
    return Utterance(
        id=string(row, "id", where) or default_id(audio, offset or 0.0),
        audio_filepath=folder / audio,
        duration=duration,
        text=text,
        offset=offset or 0.0,
        speaker=string(row, "speaker", where),
        split=string(row, "split", where),
        **traits.of(row),
    )


def _line(utterance: Utterance, folder: Path) -> bytes:
    audio = utterance.audio_filepath.absolute()
    if audio.is_relative_to(folder) and ".." not in (below := audio.relative_to(folder)).parts:
        audio = below
    row = {
        "id": utterance.id,
        "audio_filepath": audio.as_posix(),
        "offset": utterance.offset,
        "duration": utterance.duration,
        "text": utterance.text,
        "speaker": utterance.speaker,
        "split": utterance.split,
        **{trait: getattr(utterance, trait) for trait in traits.TRAITS},
    }
    known = {key: value for key, value in row.items() if value is not None}
    return json.dumps(known, ensure_ascii=False).encode() + b"\n"


def read(path: Path | str) -> list[Utterance]:
    """Read a manifest as a list; see `iterate`."""
    return list(iterate(path))


def iterate(path: Path | str) -> Iterator[Utterance]:
    """Read a manifest row by row; the audio files are not opened.

    A relative `audio_filepath` is relative to the manifest's folder. A row without `id` gets `default_id`. Unknown keys
    are ignored because NeMo's manifests have many, but one that looks like a misspelling is an error. Blank lines are
    skipped.

    Raises:
        DataError: the file cannot be read or has no rows; a row is not a JSON object, lacks a key, or has a value of
            the wrong type or range; an id occurs twice. The message names file and line.
    """
    path = Path(path)
    folder = path.parent.absolute()
    seen: dict[str, str] = {}
    for where, row in rows(path):
        made = utterance(row, where, folder)
        claim_id(made.id, where, seen)
        yield made


def write(utterances: Iterable[Utterance], path: Path | str) -> None:
    """Write a manifest atomically.

    Raises:
        DataError: the file cannot be written, or the name of an audio file cannot be encoded as UTF-8.
    """
    path = Path(path)
    folder = path.parent.absolute()
    try:
        with replacing(path) as file:
            file.writelines(_line(utterance, folder) for utterance in utterances)
    except UnicodeEncodeError as error:
        raise DataError(f"{path} cannot be written: {error.object!r} cannot be encoded as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from error
