"""Manifests: which stretch of which sound file says what, one JSON object a line.

    {"id": "19-227-0000", "audio_filepath": "audio/19-227-0000.opus", "duration": 15.025, "text": "CHAPTER THIRTY"}

The keys are NeMo's, with `id`, `speaker` and `split` added, and `gender`, `age` and `accent` of the speaker, so a NeMo
manifest reads as it is. Audio below the manifest's folder is stored by relative path, so that the folder can be moved.
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

REQUIRED = ("audio_filepath", "duration", "text")
OPTIONAL = ("id", "offset", "speaker", "split")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of sound and its transcript."""

    id: str
    """Unique in its manifest."""
    audio_filepath: Path
    """The sound file; absolute after reading."""
    duration: float
    """Length of the stretch in seconds, above 0."""
    text: str
    """The transcript as the corpus has it, not normalised."""
    offset: float = 0.0
    """Where in the file the stretch begins, in seconds."""
    speaker: str | None = None
    split: str | None = None
    """The part of the corpus: train, dev, test or another plain name."""
    gender: str | None = None
    """Of the speaker, as the two below: in the forms of `asr.data.traits`."""
    age: str | None = None
    accent: str | None = None


# Up to `claim_id`: the rules of a row, shared with `corpora`, whose JSONL corpora have partly other keys.


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield (where, object) for each line that is not blank; `where` names file and line.

    Raises:
        DataError: no such file, a line that is not UTF-8 or not a JSON object, or no line at all.
    """
    empty = True
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.isspace():
                    continue
                empty = False
                where = f"{path}, line {number}"
                yield where, _parse(line, where)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if empty:
        raise DataError(f"{path} has no rows; at least one is needed.")


def _parse(line: bytes, where: str) -> Row:
    try:
        # All numbers become floats: an integer of 400 digits is then infinite and no OverflowError.
        row = json.loads(line.decode("utf-8-sig"), parse_int=float)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: this is not UTF-8 text; save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}, column {error.colno}: this is not JSON ({error.msg}); each line has to be one object."
        ) from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: a row has to be an object, {{...}}, not {_kind(row)}.")
    return row


def check_keys(row: Row, required: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    """Refuse a row that lacks a required key, or an optional one for which an unknown key looks like a slip."""
    unknown = tuple(key for key in row if key not in required and key not in optional)
    for key in required:
        if row.get(key) is None:
            slip = _slip(key, unknown, 0.5)
            hint = f' (is "{slip}" meant for it?)' if slip else ""
            raise DataError(f'{where}: the key "{key}" is missing{hint}; a row needs {", ".join(required)}.')
    for key in optional:
        # Dropping "offest" would pair the text with other sound. The cutoff lets "speaker_id" (0.824) pass.
        if row.get(key) is None and (slip := _slip(key, unknown, 0.83)):
            raise DataError(f'{where}: the key "{slip}" is unknown; write "{key}" if that is meant.')


@functools.lru_cache
def _slip(key: str, unknown: tuple[str, ...], cutoff: float) -> str | None:
    """The unknown key that resembles `key` most; cached, for the rows of a file mostly have the same keys."""
    return next(iter(difflib.get_close_matches(key, unknown, n=1, cutoff=cutoff)), None)


def string(row: Row, key: str, where: str) -> str | None:
    """The string at `key`, or None where the row has none (or null). Only `text` may be empty."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise DataError(f'{where}: "{key}" has to be a string, not {_kind(value)}.')
    if value == "" and key != "text":
        raise DataError(f'{where}: "{key}" is empty; give it a value.')
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise DataError(f'{where}: "{key}" has half a surrogate pair, {value!a}; write whole characters.') from error
    return value


def seconds(row: Row, key: str, where: str) -> float | None:
    """The time at `key` in seconds, or None where the row has none (or null). Only `offset` may be 0."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, float):
        raise DataError(f'{where}: "{key}" has to be a number of seconds, not {_kind(value)}.')
    rule = "0 or more" if key == "offset" else "more than 0"
    if not math.isfinite(value) or value < 0 or (value == 0 and key != "offset"):
        raise DataError(f'{where}: "{key}" is {value:g}; it has to be a finite number of seconds, {rule}.')
    return value


def default_id(audio: str, offset: float) -> str:
    """The id of a row without one: its path as written, less the suffix; `@` and the offset where that is above 0."""
    name = audio.removesuffix(Path(audio).suffix)
    return f"{name}@{offset}" if offset else name


def claim_id(name: str, where: str, seen: dict[str, str]) -> None:
    """Note in `seen` that the id `name` belongs to the row at `where`, and refuse it to a second row."""
    if name in seen:
        raise DataError(f'{where}: the id "{name}" is taken by {seen[name]}; ids have to differ.')
    seen[name] = where


def _kind(value: object) -> str:
    if isinstance(value, float):
        return f"the number {value:g}"
    return {bool: "true or false", str: "a string", list: "a list", dict: "an object"}.get(type(value), "null")


def _utterance(row: Row, where: str, folder: Path) -> Utterance:
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
    """Read a manifest; the sound files are not touched.

    A relative `audio_filepath` is taken from the manifest's folder. A row without `id` gets `default_id`. Keys that
    are not ours are dropped, for NeMo's manifests have many; one that looks like a slip for ours is an error. Blank
    lines are passed over.

    Raises:
        DataError: the file cannot be read or has no row; a row is no JSON object, lacks a key, or has a value of the
            wrong kind or range; two rows have one id. The sentence names file and line.
    """
    path = Path(path)
    folder = path.parent.absolute()
    seen: dict[str, str] = {}
    utterances = []
    for where, row in rows(path):
        utterance = _utterance(row, where, folder)
        claim_id(utterance.id, where, seen)
        utterances.append(utterance)
    return utterances


def write(utterances: Iterable[Utterance], path: Path | str) -> None:
    """Write a manifest, whole or not at all.

    Raises:
        DataError: the file cannot be written, or the name of a sound file has no UTF-8 form.
    """
    path = Path(path)
    folder = path.parent.absolute()
    try:
        with replacing(path) as file:
            file.writelines(_line(utterance, folder) for utterance in utterances)
    except UnicodeEncodeError as error:
        raise DataError(f"{path} cannot be written: {error.object!r} has no UTF-8 form.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.") from error
