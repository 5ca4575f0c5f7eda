"""Transcript files in an output folder."""

import json
import os
from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.transcript.formats import EXTENSIONS
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import outputs
from asr.transcription.inputs import Input
from asr.transcription.outputs import Outputs, clean, is_done

TRANSCRIPT = Transcript((Word("hello", 0.1, 0.5, 0.9),), 1.0)


def test_one_file_per_format_in_a_folder_like_that_of_the_recording(tmp_path: Path) -> None:
    source = tmp_path / "talk.wav"
    source.touch()
    recording, out = Input(str(source), "monday/talk"), tmp_path / "out"
    assert not is_done(recording, out, ["txt", "srt"])
    files = Outputs(recording, out, ["txt", "srt"], "toy").finish(TRANSCRIPT)
    assert files == [out / "monday" / "talk.txt", out / "monday" / "talk.srt"]
    assert files[0].read_text() == "hello\n"
    assert is_done(recording, out, ["txt", "srt"])
    os.utime(source, (2**33, 2**33))
    assert not is_done(recording, out, ["txt"])


@pytest.mark.parametrize("format_", EXTENSIONS)
def test_an_empty_file_is_not_done_and_none_is_written(format_: str, tmp_path: Path) -> None:
    """A file system that was switched off can hold the name of a file and not its contents."""
    source = tmp_path / "talk.wav"
    source.touch()
    recording = Input(str(source), "talk")
    (written,) = Outputs(recording, tmp_path, [format_], "toy").finish(Transcript((), 1.0))
    assert is_done(recording, tmp_path, [format_])
    written.write_bytes(b"")
    assert not is_done(recording, tmp_path, [format_])


def test_what_a_killed_run_has_left_is_deleted(tmp_path: Path) -> None:
    names = [
        "sub/a.txt",
        "sub/a.partial.srt",
        "b.partial.txt",
        ".asr-0123456789abcdef.tmp",
        "sub/.asr-0123456789abcdef.tmp",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (0, 0))
    clean([Input("a.wav", "sub/a")], [Input("b.wav", "b")], tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"sub/a.txt", "b.partial.txt"}, "what was recognised of b is not lost"


def test_a_folder_that_cannot_be_created_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(AsrError, match=r"Cannot create the folder '.*out': "):
        Outputs(Input("talk.wav", "talk"), tmp_path / "out", ["txt"], "toy").finish(TRANSCRIPT)


def test_unfinished_files_grow_and_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "PAUSE_S", 0.0)
    monkeypatch.setattr(outputs, "SHARE", 1e9)
    recording = Input("talk.wav", "talk")
    files = Outputs(recording, tmp_path, ["txt", "json"], "toy")
    files.add(TRANSCRIPT.words, 1.0)
    files.add([Word("there", 3.0, 3.5, 0.9)], 4.0)
    assert {path.name for path in tmp_path.iterdir()} == {"talk.partial.txt", "talk.partial.json"}
    assert (tmp_path / "talk.partial.txt").read_text() == "hello\nthere\n"
    assert json.loads((tmp_path / "talk.partial.json").read_text())["duration_s"] == 4.0
    assert not is_done(recording, tmp_path, ["txt"])
    files.finish(TRANSCRIPT)
    assert {path.name for path in tmp_path.iterdir()} == {"talk.txt", "talk.json"}


def test_what_was_recognised_until_an_error_is_kept_and_nothing_where_there_was_nothing(tmp_path: Path) -> None:
    files = Outputs(Input("talk.wav", "talk"), tmp_path, ["txt"], "toy")
    assert files.stop(0.0) == []
    files.add(TRANSCRIPT.words, 1.0)
    assert files.stop(1.0) == [tmp_path / "talk.partial.txt"]
    assert (tmp_path / "talk.partial.txt").read_text() == "hello\n"
