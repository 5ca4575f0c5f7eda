"""Lines of outputs have all that the formats need."""

import json
from dataclasses import replace

import pytest

from asr.bulk.lines import parse, to_line, transcript
from asr.bulk.recordings import Recording
from asr.errors import AudioError
from asr.transcript.formats import FORMATS
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word

READABLE = Transcript(
    (
        Word("Hello.", 0.5, 1.0, 0.75, ends_sentence=True, spoken=(Word("hello", 0.5, 1.0, 0.75),)),
        Word("25%", 1.1, 1.9, 0.5, spoken=(Word("twenty", 1.1, 1.4, 0.25), Word("five", 1.5, 1.9, 0.75))),
        Word("off,", 1.9, 2.0, 0.5, ends_sentence=True, spoken=(Word("off", 1.9, 2.0, 0.5),)),
        Word("thanks", 2.9, 3.0, 1.0),
    ),
    4.25,
    "/data/a.wav",
    "english",
)
PLAIN = Transcript((Word("hello", 0.5, 1.0, 0.75), Word("there", 1.0, 1.5, 0.25)), 2.0, "/data/b.wav", "an4")
CHANNELS = merged(
    [READABLE, replace(READABLE, words=tuple(replace(w, start_s=w.start_s + 0.2) for w in READABLE.words))]
)
EMPTY = Transcript((), 1.0, "/data/c.wav", "english")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("original", [READABLE, PLAIN, CHANNELS, EMPTY], ids=["readable", "plain", "channels", "empty"])
def test_a_transcript_is_read_as_it_was_written(original: Transcript, format: str) -> None:
    (line,) = parse(to_line(Recording("a", "/data/a.wav"), original))
    assert transcript(line).to(format) == original.to(format)


def test_a_line_has_the_name_and_the_fields_of_json() -> None:
    line = json.loads(to_line(Recording("calls/a", "/data/a.wav"), PLAIN))
    assert line.pop("name") == "calls/a"
    assert line == json.loads(PLAIN.to("json"))


def test_an_error_and_a_name_that_is_not_utf8() -> None:
    content = to_line(Recording("a\udcff", "/data/a\udcff.wav"), AudioError("'/data/a\udcff.wav' is bad."))
    assert content.count(b"\n") == 1
    (line,) = parse(content.decode().encode())
    assert line == {"name": "a\udcff", "source": "/data/a\udcff.wav", "error": "'/data/a\udcff.wav' is bad."}
