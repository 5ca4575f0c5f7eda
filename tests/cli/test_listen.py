"""`asr listen` as a user runs it: from a pipe, stopped by Ctrl-C, and on a terminal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner, Result

import asr
from asr.cli import main
from asr.cli.live_output import Files, Terminal
from asr.decoding.live import Update
from asr.errors import AsrError

ENTER = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"
SPOKEN = "enter two nine eight one"


def run(*arguments: object, stdin: bytes = ENTER.read_bytes()) -> Result:
    return CliRunner().invoke(main, ["listen", "-", "-m", "an4", *map(str, arguments)], input=stdin)


def test_a_wav_in_a_pipe_is_printed() -> None:
    result = run()
    assert (result.exit_code, result.stdout, result.stderr) == (0, SPOKEN + "\n", "")


def test_raw_samples_of_another_rate_are_resampled() -> None:
    samples, _ = soundfile.read(ENTER, dtype="int16")
    assert run("--rate", 8000, stdin=samples[::2].tobytes()).stdout.split()[0] == "enter"
    assert run(stdin=samples.tobytes()).stdout == SPOKEN + "\n"


def test_json_has_final_words_and_tentative_ones() -> None:
    updates = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert " ".join(word["text"] for update in updates for word in update["words"]) == SPOKEN
    assert updates[-1]["ends_utterance"]
    assert updates[-1]["tail"] == []
    assert all(update.keys() == {"words", "tail", "ends_utterance", "time_s"} for update in updates)


@pytest.mark.parametrize("format", ["txt", "srt", "vtt", "json"])
def test_files_are_those_of_a_transcript(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"talk.{format}"
    result = run("-o", path)
    assert result.stderr == f"Written: '{path}'.\n"
    text = path.read_text(encoding="utf-8")
    if format == "json":
        assert json.loads(text)["text"] == SPOKEN
        assert json.loads(text)["duration_s"] == pytest.approx(1.815, abs=0.01)
    else:
        lines = [line for line in text.splitlines() if re.fullmatch(r"[a-z ]+", line)]
        assert " ".join(lines) == SPOKEN
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-o", "talk.doc"], b"", "'talk.doc' does not end in the suffix of a format"),
        (["-o", "nowhere/talk.txt"], b"", "the folder 'nowhere' does not exist"),
        ([], b"fLaC" + bytes(100), "Standard input is FLAC, but live audio must be WAV or raw 16-bit samples"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], stdin: bytes, message: str) -> None:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 1
    assert message in result.stderr


def test_nothing_in_nothing_out() -> None:
    result = run(stdin=b"")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_the_recording_and_its_last_words_are_kept(tmp_path: Path, number: int, status: int) -> None:
    path = tmp_path / "talk.txt"
    command = [sys.executable, "-m", "asr", "listen", "-", "-m", "an4", "-o", path]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        samples, _ = soundfile.read(ENTER, dtype="int16")
        process.stdin.write(samples.tobytes() + bytes(3 * 32_000) + samples.tobytes())
        process.stdin.flush()
        assert process.stdout.readline() == SPOKEN.encode() + b"\n"
        time.sleep(1)  # the second sentence is read, but its last words are not final
        process.send_signal(number)
        found: Any = process.communicate()
        rest, errors = found
    assert process.returncode == status
    assert rest == SPOKEN.encode() + b"\n"
    assert path.read_text() == f"{SPOKEN}\n{SPOKEN}\n"
    assert errors.decode() == f"Written: '{path}'.\n"


def word(text: str) -> asr.Word:
    return asr.Word(text, 0.0, 1.0, 1.0)


def test_a_terminal_shows_the_tail_dim_and_writes_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((30, 10)))
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    display = Terminal()
    display.show(Update((word("the"),), (word("cap"),), False, 1.0))
    display.show(Update((word("captain"), word("of")), (word("this"), word("ship")), False, 2.0))
    display.show(Update((word("the"), word("ship"), word("yonder")), (), True, 3.0))
    display.close()
    clear = "\r\x1b[K"
    assert capsys.readouterr().out == (
        f"{clear}the\x1b[2m cap\x1b[0m{clear}the captain of\x1b[2m this ship\x1b[0m"
        f"{clear}the captain of the ship\n{clear}yonder\n"
    )


def test_files_grow_and_are_whole_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    files = Files([path])
    files.add(Update((word("one"),), (), False, 1.0))
    assert json.loads(path.read_text())["text"] == "one"
    files.add(Update((word("two"),), (), False, 2.0))
    files.finish("model", 3.0)
    assert json.loads(path.read_text())["text"] == "one two"
    with pytest.raises(AsrError, match="Cannot write"):
        path.with_name("folder.txt").mkdir()
        Files([path.with_name("folder.txt")]).finish("model", 1.0)
