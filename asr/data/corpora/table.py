"""Tables: .csv and .tsv files with a header, such as Common Voice's (https://commonvoice.mozilla.org)."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_split, collected, lines
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent

DIALECTS: dict[str, dict[str, Any]] = {
    ".csv": {"delimiter": ",", "strict": True},
    ".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
}
"""Suffix -> arguments of `csv.reader`. In Common Voice's .tsv files, quotation marks are ordinary characters."""

COLUMNS = {
    "audio": ("audio", "path", "audio_filepath"),
    "text": ("text", "sentence", "transcript"),
    "id": ("id",),
    "offset": ("offset",),
    "duration": ("duration",),
    "speaker": ("speaker", "client_id"),
    "split": ("split",),
}
"""Content of a column -> its possible names in the header; the first two columns are required."""

TRAIT_COLUMNS = {"gender": "gender", "age": "age", "accent": "accent", "accents": "accent"}
"""Column about the speaker -> trait. The name of the accent column depends on the version of Common Voice."""

SPLIT_NAMES = ("train", "dev", "test", "validated")
"""A file with one of these names is the split of that name; rows of other files have the split "all"."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read a table with one utterance per row; columns not listed in `COLUMNS` or `TRAIT_COLUMNS` are ignored.

    Paths of audio files are relative to the table's folder, or to its folder `clips` in Common Voice's layout (columns
    `path` and `sentence`, and a folder `clips`). Without a duration the audio file is collected.

    Raises:
        DataError: the table cannot be read or has no rows; a column is missing, duplicate or looks misspelt; a row has
            more or fewer cells than the header, or a cell of the wrong type or range; an id occurs twice; an audio file
            is missing.
        AudioError: an audio file to be collected cannot be read.
    """
    records = _records(source)
    where, header = next(records, (f"{source}, line 1", []))
    columns = _columns(header, where)
    folder = source.absolute().parent
    if header[columns["audio"]] == "path" and header[columns["text"]] == "sentence" and (folder / "clips").is_dir():
        folder = folder / "clips"
    split = source.stem if source.stem in SPLIT_NAMES else "all"
    seen: dict[str, str] = {}
    utterances = []
    for where, cells in records:
        if len(cells) != len(header):
            raise DataError(f"{where}: the row has {len(cells)} cells, and the header has {len(header)}.")
        utterance = _utterance({key: cells[index] for key, index in columns.items()}, split, folder, where)
        row_traits = {
            TRAIT_COLUMNS[name]: cell for name, cell in zip(header, cells, strict=True) if name in TRAIT_COLUMNS
        }
        utterance = replace(utterance, **traits.of(row_traits))
        manifest.claim_id(utterance.id, where, seen)
        utterances.append(utterance)
    if not utterances:
        raise DataError(f"{source} has no rows; at least one is needed.")
    return collected(utterances, [], progress)


def _records(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (where, cells) for each row that is not blank, the header first."""
    if source.suffix.lower() not in DIALECTS:
        raise DataError(f"{source} must end in .csv (comma-separated) or .tsv (tab-separated).")
    reader = csv.reader((line for _, line in lines(source)), **DIALECTS[source.suffix.lower()])
    try:
        for cells in reader:
            if cells:
                yield f"{source}, line {reader.line_num}", cells
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: this is not a valid row of a table ({error}).") from error


def _columns(header: list[str], where: str) -> dict[str, int]:
    """Key of `COLUMNS` -> index of the column, for the columns in the header."""
    columns = {}
    for key, names in COLUMNS.items():
        indices = [index for index, name in enumerate(header) if name in names]
        if len(indices) > 1:
            duplicates = ", ".join(header[index] for index in indices)
            raise DataError(f"{where}: the columns {duplicates} all hold the {key}; keep one of them.")
        if indices:
            columns[key] = indices[0]
        elif key in ("audio", "text"):
            raise DataError(
                f"{where}: none of the columns ({', '.join(header)}) holds the {key}; name one of them "
                f"{', '.join(names[:-1])} or {names[-1]}."
            )
    known_names = tuple(name for names in COLUMNS.values() for name in names)
    manifest.check_keys(dict.fromkeys(header, ""), (), known_names, where)
    return columns


def _utterance(row: dict[str, str], split: str, folder: Path, where: str) -> Utterance:
    """The utterance of a row, its duration 0 if unknown; an empty cell counts as missing."""
    if not row["audio"]:
        raise DataError(f"{where}: the cell with the path of the audio file is empty; fill it in.")
    split = row.get("split") or split
    check_split(split, where)
    offset = _seconds(row, "offset", where)
    return Utterance(
        id=row.get("id") or manifest.default_id(row["audio"], offset),
        audio_filepath=folder / row["audio"],
        duration=_seconds(row, "duration", where),
        text=row["text"],
        offset=offset,
        speaker=row.get("speaker") or None,
        split=split,
    )


def _seconds(row: dict[str, str], key: str, where: str) -> float:
    """The time in a cell in seconds, 0 if it is empty."""
    cell = row.get(key)
    if not cell:
        return 0.0
    try:
        number = float(cell)
    except ValueError as error:
        raise DataError(f'{where}: "{key}" must be a number of seconds, not "{cell}".') from error
    return manifest.seconds({key: number}, key, where) or 0.0
