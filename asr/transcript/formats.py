"""The formats in which a transcript is written.

`FORMATS` is the table of the formats; every writer turns a transcript into the whole text of a file.
"""

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from asr.transcript.subtitles import cues
from asr.transcript.words import TimedText, Word, label, to_ms


def _clock(ms: int, decimal: str) -> str:
    """HH:MM:SS.mmm, with as many digits of hours as it takes."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal}{ms:03d}"


def to_txt(transcript: TimedText) -> str:
    """The text on one line; where words have channels, one line a turn: "1: hello there"."""
    turns = groupby(transcript.words, key=lambda word: word.channel)
    lines = [label(channel) + " ".join(word.text for word in words) for channel, words in turns]
    return "\n".join(lines) + "\n"


def to_json(transcript: TimedText) -> str:
    """One object: `text`, `duration_s`, `source`, `model`, `confidence`, and `words` as in `Transcript`.

    Each word is an object of `text`, `start_s`, `end_s`, `confidence` and, if it has one, `channel`. Times are in
    seconds with at most 3 decimals, confidence lies in [0, 1] with at most 4; `source`, `model` and `confidence` are
    null when there is none.
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
            | ({} if word.channel is None else {"channel": word.channel})
            for word in transcript.words
        ],
    }
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def to_srt(transcript: TimedText) -> str:
    """SubRip: numbered cues, their text as it is, after "1: " where it has a channel; no words are an empty file."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        + label(cue.channel)
        + "".join(line + "\n" for line in cue.lines)
        for number, cue in enumerate(cues(transcript), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: TimedText) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), with `&`, `<` and `>` escaped as it asks; a channel is a voice."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    blocks = [
        f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        + ("" if cue.channel is None else f"<v {cue.channel}>")
        + "".join(line.translate(escapes) + "\n" for line in cue.lines)
        for cue in cues(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def to_tsv(transcript: TimedText) -> str:
    """Tab-separated as Whisper's: a header, then a line for each cue, with its start and end in whole milliseconds."""
    rows = [f"{cue.start_ms}\t{cue.end_ms}\t{label(cue.channel)}{' '.join(cue.lines)}\n" for cue in cues(transcript)]
    return "".join(["start\tend\ttext\n", *rows])


def to_ctm(transcript: TimedText) -> str:
    """NIST's time-marked words, one a line: source, channel, start, length, word, confidence.

    The source is named by its file, without folders and endings; white space in it becomes "_". The channel is 1 where
    channels were mixed. Lines are in the order that NIST asks for: by the channel as text, then by start.
    """
    name = "_".join(Path(transcript.source or "-").stem.split()) or "-"
    rows = []
    for word in transcript.words:
        start_ms, end_ms = to_ms(word.start_s), to_ms(word.end_s)
        times = f"{start_ms / 1000:.3f} {(end_ms - start_ms) / 1000:.3f}"
        channel = str(word.channel or 1)
        rows.append((channel, start_ms, f"{name} {channel} {times} {word.text} {word.confidence:.4f}\n"))
    return "".join(line for *_, line in sorted(rows, key=lambda row: row[:2]))


def to_textgrid(transcript: TimedText) -> str:
    """Praat's TextGrid (its manual, "TextGrid file formats"): a tier of words, or one for each channel that has any.

    The intervals of a tier must follow each other without gap or overlap: between words stand empty ones, a word begins
    where the one before it ends at the earliest, and a word that has no length left is not shown.
    """
    tiers: dict[int | None, list[Word]] = {}
    for word in transcript.words:
        tiers.setdefault(word.channel, []).append(word)
    tiers = dict(sorted(tiers.items(), key=lambda tier: tier[0] or 0)) or {None: []}
    end = f"{to_ms(transcript.duration_s) / 1000}"
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", end, "<exists>", str(len(tiers))]
    for channel, words in tiers.items():
        intervals = _intervals(words, to_ms(transcript.duration_s))
        name = "words" if channel is None else f"channel {channel}"
        lines += ['"IntervalTier"', f'"{name}"', "0", end, str(len(intervals))]
        for start_ms, end_ms, text in intervals:
            lines += [f"{start_ms / 1000}", f"{end_ms / 1000}", f'"{text}"']
    return "\n".join(lines) + "\n"


def _intervals(words: Sequence[Word], duration_ms: int) -> list[tuple[int, int, str]]:
    """Start, end and text of each interval of a tier."""
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


FORMATS: dict[str, Callable[[TimedText], str]] = {
    "txt": to_txt,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "tsv": to_tsv,
    "ctm": to_ctm,
    "TextGrid": to_textgrid,
}
"""Name -> writer; the name is also the usual ending of a file."""
