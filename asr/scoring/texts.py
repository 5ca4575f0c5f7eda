"""Reads pairs of reference and hypothesis from plain text, NIST trn or NIST ctm files.

- Plain text: one utterance per line, matched by line number; an empty line if nothing was said or recognised. Two
  Kaldi `text` files, whose lines begin with the same ids, are matched by them.
- `.trn`: the text and, in parentheses, the utterance's id: `one two (ann-001)`. The order does not matter. As in
  sclite,
  `@` is no word, and what follows a `;` in a word is a tag.
- `.ctm`: one word per line, `file channel start duration word`, more columns allowed; the words of a file and channel,
  sorted by start time, are one utterance. Compared with a trn file, the utterance's id is the file name, and the file
  must have one channel.

Files of other formats are refused, so that their times and names never count as words.

Lines that are blank or begin with `;;` are skipped in trn and ctm. A trn file must have all ids of the other file;
silence leaves no line in a ctm file, so an id that is missing there has an empty text. As in sclite (`-i rm`), the
speaker is the part of a trn id before its first `-` or, without one, its first `_`; if that makes every utterance a
speaker of its own, the ids are taken to name no speakers.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from asr import text as text_module
from asr.errors import DataError

OTHER_FORMATS = {
    ".stm": "NIST stm",
    ".srt": "SubRip",
    ".vtt": "WebVTT",
    ".json": "JSON",
    ".jsonl": "JSON lines",
    ".tsv": "a table",
    ".csv": "a table",
    ".textgrid": "Praat's TextGrid",
    ".mlf": "HTK's label file",
    ".xml": "XML",
}
"""Suffixes of files that are no plain text."""


class Normalisation(NamedTuple):
    """A named change of both texts before they are compared."""

    name: str
    description: str
    change: Callable[[str], str]


UNCHANGED = Normalisation("none", "Both texts are compared as they are.", str)
LOWER_CASE = Normalisation("lower-case", "Both texts in lower case.", str.lower)
ENGLISH = Normalisation(
    "english",
    "Both texts: Unicode NFKC, lower case, no punctuation, typographic apostrophes become plain ones, quotation marks "
    "are removed.",
    lambda text: text_module.normalise(text, text_module.ENGLISH),
)

TRN_LINE = re.compile(r"(?P<text>.*)\((?P<id>[^\s()]+)\)\s*")
CTM_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Texts:
    """References, hypotheses, ids and speakers of the same utterances, in the order of the reference file."""

    references: list[str]
    hypotheses: list[str]
    ids: list[str]
    speakers: list[str | None]

    def changed(self, change: Callable[[str], str]) -> "Texts":
        """The same with each text changed."""
        references, hypotheses = ([change(text) for text in texts] for texts in (self.references, self.hypotheses))
        return Texts(references, hypotheses, self.ids, self.speakers)


def read_pair(reference: Path, hypothesis: Path) -> Texts:
    """Read both files, each in the format of its file name suffix.

    Raises:
        DataError: a file cannot be read or is malformed or of another format, or the two do not match.
    """
    for path in (reference, hypothesis):
        if path.suffix.lower() in OTHER_FORMATS:
            raise DataError(
                f"{path} is {OTHER_FORMATS[path.suffix.lower()]}, whose times and names would count as words: give "
                "plain "
                "text with one utterance per line, a .trn or a .ctm file."
            )
    plain = [path for path in (reference, hypothesis) if _format(path) == "text"]
    if len(plain) == 1:
        raise DataError(
            f"{plain[0]} is plain text without ids, but the other file has ids: give two plain texts, or two files "
            "that end in .trn or .ctm."
        )
    return _by_line(reference, hypothesis) if plain else _by_id(reference, hypothesis)


def _format(path: Path) -> str:
    return path.suffix.lower() if path.suffix.lower() in (".trn", ".ctm") else "text"


def _by_line(reference: Path, hypothesis: Path) -> Texts:
    references, hypotheses = _lines(reference), _lines(hypothesis)
    for path, lines in ((reference, references), (hypothesis, hypotheses)):
        _check_is_plain(path, lines)
    if with_ids := _kaldi(references, hypotheses):
        return with_ids
    if len(references) != len(hypotheses):
        raise DataError(
            f"{reference} has {len(references):,} lines, but {hypothesis} has {len(hypotheses):,}: plain texts are "
            "matched line by line; leave an empty line where nothing was said or recognised."
        )
    ids = [str(number) for number in range(1, len(references) + 1)]
    return Texts(references, hypotheses, ids, [None] * len(ids))


def _check_is_plain(path: Path, lines: Sequence[str]) -> None:
    """Raise DataError for the content of another format, whatever the name of the file."""
    written = [line for line in lines if line.strip() and not line.startswith(";;")]
    for kind, least, fits in CONTENTS:
        if written and sum(map(fits, written)) >= max(1, least * len(written)):
            raise DataError(f"{path} contains {kind}.")


def _is_ctm(line: str) -> bool:
    columns = line.split()
    return len(columns) in (5, 6) and _is_time(columns[2]) and _is_time(columns[3]) and columns[1].isalnum()


CONTENTS: tuple[tuple[str, float, Callable[[str], bool]], ...] = (
    ("trn lines, which end in an id in parentheses; name it .trn", 0.9, lambda line: bool(TRN_LINE.fullmatch(line))),
    ("subtitles, whose times would count as words; extract their text", 0.15, lambda line: "-->" in line),
    (
        "JSON; extract its text",
        0.9,
        lambda line: line.lstrip().startswith(("{", '"')) and line.rstrip().endswith(("}", ",")),
    ),
    ("ctm lines (file channel start duration word); name it .ctm", 0.9, _is_ctm),
)
"""What other formats contain: in words, by the smallest share of the lines, and how to recognise one."""


def _kaldi(references: Sequence[str], hypotheses: Sequence[str]) -> Texts | None:
    """Read both as Kaldi's `text` files, "id word word ...", if that is what they are; else None.

    They are if the first words differ from line to line, are the same in both files, and all contain a digit, "-" or
    "_".
    """
    sides = []
    for lines in (references, hypotheses):
        pairs = [[*line.split(maxsplit=1), ""][:2] for line in lines if line.strip()]
        sides.append(dict(pairs))
        if len(sides[-1]) < len(pairs) or not all(re.search(r"[\d_-]", id_) for id_, _ in pairs):
            return None
    first, second = sides
    if not first or first.keys() != second.keys():
        return None
    return Texts(list(first.values()), [second[id_] for id_ in first], list(first), [None] * len(first))


def _by_id(reference: Path, hypothesis: Path) -> Texts:
    with_channel = _format(reference) == _format(hypothesis) == ".ctm"
    references, hypotheses = (
        _read_ctm(path, with_channel) if _format(path) == ".ctm" else _read_trn(path)
        for path in (reference, hypothesis)
    )
    if not references:
        raise DataError(f"{reference} has no words: there is nothing to score against.")
    if hypotheses and references.keys().isdisjoint(hypotheses):
        raise DataError(
            f"{reference} and {hypothesis} have no id in common: the first are '{next(iter(references))}' and "
            f"'{next(iter(hypotheses))}'."
        )
    sides = ((reference, references), (hypothesis, hypotheses))
    for (path, texts), (other, others) in (sides[::-1], sides):
        missing = [id_ for id_ in others if id_ not in texts]
        if missing and _format(path) == ".trn":
            raise DataError(
                f"{path} lacks {len(missing):,} of the {len(others):,} ids of {other}, the first is '{missing[0]}': "
                f"add a line for each; for an empty text just '({missing[0]})'."
            )
    ids = list(dict.fromkeys([*references, *hypotheses]))
    speakers = [speaker_of(id_) for id_ in ids]
    has_speakers = not with_channel and len(set(speakers)) < len(ids)
    return Texts(
        [references.get(id_, "") for id_ in ids],
        [hypotheses.get(id_, "") for id_ in ids],
        ids,
        [speaker if has_speakers else None for speaker in speakers],
    )


def speaker_of(id_: str) -> str | None:
    """The speaker part of a trn id; None without one."""
    for separator in "-_":
        speaker, has_separator, _ = id_.partition(separator)
        if has_separator:
            return speaker or None
    return None


def _read_trn(path: Path) -> dict[str, str]:
    """Map id to text."""
    texts: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    for number, line in _numbered(path):
        match = TRN_LINE.fullmatch(line)
        if match is None:
            raise DataError(f"{path}, line {number}: '{_short(line)}' does not end in an id like '(ann-001)'.")
        id_, text = match["id"], match["text"]
        if id_ in texts:
            raise DataError(
                f"{path}, line {number}: duplicate id '{id_}', already in line {first_lines[id_]}; ids must be unique."
            )
        if "{" in text or "}" in text:
            raise DataError(
                f"{path}, line {number}: alternatives like '{{ a / b }}' are not supported; write only what was said."
            )
        words = [word.partition(";")[0] for word in text.split()]  # sclite: what follows a semicolon is a tag
        if starred := [word for word in words if "*" in word]:
            raise DataError(
                f"{path}, line {number}: {starred[0]!r} is marked with '*', which is not supported: write the word "
                "without it."
            )
        # sclite: "@" is the empty word
        texts[id_], first_lines[id_] = " ".join(word for word in words if word not in ("", "@")), number
    return texts


def _read_ctm(path: Path, with_channel: bool) -> dict[str, str]:
    """Map file, or file and channel, to text."""
    words: dict[str, list[tuple[float, str]]] = {}
    channels: dict[str, str] = {}
    for number, line in _numbered(path, may_be_empty=True):  # because silence leaves no line
        columns = line.split()
        if "<ALT" in line.upper():
            raise DataError(
                f"{path}, line {number}: alternatives (<ALT_BEGIN> ... <ALT> ... <ALT_END>) are not supported; keep "
                "only "
                "what was said."
            )
        times = columns[2:4]
        if len(columns) >= CTM_COLUMNS and all(_is_time(t.lstrip("-")) for t in times) and "-" in "".join(times):
            raise DataError(
                f"{path}, line {number}: the start {times[0]} and the duration {times[1]} must not be negative: "
                "correct "
                "them, or leave the line out."
            )
        if len(columns) < CTM_COLUMNS or not (_is_time(columns[2]) and _is_time(columns[3])):
            raise DataError(
                f"{path}, line {number}: '{_short(line)}' is not 'file channel start duration word', with both times "
                "in seconds."
            )
        file, channel, start, _, word = columns[:CTM_COLUMNS]
        if not with_channel and channels.setdefault(file, channel) != channel:
            raise DataError(
                f"{path}, line {number}: '{file}' has the channels {channels[file]} and {channel}, but trn ids "
                "have no channel; give both files as ctm."
            )
        words.setdefault(f"{file} {channel}" if with_channel else file, []).append((float(start), word))
    return {id_: " ".join(word for _, word in sorted(timed, key=lambda pair: pair[0])) for id_, timed in words.items()}


def _is_time(column: str) -> bool:
    return re.fullmatch(r"\d+\.?\d*|\.\d+", column) is not None


def _numbered(path: Path, may_be_empty: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither blank nor comments, with their numbers."""
    rows = enumerate(_lines(path, may_be_empty), start=1)
    lines = [(number, line) for number, line in rows if line.strip() and not line.startswith(";;")]
    if not lines and not may_be_empty:
        raise DataError(f"{path} has no utterances: every line is blank or a comment.")
    yield from lines


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _lines(path: Path, may_be_empty: bool = False) -> list[str]:
    """The lines of a text file, with or without a newline at the end."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    if not content and not may_be_empty:
        raise DataError(f"{path} is empty: give a text file with one utterance per line.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from error
    return text.removesuffix("\n").split("\n")
