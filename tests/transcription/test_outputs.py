"""Transcript files in an output folder."""

import os
from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription.inputs import Input
from asr.transcription.outputs import is_done, write_all

TRANSCRIPT = Transcript((Word("hello", 0.1, 0.5, 0.9),), 1.0)


def test_one_file_per_format_in_a_folder_like_that_of_the_recording(tmp_path: Path) -> None:
    source = tmp_path / "talk.wav"
    source.touch()
    recording, out = Input(str(source), "monday/talk"), tmp_path / "out"
    assert not is_done(recording, out, ["txt", "srt"])
    files = write_all(TRANSCRIPT, recording, out, ["txt", "srt"])
    assert files == [out / "monday" / "talk.txt", out / "monday" / "talk.srt"]
    assert files[0].read_text() == "hello\n"
    assert is_done(recording, out, ["txt", "srt"])
    os.utime(source, (2**33, 2**33))
    assert not is_done(recording, out, ["txt"])


def test_a_folder_that_cannot_be_created_is_reported_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(AsrError, match=r"Cannot create the folder '.*out': "):
        write_all(TRANSCRIPT, Input("talk.wav", "talk"), tmp_path / "out", ["txt"])
