"""Texts to score, from plain text, NIST's trn or NIST's ctm files: each hypothesis beside its reference.

- Plain text: one utterance a line, line beside line; an empty line where nothing was said or recognised.
- `.trn`: the text and, in parentheses, the utterance's id: `one two (ann-001)`. The order does not matter.
- `.ctm`: one word a line, `file channel start duration word`, more columns allowed; the words of a file and channel, in
  order of their starts, are one utterance. Beside a trn file its id is the file's name, and the file has one channel.

Lines that are blank or begin with `;;` are skipped in trn and ctm. A trn file must have the ids of the other side, all
of them; silence leaves no line in a ctm file, so that an id which it lacks is an empty text there. As for sclite (`-i
rm`), the speaker is the part of a trn id before its first `-` or, without one, its first `_`; where that would give
every utterance a speaker of its own, the ids name no speakers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.errors import DataError

TRN_LINE = re.compile(r"(?P<text>.*)\((?P<id>[^\s()]+)\)\s*")
CTM_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Texts:
    """References, hypotheses, ids and speakers of the same utterances, in the order of the reference file."""

    references: list[str]
    hypotheses: list[str]
    ids: list[str]
    speakers: list[str | None]


def read_pair(reference: Path, hypothesis: Path) -> Texts:
    """Read both files, each in the format that its name ends in.

    Raises:
        DataError: a file cannot be read or breaks its format, or the two do not belong together.
    """
    plain = [path for path in (reference, hypothesis) if _format(path) == "text"]
    if len(plain) == 1:
        raise DataError(
            f"{plain[0]} is plain text, whose lines have no ids, and the other file has ids: give two plain texts, or "
            "two files that end in .trn or .ctm."
        )
    return _by_line(reference, hypothesis) if plain else _by_id(reference, hypothesis)


def _format(path: Path) -> str:
    return path.suffix.lower() if path.suffix.lower() in (".trn", ".ctm") else "text"


def _by_line(reference: Path, hypothesis: Path) -> Texts:
    references, hypotheses = _lines(reference), _lines(hypothesis)
    if len(references) != len(hypotheses):
        raise DataError(
            f"Different numbers of lines: {reference} has {len(references):,} and {hypothesis} {len(hypotheses):,}; "
            "line by line they must belong together, with an empty line where nothing was said or recognised."
        )
    ids = [str(number) for number in range(1, len(references) + 1)]
    return Texts(references, hypotheses, ids, [None] * len(ids))


def _by_id(reference: Path, hypothesis: Path) -> Texts:
    with_channel = _format(reference) == _format(hypothesis) == ".ctm"
    said, heard = (
        _read_ctm(path, with_channel) if _format(path) == ".ctm" else _read_trn(path)
        for path in (reference, hypothesis)
    )
    if not said:
        raise DataError(f"{reference} holds no word: there is nothing to score against.")
    if heard and said.keys().isdisjoint(heard):
        raise DataError(
            f"{reference} and {hypothesis} have no id in common: the first are '{next(iter(said))}' and "
            f"'{next(iter(heard))}'."
        )
    for path, texts, other, others in ((hypothesis, heard, reference, said), (reference, said, hypothesis, heard)):
        missing = [id_ for id_ in others if id_ not in texts]
        if missing and _format(path) == ".trn":
            raise DataError(
                f"{path} lacks {len(missing):,} of the {len(others):,} ids of {other}, the first is '{missing[0]}': "
                f"give each a line, where there is no word just '({missing[0]})'."
            )
    ids = list(dict.fromkeys([*said, *heard]))
    speakers = [speaker_of(id_) for id_ in ids]
    named = not with_channel and len(set(speakers)) < len(ids)
    return Texts(
        [said.get(id_, "") for id_ in ids],
        [heard.get(id_, "") for id_ in ids],
        ids,
        [speaker if named else None for speaker in speakers],
    )


def speaker_of(id_: str) -> str | None:
    """The speaker that an id of a trn file names."""
    for separator in "-_":
        speaker, found, _ = id_.partition(separator)
        if found:
            return speaker or None
    return None


def _read_trn(path: Path) -> dict[str, str]:
    """Id -> text."""
    texts: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    for number, line in _numbered(path):
        match = TRN_LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{path}, line {number}: '{_short(line)}' does not end in an id like '(ann-001)'.")
        id_, text = match["id"], match["text"]
        if id_ in texts:
            raise DataError(
                f"{path}, line {number}: the id '{id_}' stands in line {first_lines[id_]} already; an id names one "
                "utterance."
            )
        if "{" in text.split():
            raise DataError(
                f"{path}, line {number}: alternatives like '{{ a / b }}' are not supported; write the one that was "
                "said."
            )
        texts[id_], first_lines[id_] = text, number
    return texts


def _read_ctm(path: Path, with_channel: bool) -> dict[str, str]:
    """File, or file and channel -> text."""
    words: dict[str, list[tuple[float, str]]] = {}
    channels: dict[str, str] = {}
    for number, line in _numbered(path, may_be_empty=True):  # where nothing was heard, it is
        columns = line.split()
        if len(columns) < CTM_COLUMNS or not (_is_time(columns[2]) and _is_time(columns[3])):
            raise DataError(
                f"{path}, line {number}: '{_short(line)}' is not 'file channel start duration word', with both times "
                "in seconds."
            )
        file, channel, start, _, word = columns[:CTM_COLUMNS]
        if not with_channel and channels.setdefault(file, channel) != channel:
            raise DataError(
                f"{path}, line {number}: '{file}' has the channels {channels[file]} and {channel}, and an id of a trn "
                "file names no channel; give both sides as ctm."
            )
        words.setdefault(f"{file} {channel}" if with_channel else file, []).append((float(start), word))
    return {id_: " ".join(word for _, word in sorted(found, key=lambda each: each[0])) for id_, found in words.items()}


def _is_time(column: str) -> bool:
    return re.fullmatch(r"\d+\.?\d*|\.\d+", column) is not None


def _numbered(path: Path, may_be_empty: bool = False) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    rows = enumerate(_lines(path, may_be_empty), start=1)
    lines = [(number, line) for number, line in rows if line.strip() and not line.startswith(";;")]
    if not lines and not may_be_empty:
        raise DataError(f"{path} holds no utterance: every line is blank or a comment.")
    yield from lines


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _lines(path: Path, may_be_empty: bool = False) -> list[str]:
    """The lines of a text file; its last line may end in a newline or not."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    if not content and not may_be_empty:
        raise DataError(f"{path} is empty: give a text file with one utterance a line.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from error
    return text.removesuffix("\n").split("\n")
