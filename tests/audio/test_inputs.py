"""Sources."""

import io
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from signals import (
    RATE,
    STEREO,
    WHOLE_WAV,
    Failing,
    FailingPipe,
    OnlyRead,
    Pipe,
    Zipped,
    av_encoded,
    encoded,
    sine,
    speechlike,
    sphere,
    with_data_size,
)

from asr.audio import blocks, buffered, channels, duration_s, load, sources
from asr.errors import AudioError


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "M4A"])
def test_every_kind_of_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    data = av_encoded(sine(), "ipod", "aac") if kind == "M4A" else encoded(sine(), kind)
    path = tmp_path / "Größe 1.bin"
    path.write_bytes(data)
    expected = load(path, 8000)
    assert expected.shape == (8000,)

    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    for source in (str(path), data, stream, Pipe(data)):
        np.testing.assert_array_equal(load(source, 8000), expected)  # type: ignore[arg-type]
    assert not stream.closed
    assert stream.tell() == 6

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    np.testing.assert_array_equal(load("-", 8000), expected)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(encoded(sine(), "WAV"),), daemon=True)
    writer.start()
    assert load(path, RATE).shape == (RATE,)
    writer.join()


def test_a_pipe_is_buffered_to_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(STEREO, "FLAC")
    with cast("sources.Buffer", buffered(Pipe(data))) as buffer:  # type: ignore[arg-type]
        assert channels(buffer) == 2
        for channel in (1, 2):
            np.testing.assert_array_equal(load(buffer, RATE, channel=channel), load(data, RATE, channel=channel))
    for source in (data, "x.wav", io.BytesIO(data)):
        monkeypatch.setattr(sources, "_file", lambda _: io.BytesIO(data))
        assert buffered(source) is source
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Pipe(data))))
    with (
        cast("sources.Buffer", buffered("-")) as buffer,
        pytest.raises(AudioError, match=r"^standard input has 2 channels, but channel 3"),
    ):
        load(buffer, RATE, channel=3)


@pytest.mark.parametrize("stream", [OnlyRead, Zipped])
def test_streams_with_minimal_interfaces(stream: type) -> None:
    assert load(stream(encoded(sine(), "WAV")), RATE).shape == (RATE,)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "M4A"])
def test_reading_fails(kind: str) -> None:
    data = av_encoded(speechlike(9.0), "ipod", "aac") if kind == "M4A" else encoded(speechlike(20.0), kind)
    assert len(data) > 25_000
    with pytest.raises(AudioError, match=r"^the given stream cannot be read \(Input/output error\): copy it again\.$"):
        load(Failing(data), RATE)


def test_reading_from_a_pipe_fails() -> None:
    with pytest.raises(AudioError, match=r"^the given stream cannot be read to its end or buffered \(Input/output err"):
        load(FailingPipe(WHOLE_WAV), RATE)  # type: ignore[arg-type]


def test_no_space_to_buffer_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.Buffer, "write", full)
    with pytest.raises(
        AudioError, match=r"or buffered \(No space left on device\): save the audio as a file, and give"
    ):
        load(Pipe(WHOLE_WAV), RATE)  # type: ignore[arg-type]


def test_a_long_pipe_is_not_held_in_memory() -> None:
    pipe = Pipe(encoded(np.zeros(24 * 2**20), "WAV", "PCM_16"), 2**20)
    total = 0
    tracemalloc.start()
    for block in blocks(pipe, RATE):  # type: ignore[arg-type]
        total += len(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 24 * 2**20
    assert peak < 30e6  # of 48 MB; up to 16 MiB are held in memory, and twice that while they move to a file


@pytest.mark.parametrize("data", [b"y\n", b"All work and no play. ", bytes(999), np.random.default_rng(0).bytes(9999)])
def test_an_endless_stream_that_is_not_audio_is_refused_early(data: bytes) -> None:
    pipe = Pipe(data, is_endless=True)
    with pytest.raises(AudioError, match=r"^the given stream is not an audio file, or is damaged: give a WAV"):
        load(pipe, RATE)  # type: ignore[arg-type]
    assert pipe.position < 3 * 2**20


@pytest.mark.parametrize("kind", ["WAV", "MP3", "boxes"])
def test_an_endless_stream_that_begins_like_audio(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources.MAX_BUFFERED_BYTES == 4 * 2**30
    monkeypatch.setattr(sources, "MAX_BUFFERED_BYTES", 2**23)
    data = {
        "WAV": with_data_size(WHOLE_WAV, 2**32 - 1, 2**32 - 1),
        "MP3": encoded(sine(), "MP3"),
        "boxes": b"\0\0\0\x08free",
    }[kind]
    pipe = Pipe(data, 2**16, is_endless=True)
    with pytest.raises(
        AudioError,
        match=r"^the given stream is longer than 0\.0078125 GiB, the maximum for a pipe or device: save",
    ):
        load(pipe, RATE)  # type: ignore[arg-type]
    assert pipe.position < 2**23 + 2**21


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3 with a picture", "mp4 pcm", "matroska", "mpegts", "NIST"])
def test_more_than_a_megabyte_from_a_pipe(kind: str) -> None:
    rate = 48_000 if kind == "mpegts" else RATE
    long = np.tile(speechlike(5.0, rate), 16)
    data = {
        "WAV": lambda: encoded(long, "WAV"),
        "FLAC": lambda: encoded(long, "FLAC"),
        "MP3 with a picture": lambda: b"ID3\x03\0\0\0\x60\0\0" + bytes(0x60 << 14) + encoded(sine(), "MP3"),
        "mp4 pcm": lambda: av_encoded(long, "mov", "pcm_s16le"),  # its index is at the end
        "matroska": lambda: av_encoded(long, "matroska", "pcm_s16le"),
        "mpegts": lambda: av_encoded(long, "mpegts", "mp2", rate),
        "NIST": lambda: sphere(long),
    }[kind]()
    assert len(data) > 2**20
    np.testing.assert_array_equal(load(Pipe(data, 2**16), rate), load(data, rate))  # type: ignore[arg-type]


def test_importing_is_light() -> None:
    script = (
        "import sys, asr.audio; print([m for m in ('av', 'soxr', 'torch', 'scipy', 'librosa') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_duration_comes_from_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(soundfile.SoundFile, "read", refuse)
    assert duration_s(encoded(sine(2.5), "FLAC")) == 2.5
    assert duration_s(encoded(sine(2.5), "MP3")) == 2.5
