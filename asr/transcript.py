"""What was said: words with times and confidence, and the formats a transcript is written in.

`FORMATS` is the table of the formats; every writer turns a `Transcript` into the whole text of a file.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError
from asr.files import replacing

LINE_CHARACTERS = 42
"""The longest line of a cue, which has two lines at most; a longer word stands alone on its line, uncut."""
MAX_CUE_MS = 7_000
"""The longest time a cue is shown."""
MIN_CUE_MS = 1_000
"""The shortest time a cue is shown, where the next cue and the end of the sound leave room for it."""
PAUSE_MS = 700
"""A silence between two words that ends a cue."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word, without white space in it; `confidence` lies in [0, 1]."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording in order of time, where it came from, and what recognised it."""

    words: tuple[Word, ...]
    duration_s: float
    source: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """The words joined by one space."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float | None:
        """The mean of the words' confidence; None when there are no words."""
        if not self.words:
            return None
        return sum(word.confidence for word in self.words) / len(self.words)

    def to(self, format: str) -> str:
        """The whole text of a file in one of `FORMATS`; any other name raises `AsrError`."""
        if format not in FORMATS:
            raise AsrError(f"Unknown transcript format {format!r}: choose one of {', '.join(FORMATS)}.")
        return FORMATS[format](self)


@dataclass(frozen=True, slots=True)
class Cue:
    """What a player shows at one time: `lines` from `start_ms` until just before `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """Cut a transcript into cues that people can read.

    A cue ends at a pause of `PAUSE_MS`, or where the next word would need a third line or go beyond `MAX_CUE_MS`.
    Every word stands in exactly one cue; cues follow each other without overlap, and each lasts 1 ms or more.
    Times are whole milliseconds from here on, so that the writers round nothing.
    """
    groups = list(_groups(transcript.words))
    starts_ms = [_ms(group[0].start_s) for group in groups]
    limits_ms = [*starts_ms, _ms(transcript.duration_s)][1:]
    result: list[Cue] = []
    free_ms = 0
    for group, own_start_ms, limit_ms in zip(groups, starts_ms, limits_ms, strict=True):
        start_ms = max(own_start_ms, free_ms)
        spoken_ms = _ms(group[-1].end_s) - start_ms
        shown_ms = min(max(spoken_ms, MIN_CUE_MS), MAX_CUE_MS, limit_ms - start_ms)
        free_ms = start_ms + max(shown_ms, 1)
        result.append(Cue(start_ms, free_ms, _lines([word.text for word in group])))
    return result


def _groups(words: tuple[Word, ...]) -> Iterator[list[Word]]:
    """The words of each cue."""
    group: list[Word] = []
    for word in words:
        if group and not (
            _ms(word.start_s) - _ms(group[-1].end_s) < PAUSE_MS
            and _ms(word.end_s) - _ms(group[0].start_s) <= MAX_CUE_MS
            and _fits([*(other.text for other in group), word.text])
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _fits(texts: list[str]) -> bool:
    """Whether the words, each put on the current line while there is room, need no more than two lines."""
    lines, used = 1, -1
    for text in texts:
        if used >= 0 and used + 1 + len(text) > LINE_CHARACTERS:
            lines, used = lines + 1, -1
        used += 1 + len(text)
    return lines <= 2


def _lines(texts: list[str]) -> tuple[str, ...]:
    """One line if the words fit in it, else the two lines that are most alike in length."""
    whole = " ".join(texts)
    if len(whole) <= LINE_CHARACTERS or len(texts) == 1:
        return (whole,)
    splits = [(" ".join(texts[:i]), " ".join(texts[i:])) for i in range(1, len(texts))]
    return min(splits, key=lambda lines: max(map(len, lines)))


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def _clock(ms: int, decimal: str) -> str:
    """HH:MM:SS.mmm, with as many digits of hours as it takes."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal}{ms:03d}"


def to_txt(transcript: Transcript) -> str:
    """The text on one line."""
    return transcript.text + "\n"


def to_json(transcript: Transcript) -> str:
    """One object: `text`, `duration_s`, `source`, `model`, `confidence`, and `words` in order of time.

    Each word is an object of `text`, `start_s`, `end_s`, `confidence`. Times are in seconds with at most 3 decimals,
    confidence lies in [0, 1] with at most 4; `source`, `model` and `confidence` are null when there is none.
    """
    confidence = transcript.confidence
    fields = {
        "text": transcript.text,
        "duration_s": round(transcript.duration_s, 3),
        "source": transcript.source,
        "model": transcript.model,
        "confidence": None if confidence is None else round(confidence, 4),
        "words": [
            {
                "text": word.text,
                "start_s": round(word.start_s, 3),
                "end_s": round(word.end_s, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in transcript.words
        ],
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, the text as it is; an empty transcript is an empty file."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        + "".join(line + "\n" for line in cue.lines)
        for number, cue in enumerate(cues(transcript), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), with `&`, `<` and `>` escaped as it asks."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    blocks = [
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        + "".join(line.translate(escapes) + "\n" for line in cue.lines)
        for cue in cues(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def to_ctm(transcript: Transcript) -> str:
    """NIST's time-marked words, one a line: source, channel 1, start, length, word, confidence.

    The source is named by its file, without folders and endings; white space in it becomes "_".
    """
    name = "_".join(Path(transcript.source or "-").stem.split()) or "-"
    lines = []
    for word in transcript.words:
        start_ms, end_ms = _ms(word.start_s), _ms(word.end_s)
        times = f"{start_ms / 1000:.3f} {(end_ms - start_ms) / 1000:.3f}"
        lines.append(f"{name} 1 {times} {word.text} {word.confidence:.4f}\n")
    return "".join(lines)


def to_textgrid(transcript: Transcript) -> str:
    """Praat's TextGrid (its manual, "TextGrid file formats"): one tier of words, with empty intervals between them.

    The intervals of a tier must follow each other without gap or overlap, so a word begins where the one before it
    ends at the earliest, and a word that has no length left is not shown.
    """
    duration_ms = _ms(transcript.duration_s)
    intervals, free_ms = [], 0
    for word in transcript.words:
        start_ms, end_ms = max(_ms(word.start_s), free_ms), min(_ms(word.end_s), duration_ms)
        if start_ms >= end_ms:
            continue
        if start_ms > free_ms:
            intervals.append((free_ms, start_ms, ""))
        intervals.append((start_ms, end_ms, word.text.replace('"', '""')))
        free_ms = end_ms
    if free_ms < duration_ms or not intervals:
        intervals.append((free_ms, duration_ms, ""))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", f"{duration_ms / 1000}", "<exists>", "1"]
    lines += ['"IntervalTier"', '"words"', "0", f"{duration_ms / 1000}", str(len(intervals))]
    for start_ms, end_ms, text in intervals:
        lines += [f"{start_ms / 1000}", f"{end_ms / 1000}", f'"{text}"']
    return "\n".join(lines) + "\n"


FORMATS: dict[str, Callable[[Transcript], str]] = {
    "txt": to_txt,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "ctm": to_ctm,
    "TextGrid": to_textgrid,
}
"""Name -> writer; the name is also the usual ending of a file."""


def write(transcript: Transcript, path: str | Path, format: str) -> None:
    """Write a file in one of `FORMATS`; whoever looks sees the old file or the whole new one, never a part.

    Raises `AsrError` when the format is unknown or the file cannot be written.
    """
    path = Path(path)
    content = transcript.to(format).encode(errors="replace")
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise AsrError(f"Cannot write {path}: {error.strerror}.") from error
