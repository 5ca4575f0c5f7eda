"""Transcripts: what a reader of each format gets back is what went in."""

import html
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.transcript import Transcript, Word, cues, to_ctm, to_json, to_srt, to_textgrid, to_txt, to_vtt, write

SPACELESS = st.text(st.sampled_from("abcdefgé'&<>-;#ß漢"), min_size=1, max_size=14)
TEXTS = st.one_of(SPACELESS, st.sampled_from(["-->", "&amp;", "x" * 42, "y" * 43, "z" * 90]))


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Words in order of time: abutting, far apart, a fraction of a millisecond long, past hour 100."""
    steps = st.one_of(st.just(0.0), st.floats(0, 0.003), st.floats(0, 1), st.sampled_from([0.699, 0.7, 8.0]))
    now = draw(st.sampled_from([0.0, 0.0004, 59.9996, 360_000.0]))
    words = []
    for text in draw(st.lists(TEXTS, max_size=40)):
        start = now + draw(steps)
        now = start + draw(steps)
        words.append(Word(text, start, now, draw(st.floats(0, 1))))
    return Transcript(tuple(words), now + draw(st.floats(0, 5)))


def parse(content: str, stamp: str) -> list[tuple[int, int, list[str]]]:
    """Start and end in milliseconds and the lines of each cue; anything that is not a cue fails."""
    found = []
    for block in content.removesuffix("\n").split("\n\n") if content else []:
        head, *lines = block.split("\n")
        match = re.fullmatch(rf"{stamp} --> {stamp}", head)
        assert match, head
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, match.groups())
        assert max(m1, s1, m2, s2) < 60
        found.append((((h1 * 60 + m1) * 60 + s1) * 1000 + ms1, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2, lines))
    return found


def parse_srt(content: str) -> list[tuple[int, int, list[str]]]:
    numbers = re.findall(r"(?:\A|\n\n)(\d+)\n", content)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    return parse(re.sub(r"(\A|\n\n)\d+\n", r"\1", content), r"(\d{2,}):(\d\d):(\d\d),(\d{3})")


def parse_vtt(content: str) -> list[tuple[int, int, list[str]]]:
    assert content.startswith("WEBVTT\n")
    blocks = parse(content.removeprefix("WEBVTT\n").removeprefix("\n"), r"(\d{2,}):(\d\d):(\d\d)\.(\d{3})")
    assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", "".join("".join(lines) for *_, lines in blocks))
    return [(start, end, [html.unescape(line) for line in lines]) for start, end, lines in blocks]


def fits(texts: list[str]) -> bool:
    """Whether some way to cut the words in at most two lines keeps each line in 42 characters or one word."""
    return any(
        all(len(part) <= 1 or len(" ".join(part)) <= 42 for part in (texts[:cut], texts[cut:]))
        for cut in range(len(texts) + 1)
    )


@settings(deadline=None)
@given(transcripts())
@example(Transcript((Word("a", 0, 0.9996, 1), Word("b", 0.9996, 1.0004, 1)), 1.0004))
@example(Transcript(tuple(Word("w" * 50, 1.0, 1.0, 1) for _ in range(5)), 1.0))
def test_what_a_player_reads(transcript: Transcript) -> None:
    shown = parse_srt(to_srt(transcript))
    assert parse_vtt(to_vtt(transcript)) == shown
    assert [(cue.start_ms, cue.end_ms, list(cue.lines)) for cue in cues(transcript)] == shown

    assert [text for *_, lines in shown for line in lines for text in line.split(" ")] == [
        word.text for word in transcript.words
    ]
    for start, end, lines in shown:
        assert 0 < end - start <= 7000
        assert 1 <= len(lines) <= 2
        assert all(len(line) <= 42 or " " not in line for line in lines)
    for (_, end, _), (start, _, _) in itertools.pairwise(shown):
        assert end <= start


@settings(deadline=None)
@given(transcripts())
def test_cues_are_cut_where_they_must_be_and_nowhere_else(transcript: Transcript) -> None:
    remaining = iter(transcript.words)
    groups = [[next(remaining) for _ in " ".join(cue.lines).split(" ")] for cue in cues(transcript)]

    def ms(seconds: float) -> int:
        return round(seconds * 1000)

    for group in groups:
        assert all(ms(after.start_s) - ms(before.end_s) < 700 for before, after in itertools.pairwise(group))
        assert len(group) == 1 or ms(group[-1].end_s) - ms(group[0].start_s) <= 7000
    for group, after in itertools.pairwise(groups):
        assert (
            ms(after[0].start_s) - ms(group[-1].end_s) >= 700
            or ms(after[0].end_s) - ms(group[0].start_s) > 7000
            or not fits([*(word.text for word in group), after[0].text])
        )


@settings(deadline=None)
@given(transcripts())
def test_json_gives_the_words_back(transcript: Transcript) -> None:
    content = to_json(transcript)
    assert content.endswith("}\n")
    read = json.loads(content)
    assert list(read) == ["text", "duration_s", "source", "model", "confidence", "words"]
    assert read["text"] == to_txt(transcript).removesuffix("\n") == " ".join(word.text for word in transcript.words)
    assert read["duration_s"] == pytest.approx(transcript.duration_s, abs=0.00051)
    assert len(read["words"]) == len(transcript.words)
    for got, word in zip(read["words"], transcript.words, strict=True):
        assert list(got) == ["text", "start_s", "end_s", "confidence"]
        assert got["text"] == word.text
        assert got["start_s"] == pytest.approx(word.start_s, abs=0.00051)
        assert got["end_s"] == pytest.approx(word.end_s, abs=0.00051)
        assert got["confidence"] == pytest.approx(word.confidence, abs=0.000051)


SMALL = Transcript(
    (
        Word("so", 0.08, 0.24, 0.98765),
        Word("<ah>", 0.2404, 0.5, 0.5),
        Word("q&a", 1.2, 1.4, 1.0),
        Word("für", 3661.0006, 3662.5, 0.25),
    ),
    duration_s=3663.00049,
    source="talk.wav",
    model="small.onnx",
)


def test_txt_golden() -> None:
    assert to_txt(SMALL) == "so <ah> q&a für\n"


def test_json_golden() -> None:
    assert (
        to_json(SMALL)
        == """{
  "text": "so <ah> q&a für",
  "duration_s": 3663.0,
  "source": "talk.wav",
  "model": "small.onnx",
  "confidence": 0.6844,
  "words": [
    {
      "text": "so",
      "start_s": 0.08,
      "end_s": 0.24,
      "confidence": 0.9877
    },
    {
      "text": "<ah>",
      "start_s": 0.24,
      "end_s": 0.5,
      "confidence": 0.5
    },
    {
      "text": "q&a",
      "start_s": 1.2,
      "end_s": 1.4,
      "confidence": 1.0
    },
    {
      "text": "für",
      "start_s": 3661.001,
      "end_s": 3662.5,
      "confidence": 0.25
    }
  ]
}
"""
    )


def test_srt_golden() -> None:
    # The second cue begins after a pause of exactly 0.7 s, and is shown for a second though it is spoken in 0.2 s.
    assert to_srt(SMALL) == (
        "1\n00:00:00,080 --> 00:00:01,080\nso <ah>\n\n"
        "2\n00:00:01,200 --> 00:00:02,200\nq&a\n\n"
        "3\n01:01:01,001 --> 01:01:02,500\nfür\n"
    )


def test_vtt_golden() -> None:
    assert to_vtt(SMALL) == (
        "WEBVTT\n\n"
        "00:00:00.080 --> 00:00:01.080\nso &lt;ah&gt;\n\n"
        "00:00:01.200 --> 00:00:02.200\nq&amp;a\n\n"
        "01:01:01.001 --> 01:01:02.500\nfür\n"
    )


def test_two_lines_are_alike_in_length() -> None:
    texts = ["it", "was", "the", "best", "of", "times", "it", "was", "the", "worst", "of", "times"]
    words = tuple(Word(text, 0.3 * i, 0.3 * i + 0.3, 1.0) for i, text in enumerate(texts))
    (cue,) = cues(Transcript(words, 4.0))
    assert cue.lines == ("it was the best of times", "it was the worst of times")


def test_42_characters_fill_a_line_and_84_a_cue() -> None:
    def lines(*lengths: int) -> list[tuple[str, ...]]:
        words = tuple(Word("x" * length, i, i + 1, 1.0) for i, length in enumerate(lengths))
        return [cue.lines for cue in cues(Transcript(words, len(lengths)))]

    x20, x21, x41 = "x" * 20, "x" * 21, "x" * 41
    assert lines(20, 21) == [(f"{x20} {x21}",)]
    assert lines(21, 21) == [(x21, x21)]
    assert lines(20, 21, 20, 21) == [(f"{x20} {x21}", f"{x20} {x21}")]
    assert lines(20, 21, 21, 21) == [(f"{x20} {x21}", x21), (x21,)]
    assert lines(1, 41, 41) == [("x", x41), (x41,)]


def test_a_cue_of_seven_seconds_is_not_cut() -> None:
    assert len(cues(Transcript((Word("a", 1.0, 4.0, 1.0), Word("b", 4.0, 8.0, 1.0)), 9.0))) == 1
    assert len(cues(Transcript((Word("a", 1.0, 4.0, 1.0), Word("b", 4.0, 8.001, 1.0)), 9.0))) == 2


def test_a_short_last_cue_ends_with_the_sound() -> None:
    (cue,) = cues(Transcript((Word("yes", 1.0, 1.2, 1.0),), 1.5))
    assert (cue.start_ms, cue.end_ms) == (1000, 1500)


def test_a_word_of_ten_seconds_is_shown_for_seven() -> None:
    (cue,) = cues(Transcript((Word("ommm", 1.0, 11.0, 1.0),), 12.0))
    assert (cue.start_ms, cue.end_ms) == (1000, 8000)


def test_hours_beyond_99() -> None:
    assert "100:00:01.500 --> 100:00:02.500" in to_vtt(Transcript((Word("late", 360_001.5, 360_002.5, 1),), 360_003))


def test_empty() -> None:
    empty = Transcript((), 2.5)
    assert empty.text == ""
    assert empty.confidence is None
    assert [empty.to(name) for name in ("txt", "srt", "vtt")] == ["\n", "", "WEBVTT\n"]
    assert json.loads(empty.to("json")) == {
        "text": "",
        "duration_s": 2.5,
        "source": None,
        "model": None,
        "confidence": None,
        "words": [],
    }


def test_json_has_no_word_for_not_a_number() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(Transcript((Word("a", 0.0, 1.0, float("nan")),), 1.0))


def test_confidence_is_the_mean_over_words() -> None:
    assert SMALL.confidence == pytest.approx((0.98765 + 0.5 + 1.0 + 0.25) / 4)


def test_unknown_format(tmp_path: Path) -> None:
    message = "Unknown transcript format 'doc': choose one of txt, json, srt, vtt"
    with pytest.raises(AsrError, match=message):
        SMALL.to("doc")
    with pytest.raises(AsrError, match=message):
        write(SMALL, tmp_path / "a.doc", "doc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["txt", "json", "srt", "vtt"])
def test_write_replaces_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"talk.{name}"
    path.write_text("old and much longer than the new content\n" * 100)
    write(SMALL, path, name)
    assert path.read_bytes() == SMALL.to(name).encode("utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = tmp_path / "talk.txt"
    path.write_text("old\n")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(AsrError, match=r"Cannot write .*talk\.txt: No space left on device\."):
        write(SMALL, path, "txt")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_write_where_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"Cannot write .*none/talk\.txt: No such file or directory\."):
        write(SMALL, tmp_path / "none" / "talk.txt", "txt")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(AsrError, match=r"Cannot write .*folder: Is a directory\."):
        write(SMALL, folder, "txt")
    assert list(tmp_path.iterdir()) == [folder]


@settings(deadline=None)
@given(transcripts())
def test_every_word_is_a_line_of_ctm(transcript: Transcript) -> None:
    rows = [line.split(" ") for line in to_ctm(transcript).splitlines()]
    assert [(source, channel, text) for source, channel, _, _, text, _ in rows] == [
        ("-", "1", word.text) for word in transcript.words
    ]
    for word, (_, _, start, length, _, confidence) in zip(transcript.words, rows, strict=True):
        assert float(start) == pytest.approx(word.start_s, abs=0.00051)
        assert float(start) + float(length) == pytest.approx(word.end_s, abs=0.00051)
        assert float(confidence) == pytest.approx(word.confidence, abs=0.00006)


def test_ctm_names_the_file() -> None:
    transcript = Transcript((Word("one", 0.5, 1.25, 0.9),), 2.0, source="talks/my talk.wav")
    assert to_ctm(transcript) == "my_talk 1 0.500 0.750 one 0.9000\n"


def parse_textgrid(content: str) -> list[tuple[float, float, str]]:
    """The intervals of the one tier of a TextGrid in Praat's short form."""
    head, lines = content.splitlines()[:12], content.splitlines()[12:]
    assert head[:4] == ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0"]
    assert head[5:10] == ["<exists>", "1", '"IntervalTier"', '"words"', "0"]
    assert head[4] == head[10]
    assert len(lines) == 3 * int(head[11])
    intervals = [
        (float(first), float(last), text[1:-1].replace('""', '"'))
        for first, last, text in zip(*[iter(lines)] * 3, strict=True)
    ]
    assert (intervals[0][0], intervals[-1][1]) == (0, float(head[4]))
    return intervals


@settings(deadline=None)
@given(transcripts())
def test_the_intervals_of_a_textgrid_cover_the_sound_and_hold_the_words(transcript: Transcript) -> None:
    intervals = parse_textgrid(to_textgrid(transcript))
    assert all(end == start for (_, end, _), (start, _, _) in itertools.pairwise(intervals))
    if transcript.duration_s >= 0.001:
        assert all(start < end for start, end, _ in intervals)
    shown = [word for word in transcript.words if round(1000 * word.end_s) > round(1000 * word.start_s)]
    assert [text for _, _, text in intervals if text] == [word.text for word in shown]


def test_textgrid_keeps_quotes_and_parts_words_that_overlap() -> None:
    words = (Word('say"', 0.1, 0.5, 1.0), Word("it", 0.4, 0.7, 1.0), Word("lost", 0.6, 0.7, 1.0))
    assert parse_textgrid(to_textgrid(Transcript(words, 1.0))) == [
        (0.0, 0.1, ""),
        (0.1, 0.5, 'say"'),
        (0.5, 0.7, "it"),
        (0.7, 1.0, ""),
    ]
