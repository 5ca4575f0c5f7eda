"""WAV and raw samples from a stream, against soundfile, in pieces of any size."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.live_input import PcmFormat, PcmStream
from asr.errors import AsrError, AudioError

SAMPLES = np.random.default_rng(0).uniform(-0.9, 0.9, (500, 2))


def read(content: bytes, size: int = 1000, raw: PcmFormat | None = None) -> tuple[PcmFormat, np.ndarray]:
    stream = io.BytesIO(content)
    pcm = PcmStream(lambda: stream.read(size), raw or PcmFormat(), "The stream")
    return pcm.format, np.concatenate([np.zeros(0, np.float32), *pcm.blocks()])


def wav(subtype: str, channels: int = 1, format: str = "WAV") -> tuple[bytes, np.ndarray]:
    file = io.BytesIO()
    soundfile.write(file, SAMPLES[:, :channels], 22_050, subtype, format=format)
    file.seek(0)
    return file.getvalue(), soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1)


@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_is_read_as_by_soundfile(subtype: str, channels: int, format: str) -> None:
    content, expected = wav(subtype, channels, format)
    found, samples = read(content)
    assert (found.sample_rate, found.channels) == (22_050, channels)
    np.testing.assert_allclose(samples[: len(expected)], expected, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3000))
def test_the_pieces_do_not_matter(size: int) -> None:
    content, expected = wav("PCM_24", 2)
    np.testing.assert_allclose(read(content, size)[1][: len(expected)], expected, atol=1e-6)


def test_a_wav_of_unknown_length_is_read_to_its_end() -> None:
    """`arecord` and FFmpeg write the largest size, or none, into the header of a pipe."""
    content, expected = wav("PCM_16")
    place = content.index(b"data") + 4
    for size in (0, 0x7FFFFFFF, 0xFFFFFFFF):
        pipe = content[:place] + struct.pack("<I", size) + content[place + 4 :]
        assert len(read(pipe)[1]) == len(expected)


def test_bytes_without_a_header_are_16_bit_samples() -> None:
    values = np.array([0, 1, -32768, 32767], "<i2")
    found, samples = read(values.tobytes(), 3, PcmFormat(sample_rate=8000))
    assert found.sample_rate == 8000
    np.testing.assert_allclose(samples, values / 32768)
    assert len(read(b"")[1]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fLaC" + bytes(100), "The stream is FLAC, but live audio must be WAV or raw"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", "has no complete header"),
        (b"RIFF\0\0\0\0WAVEdata\x10\0\0\0" + bytes(16), "has no complete header"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff" + bytes(5000), "has no complete header"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 6, 1, 8000, 0, 0, 8), "format 6 with 8 bits"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16), "0 channels"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(content: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        read(content, 10)


def test_there_is_no_microphone_without_its_package_or_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from asr.audio import microphone

    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "sounddevice", raising=False)
    with pytest.raises(AudioError, match=r"needs the PortAudio library, .* `apt install libportaudio2`"):
        microphone.devices()
    (tmp_path / "sounddevice.py").write_text("raise ModuleNotFoundError(name='_cffi_backend')\n")
    with pytest.raises(AsrError, match=r"needs the package _cffi_backend, .*\[live\]"):
        microphone.devices()
