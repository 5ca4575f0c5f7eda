"""Transcript formats: parsing the output of each writer gives the transcript back."""

import csv
import io
import itertools
import json
import re

import av
import pytest
from hypothesis import example, given, settings
from made_transcripts import SMALL, by_channel, transcripts

from asr.transcript.formats import to_audacity, to_ctm, to_json, to_srt, to_textgrid, to_tsv, to_txt, to_vtt
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import PAUSE_MS, Word, to_ms

Turns = list[tuple[int | None, list[str]]]
"""Channel and lines of the one speaker of a cue, or of each of two."""


def milliseconds(stamp: str, decimal: str) -> int:
    match = re.fullmatch(rf"(\d{{2,}}):([0-5]\d):([0-5]\d){re.escape(decimal)}(\d{{3}})", stamp)
    assert match, stamp
    hours, minutes, seconds, ms = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def parse(blocks: list[str], decimal: str) -> list[tuple[int, int, str]]:
    """Parse blocks of a timing line and non-blank payload lines: start, end, payload."""
    cues = []
    for block in blocks:
        times, payload = block.split("\n", 1)
        start, end = times.split(" --> ")
        assert all(line.strip() for line in payload.split("\n"))
        cues.append((milliseconds(start, decimal), milliseconds(end, decimal), payload))
    return cues


def parse_srt(content: str) -> list[tuple[int, int, list[str]]]:
    """Parse SubRip: number, times, text; a blank line between cues."""
    blocks = content.removesuffix("\n").split("\n\n") if content else []
    assert [block.split("\n")[0] for block in blocks] == [str(number) for number in range(1, len(blocks) + 1)]
    return [
        (start, end, text.split("\n")) for start, end, text in parse([block.split("\n", 1)[1] for block in blocks], ",")
    ]


def parse_vtt(content: str) -> list[tuple[int, int, Turns]]:
    """Parse the WebVTT that we write: no identifiers nor settings, at most one voice, or a line each of two."""
    head, *blocks = content.removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    cues: list[tuple[int, int, Turns]] = []
    for start, end, payload in parse(blocks, "."):
        assert start < end
        assert not cues or cues[-1][0] <= start
        if both := re.fullmatch(r"<v (\d+)>- ([^\n]*)</v>\n<v (\d+)>- ([^\n]*)</v>", payload):
            turns: Turns = [(int(both[1]), [unescaped(both[2])]), (int(both[3]), [unescaped(both[4])])]
        else:
            voice = re.match(r"<v (\d+)>", payload)
            text = unescaped(payload[voice.end() :] if voice else payload)
            turns = [(int(voice[1]) if voice else None, text.split("\n"))]
        cues.append((start, end, turns))
    return cues


def unescaped(text: str) -> str:
    assert not re.search(r"<|>|&(?!(?:amp|lt|gt);)", text)
    for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escaped, character)
    return text


def packets(content: str, format: str) -> list[tuple[int | None, int | None, list[str]]]:
    """Parse subtitles with FFmpeg: start, duration and lines of each cue."""
    with av.open(io.BytesIO(content.encode()), "r", format=format) as container:
        return [(p.pts, p.duration, bytes(p).decode().split("\n")) for p in container.demux() if p.size]


@settings(deadline=None)
@given(transcripts())
@example(Transcript((Word("a", 0, 0.9996, 1), Word("b", 0.9996, 1.0004, 1)), 1.0004))
@example(Transcript(tuple(Word("w" * 50, 1.0, 1.0, 1) for _ in range(5)), 1.0))
@example(Transcript(tuple(Word("w" * 50, 1.0, 1.0, 1) for _ in range(5)), 0.0))
@example(merged([Transcript(tuple(Word("w" * 50, 1.0, 1.0, 1) for _ in range(5)), 0.0)] * 2))
def test_players_show_every_word_within_the_limits(transcript: Transcript) -> None:
    shown = parse_vtt(to_vtt(transcript))
    spoken = [(of, line) for *_, turns in shown for of, lines in turns for line in lines]
    for channel, words in by_channel(transcript.words).items():
        assert [text for of, line in spoken if of == channel for text in line.split(" ")] == [w.text for w in words]
    assert {channel for channel, _ in spoken} == by_channel(transcript.words).keys()
    labelled = []
    for start, end, turns in shown:
        assert 0 < end - start <= 7000
        hyphen = "- " if len(turns) == 2 else ""
        starts = [hyphen + ("" if channel is None else f"{channel}: ") for channel, _ in turns]
        lines = [start + lines[0] for start, (_, lines) in zip(starts, turns, strict=True)] + turns[0][1][1:]
        assert 1 <= len(lines) <= 2
        assert all(len(line) <= 42 or " " not in line.removeprefix(starts[0]) for line in lines)
        labelled.append((start, end, lines))
    for (_, end, *_), (start, *_) in itertools.pairwise(shown):
        assert end <= start
    if shown:
        assert shown[-1][1] <= max(round(1000 * transcript.duration_s), len(shown))

    assert parse_srt(to_srt(transcript)) == labelled
    header, *rows = csv.reader(io.StringIO(to_tsv(transcript), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    assert header == ["start", "end", "text"]
    assert rows == [[str(start), str(end), " ".join(lines)] for start, end, lines in labelled]


@settings(deadline=None)
@given(transcripts())
def test_ffmpeg_reads_the_same_cues(transcript: Transcript) -> None:
    if not transcript.words:
        return
    srt, vtt = to_srt(transcript), to_vtt(transcript)
    assert packets(srt, "srt") == [(start, end - start, lines) for start, end, lines in parse_srt(srt)]
    assert [(start, length) for start, length, _ in packets(vtt, "webvtt")] == [
        (start, end - start) for start, end, *_ in parse_vtt(vtt)
    ]


@settings(deadline=None)
@given(transcripts())
def test_json_round_trips_the_words(transcript: Transcript) -> None:
    content = to_json(transcript)
    assert content.endswith("}\n")
    parsed = json.loads(content)
    assert list(parsed) == ["text", "duration_s", "source", "model", "confidence", "words", "segments"]
    assert parsed["text"] == " ".join(word.text for word in transcript.words)
    assert parsed["duration_s"] == pytest.approx(transcript.duration_s, abs=0.00051)
    assert len(parsed["words"]) == len(transcript.words)
    for entry, word in zip(parsed["words"], transcript.words, strict=True):
        assert list(entry) == ["text", "start_s", "end_s", "confidence"] + ["channel"] * (word.channel is not None)
        assert (entry["text"], entry.get("channel")) == (word.text, word.channel)
        assert entry["start_s"] == pytest.approx(word.start_s, abs=0.00051)
        assert entry["end_s"] == pytest.approx(word.end_s, abs=0.00051)
        assert entry["confidence"] == pytest.approx(word.confidence, abs=0.000051)
    of_segments = [entry for segment in parsed["segments"] for entry in segment["words"]]
    assert [entry["word"] for entry in of_segments] == [f" {word.text}" for word in transcript.words]
    assert [segment["id"] for segment in parsed["segments"]] == list(range(len(parsed["segments"])))
    for segment in parsed["segments"]:
        assert segment["text"] == "".join(entry["word"] for entry in segment["words"])
        assert (segment["start"], segment["end"]) == (segment["words"][0]["start"], segment["words"][-1]["end"])


def test_merged_keeps_the_source_and_the_turns_of_a_call() -> None:
    first = Transcript(
        (Word("so", 0.1, 0.4, 0.9), Word("what", 0.5, 1.0, 0.8), Word("bye", 3.0, 3.2, 1.0)), 3.5, "a", "m"
    )
    second = Transcript((Word("oh", 0.45, 0.6, 0.5), Word("well", 0.7, 2.0, 0.5), Word("bye", 3.0, 3.2, 1.0)), 4.0)
    whole = merged([first, second])
    assert (whole.source, whole.model, whole.duration_s) == ("a", "m", 4.0)
    assert to_txt(whole) == "1: so what\n2: oh well\n1: bye\n2: bye\n"
    assert whole.text == "so what oh well bye bye"
    assert to_ctm(whole) == (
        "a 1 0.100 0.300 so 0.9000\na 1 0.500 0.500 what 0.8000\na 1 3.000 0.200 bye 1.0000\n"
        "a 2 0.450 0.150 oh 0.5000\na 2 0.700 1.300 well 0.5000\na 2 3.000 0.200 bye 1.0000\n"
    )
    assert to_srt(whole) == (
        "1\n00:00:00,100 --> 00:00:02,000\n- 1: so what\n- 2: oh well\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n- 1: bye\n- 2: bye\n"
    )


@given(transcripts())
def test_txt_has_one_line_per_phrase(transcript: Transcript) -> None:
    """Read back, the lines give the words in order; each break is at a pause or where the channel changes."""
    lines = to_txt(transcript).removesuffix("\n").split("\n") if transcript.words else []
    assert to_txt(transcript).endswith("\n")
    words, has_channels = iter(transcript.words), any(word.channel for word in transcript.words)
    last = None
    for line in lines:
        channel, text = re.fullmatch(r"(?:(\d): )?(.*)" if has_channels else r"(\0)?(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        phrase = [next(words) for _ in text.split(" ")]
        assert [word.text for word in phrase] == text.split(" ")
        assert {word.channel for word in phrase} == {None if channel is None else int(channel)}
        for a, b in itertools.pairwise(phrase):
            assert to_ms(b.start_s) - to_ms(a.end_s) < PAUSE_MS
        if last is not None and last.channel == phrase[0].channel:
            assert to_ms(phrase[0].start_s) - to_ms(last.end_s) >= PAUSE_MS
        last = phrase[-1]
    assert next(words, None) is None


def test_txt_golden() -> None:
    assert to_txt(SMALL) == "so <ah>\nq&a\nfür\n"


def test_json_golden() -> None:
    """The layout; numbers are rounded."""
    parsed = json.loads(to_json(SMALL))
    assert parsed.pop("words")[1] == {"text": "<ah>", "start_s": 0.24, "end_s": 0.5, "confidence": 0.5}
    segments = parsed.pop("segments")
    assert len(segments) == 3
    assert segments[0] == {
        "id": 0,
        "start": 0.08,
        "end": 0.5,
        "text": " so <ah>",
        "words": [
            {"word": " so", "start": 0.08, "end": 0.24, "probability": 0.9877},
            {"word": " <ah>", "start": 0.24, "end": 0.5, "probability": 0.5},
        ],
    }
    assert parsed == {
        "text": "so <ah> q&a für",
        "duration_s": 3663.0,
        "source": "talk.wav",
        "model": "small.onnx",
        "confidence": 0.6844,
    }


def test_srt_golden() -> None:
    # The second cue begins after a pause of exactly 0.7 s. The first is extended to the minimum of a second, and by
    # another 0.036 s because a gap between two frames and half a second would flicker.
    assert to_srt(SMALL) == (
        "1\n00:00:00,080 --> 00:00:01,116\nso <ah>\n\n"
        "2\n00:00:01,200 --> 00:00:02,200\nq&a\n\n"
        "3\n01:01:01,001 --> 01:01:02,500\nfür\n"
    )


def test_vtt_golden() -> None:
    assert to_vtt(SMALL) == (
        "WEBVTT\n\n"
        "00:00:00.080 --> 00:00:01.116\nso &lt;ah&gt;\n\n"
        "00:00:01.200 --> 00:00:02.200\nq&amp;a\n\n"
        "01:01:01.001 --> 01:01:02.500\nfür\n"
    )
    stereo = Transcript((Word("<ah>", 0.0, 1.0, 1.0, channel=2),), 1.0)
    assert to_vtt(stereo) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v 2>&lt;ah&gt;\n"


def test_tsv_golden() -> None:
    assert to_tsv(SMALL) == "start\tend\ttext\n80\t1116\tso <ah>\n1200\t2200\tq&a\n3661001\t3662500\tfür\n"


def test_hours_beyond_99() -> None:
    assert "100:00:01.500 --> 100:00:02.500" in to_vtt(Transcript((Word("late", 360_001.5, 360_002.5, 1),), 360_003))


def test_empty() -> None:
    empty = Transcript((), 2.5)
    assert empty.text == ""
    assert empty.confidence is None
    assert [empty.to(name) for name in ("txt", "srt", "vtt", "ctm")] == ["\n", "", "WEBVTT\n", ""]
    assert empty.to("tsv") == "start\tend\ttext\n"
    assert parse_textgrid(empty.to("TextGrid")) == {"words": [(0.0, 2.5, "")]}
    assert json.loads(empty.to("json")) == {
        "text": "",
        "duration_s": 2.5,
        "source": None,
        "model": None,
        "confidence": None,
        "segments": [],
        "words": [],
    }


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(Transcript((Word("a", 0.0, 1.0, float("nan")),), 1.0))


@settings(deadline=None)
@given(transcripts())
def test_every_word_is_a_line_of_ctm(transcript: Transcript) -> None:
    rows = [line.split(" ") for line in to_ctm(transcript).split("\n")[:-1]]
    assert {source for source, *_ in rows} <= {"-"}
    order = [(channel, float(start)) for _, channel, start, *_ in rows]
    assert order == sorted(order)
    for channel, words in by_channel(transcript.words).items():
        channel_rows = [row for row in rows if row[1] == str(channel or 1)]
        assert [text for *_, text, _ in channel_rows] == [word.text for word in words]
        for word, (_, _, start, length, _, confidence) in zip(words, channel_rows, strict=True):
            assert float(start) == pytest.approx(word.start_s, abs=0.00051)
            assert float(start) + float(length) == pytest.approx(word.end_s, abs=0.00051)
            assert float(confidence) == pytest.approx(word.confidence, abs=0.00006)


def test_ctm_names_the_file() -> None:
    transcript = Transcript((Word("one", 0.5, 1.25, 0.9),), 2.0, source="talks/my talk.wav")
    assert to_ctm(transcript) == "my_talk 1 0.500 0.750 one 0.9000\n"


def test_ctm_sorts_channels_as_text() -> None:
    words = tuple(Word("a", 1.0, 2.0, 1.0, channel) for channel in (2, 10, 1))
    assert [line.split(" ")[1] for line in to_ctm(Transcript(words, 2.0)).splitlines()] == ["1", "10", "2"]


def parse_textgrid(content: str) -> dict[str, list[tuple[float, float, str]]]:
    """Parse a TextGrid in Praat's short format: tier -> intervals."""
    lines = iter(content.removesuffix("\n").split("\n"))
    head = [next(lines) for _ in range(7)]
    assert head[:4] == ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0"]
    assert head[5] == "<exists>"
    tiers = {}
    for _ in range(int(head[6])):
        kind, name, start, end, count = (next(lines) for _ in range(5))
        assert (kind, start, end) == ('"IntervalTier"', "0", head[4])
        intervals = []
        for _ in range(int(count)):
            first, last, text = float(next(lines)), float(next(lines)), next(lines)
            assert re.fullmatch(r'"([^"]|"")*"', text)
            intervals.append((first, last, text[1:-1].replace('""', '"')))
        assert (intervals[0][0], intervals[-1][1]) == (0, float(end))
        tiers[name[1:-1]] = intervals
    assert list(lines) == []
    return tiers


@settings(deadline=None)
@given(transcripts())
def test_the_intervals_of_a_textgrid_cover_the_recording_and_contain_the_words(transcript: Transcript) -> None:
    tiers = parse_textgrid(to_textgrid(transcript))
    channels = by_channel(transcript.words) or {None: []}
    assert list(tiers) == [f"channel {channel}" if channel else "words" for channel in sorted(channels, key=str)]
    for channel, words in channels.items():
        intervals = tiers[f"channel {channel}" if channel else "words"]
        assert all(end == start for (_, end, _), (start, _, _) in itertools.pairwise(intervals))
        duration = round(1000 * transcript.duration_s)
        if duration:
            assert all(start < end for start, end, _ in intervals)
        shown = [word for word in words if min(round(1000 * word.end_s), duration) > round(1000 * word.start_s)]
        assert [text for _, _, text in intervals if text] == [word.text for word in shown]


def test_textgrid_escapes_quotes_and_separates_overlapping_words() -> None:
    words = (Word('say"', 0.1, 0.5, 1.0), Word("it", 0.4, 0.7, 1.0), Word("lost", 0.6, 0.7, 1.0))
    assert parse_textgrid(to_textgrid(Transcript(words, 1.0))) == {
        "words": [(0.0, 0.1, ""), (0.1, 0.5, 'say"'), (0.5, 0.7, "it"), (0.7, 1.0, "")]
    }


def test_textgrid_has_a_tier_for_each_channel() -> None:
    words = (Word("yes", 0.2, 0.4, 1.0, channel=2), Word("and", 0.0, 1.0, 1.0, channel=1))
    assert parse_textgrid(to_textgrid(Transcript(words, 1.0))) == {
        "channel 1": [(0.0, 1.0, "and")],
        "channel 2": [(0.0, 0.2, ""), (0.2, 0.4, "yes"), (0.4, 1.0, "")],
    }


def test_audacity_has_one_label_per_phrase() -> None:
    assert to_audacity(SMALL) == (
        "0.080000\t0.500000\tso <ah>\n1.200000\t1.400000\tq&a\n3661.000600\t3662.500000\tfür\n"
    )


READABLE = Transcript(
    (
        Word("We", 0.0, 0.2, 0.9, spoken=(Word("we", 0.0, 0.2, 0.9),)),
        Word(
            "pay",
            0.2,
            0.4,
            0.9,
            spoken=(Word("pay", 0.2, 0.4, 0.9),),
        ),
        Word(
            "5%.",
            0.5,
            1.1,
            0.8,
            ends_sentence=True,
            spoken=(Word("five", 0.5, 0.7, 0.9), Word("percent", 0.8, 1.1, 0.7)),
        ),
        Word("So?", 1.2, 1.4, 0.9, ends_sentence=True, spoken=(Word("so", 1.2, 1.4, 0.9),)),
    ),
    3.0,
    "talk.wav",
)


def test_readable_json_has_both_texts() -> None:
    parsed = json.loads(to_json(READABLE))
    assert (parsed["text"], parsed["spoken_text"]) == ("We pay 5%. So?", "we pay five percent so")
    assert parsed["words"][2]["spoken"] == [
        {"text": "five", "start_s": 0.5, "end_s": 0.7, "confidence": 0.9},
        {"text": "percent", "start_s": 0.8, "end_s": 1.1, "confidence": 0.7},
    ]
    assert [sentence["text"] for sentence in parsed["sentences"]] == ["We pay 5%.", "So?"]
    assert [segment["text"] for segment in parsed["segments"]] == [" We pay 5%.", " So?"]


def test_readable_ctm_has_the_spoken_words() -> None:
    assert [line.split()[4] for line in to_ctm(READABLE).splitlines()] == ["we", "pay", "five", "percent", "so"]


def test_readable_subtitles_and_text_break_where_sentences_end() -> None:
    assert to_txt(READABLE) == "We pay 5%.\nSo?\n"
    assert [lines for *_, ((_, lines),) in parse_vtt(to_vtt(READABLE))] == [["We pay 5%."], ["So?"]]


def test_subtitles_break_after_a_comma_rather_than_elsewhere() -> None:
    text = "sometimes considerable numbers of passengers arrive, however others continue walking together"
    words = tuple(Word(word, 0.4 * at, 0.4 * at + 0.35, 1.0) for at, word in enumerate(text.split(" ")))
    shown = [lines for *_, ((_, lines),) in parse_vtt(to_vtt(Transcript(words, 9.0)))]
    assert any(line.endswith("arrive,") for lines in shown for line in lines)
