"""`asr align` as a user runs it, with the model an4 on recordings of the examples."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"


def run(text: Path | str, *arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["align", "--model", "an4", str(EXAMPLE), str(text), *arguments], input=stdin)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("Enter, two -\nNINE-eight “one”\n", encoding="utf-8")
    return path


def test_words_keep_their_spelling_and_their_order(text: Path) -> None:
    result = run(text)
    assert (result.exit_code, result.stderr) == (0, "")
    words = json.loads(result.stdout)["words"]
    assert [word["text"] for word in words] == ["Enter,", "two", "NINE-eight", "“one”"]
    times = [time for word in words for time in (word["start_s"], word["end_s"])]
    assert times == sorted(times)
    assert 0.05 < times[0] < 0.2
    assert 1.5 < times[-1] < 1.8
    assert min(word["confidence"] for word in words) > 0.9


def test_a_text_that_was_not_spoken_is_an_error() -> None:
    result = run("-", stdin=b"north five")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(
        r"standard input does not seem to be what is spoken in '.*': \d+ % of it were found", result.stderr
    )


def test_words_that_were_not_spoken_have_no_time_and_no_confidence() -> None:
    result = run("-", stdin=b"enter two indubitably nine eight one")
    (extra,) = (word for word in json.loads(result.stdout)["words"] if not word["confidence"])
    assert extra["text"] == "indubitably"
    assert extra["start_s"] == extra["end_s"]
    assert "1 of 6 words were not found in the recording (confidence 0): 'indubitably'." in result.stderr


def test_sentences_are_a_tier_of_their_own() -> None:
    stdin = b"Enter two. Nine\neight one"
    assert [s["text"] for s in json.loads(run("-", stdin=stdin).stdout)["sentences"]] == [
        "Enter two.",
        "Nine",
        "eight one",
    ]
    assert '"sentences"' in run("-", "--format", "TextGrid", stdin=stdin).stdout


def test_formats_and_files(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ctm"
    result = run(text, "--format", "ctm", "--output", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert [line.split()[4] for line in out.read_text().splitlines()] == ["Enter,", "two", "NINE-eight", "“one”"]
    assert '"NINE-eight"' in run(text, "--format", "TextGrid").stdout
    srt = run(text, "--format", "srt").stdout
    assert "\nEnter, two\n" in srt, "the lines of the text are kept"
    assert "\nNINE-eight “one”\n" in srt


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"enter\ntwo 9",
            "standard input has 1 word with characters outside the model's alphabet ('9'): '9' (line 2); write numbers",
        ),
        (b"", "standard input contains no words"),
        (b"-- !", "standard input contains no words"),
        (b"enter\n\xff", "standard input, line 2: the byte 0xff is not UTF-8"),
        (b"enter " * 90, "The audio has 45 frames, but the text needs 539"),
    ],
)
def test_an_error_is_one_sentence(content: bytes, message: str) -> None:
    result = run("-", stdin=content)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_text_file_is_named() -> None:
    result = run("nowhere.txt")
    assert result.exit_code == 1
    assert "'nowhere.txt' cannot be read (No such file or directory)" in result.stderr
