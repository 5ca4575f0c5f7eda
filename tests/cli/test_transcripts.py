"""What `asr transcribe` prints: phrases as they come, their times, and one recording after the other."""

from collections.abc import Sequence
from typing import Any

import pytest

from asr.cli.transcripts import Printer
from asr.errors import AudioError
from asr.transcript.subtitles import STANDARD
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.inputs import Input


class Shown:
    """Collects what is printed."""

    def __init__(self) -> None:
        self.out, self.err = "", ""

    def print(self, text: str, err: bool = False) -> None:
        if err:
            self.err += text
        else:
            self.out += text


def words(text: str, start_s: float) -> list[Word]:
    """Words of 0.4 s without pauses. A word in upper case has a low confidence."""
    return [
        Word(word.lower(), start_s + 0.5 * place, start_s + 0.5 * place + 0.4, 0.1 if word.isupper() else 0.9)
        for place, word in enumerate(text.split())
    ]


def printer(names: Sequence[str], **options: Any) -> tuple[Printer, Shown]:
    shown = Shown()
    defaults = {"label": len(names) > 1, "times": False, "live": True, "layout": STANDARD}
    inputs = [Input(f"{name}.wav", name) for name in names]
    return Printer(shown, inputs, "txt", **(defaults | options)), shown  # type: ignore[arg-type]


def test_a_phrase_is_printed_once_the_next_one_has_begun() -> None:
    sink, shown = printer(["a"])
    first, second = words("one two", 0.0), words("three", 5.0)
    sink.add(0, first, 5.0)
    assert shown.out == ""
    sink.add(0, words("and", 1.0), 5.0)
    sink.add(0, second, 9.0)
    assert shown.out == "one two and\n"
    sink.finish(0, Transcript((*first, *words("and", 1.0), *second), 10.0))
    assert shown.out == "one two and\nthree\n"
    assert sink.done == 1


def test_times_and_hours() -> None:
    sink, shown = printer(["a"], times=True)
    sink.finish(0, Transcript((*words("one", 12.34), *words("two", 3723.0)), 4000.0))
    assert shown.out == ""
    sink, shown = printer(["a"], times=True, live=False)
    sink.finish(0, Transcript((*words("one", 12.34), *words("two", 3723.0)), 4000.0))
    assert shown.out == "[00:12.3 -> 00:12.7] one\n[1:02:03.0 -> 1:02:03.4] two\n"


def test_several_recordings_are_printed_in_their_order_with_their_names() -> None:
    sink, shown = printer(["a", "b", "c"], live=False)
    sink.finish(1, Transcript(tuple(words("second", 0.0)), 2.0))
    assert shown.out == ""
    sink.finish(0, Transcript((*words("first", 0.0), *words("rest", 5.0)), 7.0))
    assert shown.out == "a.wav: first\na.wav: rest\nb.wav: second\n"
    sink.add(2, words("until here", 0.0), 2.0)
    sink.finish(2, AudioError("'c.wav' is truncated."))
    assert shown.out.endswith("c.wav: until here\n")
    assert shown.err == "Error: 'c.wav' is truncated.\n"
    assert (
        sink.summary(skipped=1, failed=1) == "2 files, 9.0 s of audio in 0.0 s; 1 already done and skipped; 2 failed."
    )


@pytest.mark.parametrize(("no_color", "styled"), [(None, True), ("1", False)])
def test_unsure_words_are_dimmed_on_a_terminal_with_colours(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, styled: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    sink, shown = printer(["a"], live=False)
    sink.finish(0, Transcript(tuple(words("sure UNSURE", 0.0)), 2.0))
    assert shown.out == ("sure \x1b[2munsure\x1b[0m\n" if styled else "sure unsure\n")
