"""Tables: .csv and .tsv files with a header, Common Voice's among them (https://commonvoice.mozilla.org)."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_files, check_split, lines, measured
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent, tracked

DIALECTS: dict[str, dict[str, Any]] = {
    ".csv": {"delimiter": ",", "strict": True},
    ".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
}
"""Suffix -> how cells are told apart. In Common Voice's .tsv files a quotation mark is a character like any other."""

COLUMNS = {
    "audio": ("audio", "path", "audio_filepath"),
    "text": ("text", "sentence", "transcript"),
    "id": ("id",),
    "offset": ("offset",),
    "duration": ("duration",),
    "speaker": ("speaker", "client_id"),
    "split": ("split",),
}
"""What a column holds -> the names that it may have in the header; the first two have to be there."""

TRAIT_COLUMNS = {"gender": "gender", "age": "age", "accent": "accent", "accents": "accent"}
"""Columns about the speaker -> the trait. Common Voice calls accents both, by its version."""

SPLIT_NAMES = ("train", "dev", "test", "validated")
"""A file of such a name is the split of that name; the rows of others are the split "all"."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read a table with one utterance a row; columns that have no name in `COLUMNS` or `TRAIT_COLUMNS` are dropped.

    The path of a sound file counts from the table's folder; in Common Voice's layout, a header with `path` and
    `sentence` beside a folder `clips`, from there. Without a duration the sound file is measured.

    Raises:
        DataError: the table cannot be read or has no row; a column is missing, there twice or looks like a slip; a row
            has more or fewer cells than the header, or a cell of the wrong kind or range; two rows have one id; a
            sound file is missing.
        AudioError: a sound file to be measured cannot be read.
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
        told = {TRAIT_COLUMNS[name]: cell for name, cell in zip(header, cells, strict=True) if name in TRAIT_COLUMNS}
        utterance = replace(utterance, **traits.of(told))
        manifest.claim_id(utterance.id, where, seen)
        utterances.append(utterance)
    if not utterances:
        raise DataError(f"{source} has no rows; at least one is needed.")
    check_files((utterance.audio_filepath for utterance in utterances), source)
    return Corpus([measured(utterance) for utterance in tracked(utterances, "measuring", progress)], [])


def _records(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (where, cells) for each row that is not blank, the header first."""
    if source.suffix.lower() not in DIALECTS:
        raise DataError(f"{source} has to end in .csv, with commas between the cells, or in .tsv, with tabs.")
    reader = csv.reader((line for _, line in lines(source)), **DIALECTS[source.suffix.lower()])
    try:
        for cells in reader:
            if cells:
                yield f"{source}, line {reader.line_num}", cells
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: this is no row of a table ({error}).") from error


def _columns(header: list[str], where: str) -> dict[str, int]:
    """Key of `COLUMNS` -> position of the column, for those that the header has."""
    columns = {}
    for key, names in COLUMNS.items():
        found = [index for index, name in enumerate(header) if name in names]
        if len(found) > 1:
            there = ", ".join(header[index] for index in found)
            raise DataError(f"{where}: the columns {there} would all be the {key}; leave one of them.")
        if found:
            columns[key] = found[0]
        elif key in ("audio", "text"):
            raise DataError(
                f"{where}: none of the columns ({', '.join(header)}) is the {key}; call it {' or '.join(names)}."
            )
    every_name = tuple(name for names in COLUMNS.values() for name in names)
    manifest.check_keys(dict.fromkeys(header, ""), (), every_name, where)
    return columns


def _utterance(row: dict[str, str], split: str, folder: Path, where: str) -> Utterance:
    """The utterance of a row, its duration 0 if unknown; an empty cell says as much as none."""
    if not row["audio"]:
        raise DataError(f"{where}: the cell with the sound file's path is empty; fill it.")
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
    """The time in a cell, 0 where there is none."""
    cell = row.get(key)
    if not cell:
        return 0.0
    try:
        number = float(cell)
    except ValueError as error:
        raise DataError(f'{where}: "{key}" has to be a number of seconds, not "{cell}".') from error
    return manifest.seconds({key: number}, key, where) or 0.0
