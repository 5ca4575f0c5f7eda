"""Output formats of transcripts.

`FORMATS` lists them; `render` converts a transcript to the complete text of a file.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asr.errors import AsrError
from asr.pages.assemble import assemble
from asr.transcript.subtitles import STANDARD, Cue, Layout, crosstalk_line, cues
from asr.transcript.words import TimedText, Word, label, sentences, to_ms, turns


def _clock(ms: int, decimal: str) -> str:
    """Format a time as HH:MM:SS.mmm, with more digits of hours if needed."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal}{ms:03d}"


def to_txt(transcript: TimedText) -> str:
    """One line per phrase, with its channel if it has one: "1: hello there". Without words, an empty line."""
    lines = [label(phrase[0].channel) + " ".join(word.text for word in phrase) for phrase in turns(transcript.words)]
    return "\n".join(lines) + "\n"


def to_json(transcript: TimedText) -> str:
    """The fields of `json_fields` as one JSON object, indented."""
    return json.dumps(json_fields(transcript), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def json_fields(transcript: TimedText) -> dict[str, Any]:
    """What JSON has: `text`, `duration_s`, `source`, `model`, `confidence`, and `words` as in `Transcript`.

    Each word is an object with `text`, `start_s`, `end_s`, `confidence` and, if it has one, `channel`. Times are in
    seconds with at most 3 decimals, confidence is in [0, 1] with at most 4; `source`, `model` and `confidence` may be
    null. `segments` are the phrases in the form of Whisper's JSON, for programs that read that. Where sentences are
    known, as in readable or aligned text, there are `sentences`, too: `text`, `start_s`, `end_s`. In readable text each
    word has a list `spoken` of such objects, the words that it stands for, and `spoken_text` is their text.
    """
    confidence = transcript.confidence
    fields: dict[str, Any] = {
        "text": transcript.text,
        "duration_s": round(transcript.duration_s, 3),
        "source": transcript.source,
        "model": transcript.model,
        "confidence": None if confidence is None else round(confidence, 4),
        "words": [word_fields(word) for word in transcript.words],
    }
    if any(word.spoken for word in transcript.words):
        fields["spoken_text"] = " ".join(word.text for word in transcript.spoken)
    fields["segments"] = [
        {
            "id": number,
            "start": round(phrase[0].start_s, 3),
            "end": round(phrase[-1].end_s, 3),
            "text": " " + " ".join(word.text for word in phrase),
            "words": [
                {
                    "word": f" {word.text}",
                    "start": round(word.start_s, 3),
                    "end": round(word.end_s, 3),
                    "probability": round(word.confidence, 4),
                }
                for word in phrase
            ],
        }
        | ({} if phrase[0].channel is None else {"speaker": str(phrase[0].channel)})
        for number, phrase in enumerate(turns(transcript.words))
    ]
    if found := sentences(transcript.words):
        fields["sentences"] = [
            {
                "text": " ".join(word.text for word in sentence),
                "start_s": round(sentence[0].start_s, 3),
                "end_s": round(sentence[-1].end_s, 3),
            }
            for sentence in found
        ]
    return fields


def word_fields(word: Word) -> dict[str, Any]:
    """A word in JSON, with the words `spoken` if it is written otherwise."""
    fields: dict[str, Any] = {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 4),
    }
    if word.channel is not None:
        fields["channel"] = word.channel
    if word.spoken:
        fields["spoken"] = [word_fields(one) for one in word.spoken]
    return fields


def to_srt(transcript: TimedText, layout: Layout = STANDARD) -> str:
    """SubRip: numbered cues of unescaped text, prefixed with "1: " if it has a channel; an empty file without words."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        + "".join(line + "\n" for line in _labelled(cue))
        for number, cue in enumerate(cues(transcript, layout), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: TimedText, layout: Layout = STANDARD) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), with `&`, `<` and `>` escaped as required; a channel is a voice."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    blocks = []
    for cue in cues(transcript, layout):
        lines = [line.translate(escapes) for line in cue.lines]
        if cue.other is not None:
            lines = [f"<v {cue.channel}>- {lines[0]}</v>", f"<v {cue.other}>- {lines[1]}</v>"]
        elif cue.channel is not None:
            lines[0] = f"<v {cue.channel}>{lines[0]}"
        times = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        blocks.append("".join(f"{line}\n" for line in (times, *lines)))
    return "\n".join(["WEBVTT\n", *blocks])


def to_tsv(transcript: TimedText, layout: Layout = STANDARD) -> str:
    """Tab-separated like Whisper's: a header, then one line per cue with its start and end in integer milliseconds."""
    rows = [f"{cue.start_ms}\t{cue.end_ms}\t{' '.join(_labelled(cue))}\n" for cue in cues(transcript, layout)]
    return "".join(["start\tend\ttext\n", *rows])


def _labelled(cue: Cue) -> list[str]:
    """The lines of a cue with the labels of their channels."""
    if cue.other is not None:
        return [crosstalk_line(cue.channel, cue.lines[0]), crosstalk_line(cue.other, cue.lines[1])]
    return [label(cue.channel) + cue.lines[0], *cue.lines[1:]]


def to_ctm(transcript: TimedText) -> str:
    """NIST CTM (time-marked words), one word per line: source, channel, start, duration, word, confidence.

    The source is the file name without folder and extension, with white space replaced by "_". The channel is 1 if
    channels were mixed. Lines are in the order that NIST requires: by the channel as text, then by start. The words are
    the spoken ones, as this is the format of programs that score.
    """
    name = "_".join(Path(transcript.source or "-").stem.split()) or "-"
    rows = []
    for word in transcript.spoken:
        start_ms, end_ms = to_ms(word.start_s), to_ms(word.end_s)
        times = f"{start_ms / 1000:.3f} {(end_ms - start_ms) / 1000:.3f}"
        channel = str(word.channel or 1)
        rows.append((channel, start_ms, f"{name} {channel} {times} {word.text} {word.confidence:.4f}\n"))
    return "".join(line for *_, line in sorted(rows, key=lambda row: row[:2]))


def to_audacity(transcript: TimedText) -> str:
    """Audacity's label track: start, end and text of each phrase, separated by tabs."""
    rows = (
        f"{phrase[0].start_s:.6f}\t{phrase[-1].end_s:.6f}\t{label(phrase[0].channel)}"
        + " ".join(word.text for word in phrase)
        for phrase in turns(transcript.words)
    )
    return "".join(f"{row}\n" for row in rows)


def to_textgrid(transcript: TimedText) -> str:
    """Praat's TextGrid (its manual, "TextGrid file formats"): one tier of words, or one per channel that has words.

    Where sentences are known, as in an aligned text, they are another tier.

    The intervals of a tier must follow each other without gaps or overlaps: gaps between words are filled with empty
    intervals, a word that overlaps the previous one is shortened, and one with no duration left is omitted.
    """
    tiers: dict[int | None, list[Word]] = {}
    for word in transcript.words:
        tiers.setdefault(word.channel, []).append(word)
    tiers = dict(sorted(tiers.items(), key=lambda tier: tier[0] or 0)) or {None: []}
    named = {"words" if channel is None else f"channel {channel}": words for channel, words in tiers.items()}
    if found := sentences(transcript.words):
        named["sentences"] = [
            Word(" ".join(word.text for word in sentence), sentence[0].start_s, sentence[-1].end_s, 1.0)
            for sentence in found
        ]
    end = f"{to_ms(transcript.duration_s) / 1000}"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", end, "<exists>", str(len(named))]
    for name, words in named.items():
        intervals = _intervals(words, to_ms(transcript.duration_s))
        lines += ['"IntervalTier"', f'"{name}"', "0", end, str(len(intervals))]
        for start_ms, end_ms, text in intervals:
            lines += [f"{start_ms / 1000}", f"{end_ms / 1000}", f'"{text}"']
    return "\n".join(lines) + "\n"


def _intervals(words: Sequence[Word], duration_ms: int) -> list[tuple[int, int, str]]:
    """Compute start, end and text of each interval of a tier."""
    intervals, free_ms = [], 0
    for word in words:
        start_ms, end_ms = max(to_ms(word.start_s), free_ms), min(to_ms(word.end_s), duration_ms)
        if start_ms >= end_ms:
            continue
        if start_ms > free_ms:
            intervals.append((free_ms, start_ms, ""))
        intervals.append((start_ms, end_ms, word.text.replace('"', '""')))
        free_ms = end_ms
    if free_ms < duration_ms or not intervals:
        intervals.append((free_ms, duration_ms, ""))
    return intervals


def to_html(transcript: TimedText, folder: Path | None = None) -> str:
    """A page with the text and a player of the recording, which it links to, relative to `folder` if given.

    Without `source`, or where the recording cannot be played, the reader is asked to choose the file.
    """
    source = transcript.source
    link = None
    if source is not None and source != "-":
        path = os.path.relpath(source, folder) if folder is not None and _same_drive(source, folder) else None
        link = Path(source).absolute().as_uri() if path is None else quote(path.replace(os.sep, "/"), errors="replace")
    name = Path(source).name if link and source else "recording"
    data = {
        "source": {"name": name, "link": link},
        "duration_s": round(transcript.duration_s, 3),
        "model": transcript.model,
        "phrases": [
            {
                "channel": phrase[0].channel,
                "words": [
                    [word.text, round(word.start_s, 3), round(word.end_s, 3), round(word.confidence, 3)]
                    for word in phrase
                ],
            }
            for phrase in turns(transcript.words)
        ],
    }
    return assemble("transcript", f"Transcript of {name}", {"transcript": data})


def _same_drive(source: str, folder: Path) -> bool:
    return Path(source).absolute().drive == folder.absolute().drive


PLAIN: dict[str, Callable[[TimedText], str]] = {
    "txt": to_txt,
    "json": to_json,
    "ctm": to_ctm,
    "TextGrid": to_textgrid,
    "audacity": to_audacity,
}
SUBTITLES: dict[str, Callable[[TimedText, Layout], str]] = {"srt": to_srt, "vtt": to_vtt, "tsv": to_tsv}
FORMATS = ("txt", "json", "srt", "vtt", "tsv", "ctm", "TextGrid", "audacity", "html")
"""The names of all formats."""

EXTENSIONS = {name: name for name in FORMATS} | {"audacity": "labels.txt"}
"""Name -> extension of the files."""


def render(transcript: TimedText, format: str, layout: Layout = STANDARD, folder: Path | None = None) -> str:
    """Convert a transcript to the text of a file in one of `FORMATS`.

    Args:
        transcript: the words.
        format: one of `FORMATS`.
        layout: the room for text in subtitles.
        folder: where the file will be, for a link to the recording in html.

    Raises:
        AsrError: the format is unknown.
    """
    if format in SUBTITLES:
        return SUBTITLES[format](transcript, layout)
    if format == "html":
        return to_html(transcript, folder)
    if format not in PLAIN:
        raise AsrError(f"Unknown transcript format {format!r}: choose one of {', '.join(FORMATS)}.")
    return PLAIN[format](transcript)
