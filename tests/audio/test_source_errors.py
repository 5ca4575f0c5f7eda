"""Errors about the source."""

import io
import os
import re
import sys
from pathlib import Path

import pytest
from signals import RATE, WHOLE_WAV

from asr.audio import load
from asr.errors import AudioError


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=re.escape(f"'{tmp_path / 'x.wav'}' does not exist: give the path of a")):
        load(tmp_path / "x.wav", RATE)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=re.escape(f"'{tmp_path}' is a folder: give the path of an audio file.")):
        load(str(tmp_path), RATE)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_endless_device() -> None:
    with pytest.raises(AudioError, match="'/dev/zero' is a device, not a file"):
        load("/dev/zero", RATE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_without_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr.audio.sources.WRITER_S", 0.1)
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(
        AudioError, match=r"x\.wav' is a named pipe into which nothing was written for 0\.1 s: start the"
    ):
        load(tmp_path / "x.wav", RATE)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(WHOLE_WAV)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # not chmod, because root may read everything
    with pytest.raises(AudioError, match=r"x\.wav' may not be read: ask its owner for permission to read it"):
        load(path, RATE)


@pytest.mark.parametrize("path", ["a" * 300, "a\0b"])
def test_impossible_path(path: str) -> None:
    with pytest.raises(AudioError, match=r"' cannot be opened \(.+\): give the path of an audio file"):
        load(path, RATE)


def test_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    path.touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    names = [f"'{path}'", "standard input", "the given bytes", "the given stream"]
    for source, name in zip([path, "-", b"", io.BytesIO()], names, strict=True):
        with pytest.raises(AudioError, match=re.escape(f"{name} is empty (0 bytes): record or copy it again.")):
            load(source, RATE)
