"""`asr align` as a user runs it, with the model an4 on recordings of the examples."""

import json
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


def test_a_text_that_was_not_spoken_has_low_confidence() -> None:
    result = run("-", stdin=b"north five")
    assert max(word["confidence"] for word in json.loads(result.stdout)["words"]) < 0.2


def test_formats_and_files(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ctm"
    result = run(text, "--format", "ctm", "--output", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert [line.split()[4] for line in out.read_text().splitlines()] == ["Enter,", "two", "NINE-eight", "“one”"]
    assert '"NINE-eight"' in run(text, "--format", "TextGrid").stdout
    assert "\nEnter, two NINE-eight “one”\n" in run(text, "--format", "srt").stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"enter\ntwo 9", "standard input, line 2: the word '9' contains '9' (U+0039), outside the model's alphabet"),
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
