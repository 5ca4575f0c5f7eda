"""Every supported format, and every way in which an audio file can be broken.

The references are independent of `asr.audio`: analytic sines, arithmetic on constant channels, and librosa.
"""

import io
import itertools
import os
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio import blocks, buffered, channels, decoders, duration_s, load, sources
from asr.errors import AudioError

RATE = 16_000


@pytest.fixture(autouse=True)
def no_output_on_stderr(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The native decoders must not print anything, whatever the input."""
    yield
    assert capfd.readouterr().err == ""


def sine(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def speechlike(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Noise with little energy above 4 kHz, so that a shift by one sample shows and lossy codecs keep its shape."""
    noise = np.random.default_rng(seed).normal(size=round(seconds * rate) + 15)
    smooth = np.convolve(noise, np.hanning(16) / 8, mode="valid")
    return (0.1 * smooth).astype(np.float32)


def encoded(samples: np.ndarray, format: str, subtype: str | None = None, rate: int = RATE, **options: object) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def av_encoded(samples: np.ndarray, container: str, codec: str, rate: int = RATE, *, pictures: int = 0) -> bytes:
    """Encode one channel, and a video track of `pictures` frames at 10 per second, with FFmpeg."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        video = out.add_stream("mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p") if pictures else None
        track = cast("av.AudioStream", out.add_stream(codec, rate=rate, layout="mono")) if len(samples) else None
        for number in range(pictures):
            assert video is not None
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * number, np.uint8))
            picture.pts = number
            out.mux(video.encode(picture))
        if video is not None:
            out.mux(video.encode(None))
        if track is not None:
            for begin in range(0, len(samples), 960):
                frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + 960], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = rate, begin
                out.mux(track.encode(frame))
            out.mux(track.encode(None))
    return buffer.getvalue()


def with_data_size(wav: bytes, data: int, riff: int | None = None) -> bytes:
    """Replace the sizes in a WAV header."""
    at = wav.index(b"data") + 4
    wav = wav[:at] + struct.pack("<I", data) + wav[at + 4 :]
    return wav if riff is None else wav[:4] + struct.pack("<I", riff) + wav[8:]


def sphere(samples: np.ndarray, sample_count: int | None = None) -> bytes:
    """A NIST SPHERE file, written by hand."""
    fields = (
        f"sample_count -i {len(samples) if sample_count is None else sample_count}",
        "sample_n_bytes -i 2",
        "channel_count -i 1",
        "sample_byte_format -s2 01",
        f"sample_rate -i {RATE}",
        "sample_coding -s3 pcm",
        "end_head",
    )
    header = "NIST_1A\n   1024\n" + "\n".join(fields) + "\n"
    return header.encode().ljust(1024) + np.round(samples * 32767).astype("<i2").tobytes()


def fit(waveform: np.ndarray, hz: float, rate: int = RATE, edge: int = 800) -> tuple[float, float, float]:
    """Fit a sine by least squares, away from the ends: amplitude, phase in radians, largest residual."""
    inner = slice(edge, len(waveform) - edge)
    phase = 2 * np.pi * hz * np.arange(len(waveform))[inner] / rate
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    (a, b), *_ = np.linalg.lstsq(basis, waveform[inner], rcond=None)
    residual = np.abs(waveform[inner] - basis @ [a, b]).max()
    return float(np.hypot(a, b)), float(np.arctan2(b, a)), float(residual)


# ---------------------------------------------------------------- formats

EXACT = [
    ("WAV", "PCM_U8", 1 / 128),
    ("WAV", "PCM_16", 1 / 32768),
    ("WAV", "PCM_24", 1e-6),
    ("WAV", "PCM_32", 1e-7),
    ("WAV", "FLOAT", 0),
    ("WAV", "DOUBLE", 0),
    ("WAV", "ULAW", 0.02),
    ("WAV", "ALAW", 0.02),
    ("RF64", "PCM_16", 1 / 32768),
    ("W64", "PCM_16", 1 / 32768),
    ("AIFF", "PCM_16", 1 / 32768),
    ("AU", "PCM_16", 1 / 32768),
    ("CAF", "PCM_24", 1e-6),
    ("FLAC", "PCM_16", 1 / 32768),
    ("FLAC", "PCM_24", 1e-6),
    ("OGG", "VORBIS", 0.02),
    ("OGG", "OPUS", 0.03),
    ("MP3", "MPEG_LAYER_III", 0.03),
]


@pytest.mark.parametrize(("format", "subtype", "tolerance"), EXACT)
def test_libsndfile_formats(tmp_path: Path, format: str, subtype: str, tolerance: float) -> None:
    path = tmp_path / "x.bin"  # the format must follow from the bytes, not the name
    path.write_bytes(encoded(sine(), format, subtype))
    waveform = load(path, RATE)
    assert waveform.dtype == np.float32
    assert waveform.shape == (RATE,)
    np.testing.assert_allclose(waveform[400:-400], sine()[400:-400], rtol=0, atol=tolerance)
    assert duration_s(path) == 1.0


@pytest.mark.parametrize(
    ("container", "codec", "rate", "tolerance"),
    [
        ("ipod", "aac", 16_000, 0.02),
        ("mp4", "aac", 44_100, 0.03),
        ("webm", "libopus", 48_000, 0.02),
        ("matroska", "flac", 16_000, 1 / 32768),
        ("matroska", "pcm_s24le", 16_000, 1e-6),
        ("matroska", "pcm_u8", 16_000, 1 / 64),
        ("mov", "pcm_f64le", 16_000, 0),
        ("mpegts", "mp2", 48_000, 0.02),
    ],
)
def test_ffmpeg_formats(tmp_path: Path, container: str, codec: str, rate: int, tolerance: float) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(av_encoded(sine(rate=rate), container, codec, rate))
    waveform = load(path, rate)
    delay = waveform.size - rate  # MPEG-TS does not store the encoder's delay and padding
    assert delay == 0 if container != "mpegts" else 0 < delay < 3000
    amplitude, phase, residual = fit(waveform[delay:], 440, rate, edge=4096)  # AAC needs a while to settle
    assert amplitude == pytest.approx(0.5, abs=0.015)
    assert delay or phase == pytest.approx(0, abs=0.01)
    assert residual <= max(tolerance, 1e-6)
    assert duration_s(path) == waveform.size / rate


def test_adpcm_is_padded_to_complete_blocks() -> None:
    waveform = load(encoded(sine(), "WAV", "IMA_ADPCM"), RATE)
    assert RATE <= len(waveform) < RATE + 512
    np.testing.assert_allclose(waveform[50:RATE], sine()[50:], rtol=0, atol=0.02)


def test_video(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(av_encoded(sine(), "mp4", "aac", pictures=10))
    waveform = load(path, RATE)
    assert waveform.shape == (RATE,)
    assert fit(waveform, 440)[0] == pytest.approx(0.5, abs=0.005)


def test_amr() -> None:
    """Fifty frames of AMR at 4.75 kbit/s (RFC 4867, 5): a second at 8 kHz."""
    assert load(b"#!AMR\n" + (b"\x04" + bytes(12)) * 50, 8000).shape == (8000,)


def test_sphere() -> None:
    np.testing.assert_allclose(load(sphere(sine()), RATE), sine(), rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(format: str, channels: int) -> None:
    levels = np.arange(1, channels + 1) / 16
    waveform = load(encoded(np.tile(levels, (200_000, 1)), format, "PCM_16"), RATE)
    np.testing.assert_allclose(waveform, np.full(200_000, levels.mean()), rtol=1e-6)


def test_channels_from_ffmpeg_are_averaged() -> None:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        track = out.add_stream("pcm_s16le", rate=RATE, layout="5.1")
        frame = av.AudioFrame.from_ndarray(
            np.tile(np.arange(1, 7, dtype=np.int16) * 1000, 960)[None], format="s16", layout="5.1"
        )
        frame.sample_rate = RATE
        out.mux(track.encode(frame))
    np.testing.assert_allclose(load(buffer.getvalue(), RATE), np.full(960, 3500 / 32768), rtol=1e-6)


def test_planar_channels_from_ffmpeg_are_averaged() -> None:
    mp3 = encoded(np.stack([sine(), np.zeros(RATE)], axis=1), "MP3")
    assert fit(load(without_first_frame(mp3), RATE)[:RATE], 440)[0] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 192_000])
def test_resampling_keeps_length_frequency_amplitude_and_phase(rate: int) -> None:
    waveform = load(encoded(sine(10.0, rate), "WAV", "FLOAT", rate), RATE)  # long enough for several blocks
    assert waveform.shape == (10 * RATE,)
    amplitude, phase, residual = fit(waveform, 440)
    assert amplitude == pytest.approx(0.5, abs=1e-4)
    assert phase == pytest.approx(0, abs=1e-3)
    assert residual < 1e-4


def test_resampling_removes_frequencies_above_the_new_nyquist() -> None:
    waveform = load(encoded(sine(2.0, 48_000, hz=11_000), "WAV", "FLOAT", 48_000), RATE)
    assert np.abs(waveform[800:-800]).max() < 1e-4


@pytest.mark.parametrize(("format", "rate"), [("WAV", 44_100), ("FLAC", 8_000), ("OGG", 48_000), ("MP3", 22_050)])
def test_librosa_agrees(tmp_path: Path, format: str, rate: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import librosa

        path = tmp_path / f"x.{format.lower()}"
        stereo = np.stack([speechlike(1.5, rate, seed=1), speechlike(1.5, rate, seed=2)], axis=1)
        path.write_bytes(encoded(stereo, format, rate=rate))
        reference, _ = librosa.load(path, sr=RATE)
    waveform = load(path, RATE)
    assert waveform.shape == reference.shape
    np.testing.assert_allclose(waveform, reference, rtol=0, atol=1e-4)


def test_loud_samples_are_not_clipped() -> None:
    samples = np.array([3.5, -2.0, 0.25, 1.0], np.float32)
    np.testing.assert_array_equal(load(encoded(samples, "WAV", "FLOAT"), RATE), samples)


# ---------------------------------------------------------------- channels


def av_encoded_channels(samples: np.ndarray, container: str, codec: str, rate: int = RATE) -> bytes:
    """Encode two channels. Shape: (S, 2)"""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        track = cast("av.AudioStream", out.add_stream(codec, rate=rate, layout="stereo"))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return buffer.getvalue()


STEREO = np.stack([speechlike(2.0, seed=1), speechlike(2.0, seed=2)], axis=1)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "matroska flac", "matroska pcm_s16le", "mov pcm_f32le"])
def test_one_channel_of_two(kind: str) -> None:
    container, _, codec = kind.partition(" ")
    data = av_encoded_channels(STEREO, container, codec) if codec else encoded(STEREO, kind, "PCM_16")
    assert channels(data) == 2
    for channel in (1, 2):
        waveform = load(data, RATE, channel=channel)
        np.testing.assert_allclose(waveform, STEREO[:, channel - 1], rtol=0, atol=1 / 32768)
    np.testing.assert_allclose(load(data, RATE), STEREO.mean(axis=1), rtol=0, atol=1 / 32768)


def test_one_channel_of_a_segment() -> None:
    segment = load(encoded(STEREO, "WAV", "FLOAT"), RATE, channel=2, offset_s=0.5, duration_s=1.0)
    np.testing.assert_array_equal(segment, STEREO[8000:24_000, 1])


@pytest.mark.parametrize(("count", "phrase"), [(1, "1 channel"), (2, "2 channels")])
@pytest.mark.parametrize("channel", [-1, 0, 3])
def test_no_such_channel(count: int, phrase: str, channel: int) -> None:
    with pytest.raises(
        AudioError,
        match=rf"^the given bytes has {phrase}, but channel {channel} was requested: give a number from 1 to {count}",
    ):
        load(encoded(STEREO[:, :count], "WAV"), RATE, channel=channel)


def test_a_second_channel_that_ends_early() -> None:
    data = av_encoded_channels(STEREO, "adts", "aac") + av_encoded(sine(), "adts", "aac")
    with pytest.raises(
        AudioError,
        match=r"changes its number of channels from 2 to 1 before [23]\.\d+ s: convert it to a constant number",
    ):
        load(data, RATE, channel=2)
    assert len(load(data, RATE, channel=1)) == pytest.approx(3 * RATE, abs=0.2 * RATE)
    assert len(load(data, RATE)) == len(load(data, RATE, channel=1))


# ---------------------------------------------------------------- blocks


def reference(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Mix and resample the whole signal at once. Shape: (S, C) -> (S',)"""
    import soxr

    mono = reduce(np.add, samples.T / np.float32(samples.shape[1]))
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate, quality="HQ")


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([1000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 768_000])
    | st.integers(1000, 10**5),
    sample_rate=st.sampled_from([8000, 16_000, 44_100]),
    shape=st.tuples(st.integers(1, 5000), st.integers(1, 3)),
    values=st.integers(1, 10_000),
    piece=st.integers(1, 3000),
)
def test_any_chunk_sizes_give_the_same_samples(
    rate: int, sample_rate: int, shape: tuple[int, int], values: int, piece: int
) -> None:
    samples = np.random.default_rng(values).normal(size=shape).astype(np.float32)
    data = encoded(samples, "WAV", "FLOAT", rate)
    expected = reference(samples, rate, sample_rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "BLOCK_VALUES", values)
        if not len(expected):
            with pytest.raises(AudioError, match="contains no audio"):
                list(blocks(data, sample_rate))
            return
        parts = list(blocks(Pipe(data, piece), sample_rate))  # type: ignore[arg-type]
    assert all(part.ndim == 1 and len(part) and part.dtype == np.float32 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    np.testing.assert_array_equal(load(data, sample_rate), expected)


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "bare MP3", "OGG/VORBIS", "OGG/OPUS", "ipod aac", "webm libopus"])
@settings(max_examples=8, deadline=None)
@given(values=st.integers(5000, 100_000), piece=st.integers(1000, 10_000), channel=st.sampled_from([None, 1]))
def test_any_chunk_sizes_of_compressed_audio(kind: str, values: int, piece: int, channel: int | None) -> None:
    data = compressed(kind)
    expected = load(data, RATE, channel=channel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "BLOCK_VALUES", values)
        parts = list(blocks(Pipe(data, piece), RATE, channel=channel))  # type: ignore[arg-type]
    # the last bit of libmpg123's output depends on the number of samples requested
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=0, atol=1e-7 if kind == "MP3" else 0)


@pytest.mark.parametrize("left", [1, 30, 100])
def test_the_end_of_opus_does_not_depend_on_the_blocks(left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = compressed("OGG/OPUS")
    whole = load(data, 48_000)
    monkeypatch.setattr(decoders, "BLOCK_VALUES", len(whole) - left)
    np.testing.assert_array_equal(load(data, 48_000), whole)


@cache
def compressed(kind: str) -> bytes:
    """A second and a half at 48 kHz."""
    samples = speechlike(1.5, 48_000)
    if " " in kind and kind != "bare MP3":
        container, codec = kind.split()
        return av_encoded(samples, container, codec, 48_000)
    format, _, subtype = kind.removeprefix("bare ").partition("/")
    data = encoded(samples, format, subtype or None, 48_000)
    return without_first_frame(data) if kind == "bare MP3" else data


@pytest.mark.parametrize("kind", ["WAV behind a tag", "FLAC", "matroska flac"])
def test_memory_does_not_grow_with_the_length(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "long"
    minutes = 5
    if kind == "FLAC":
        path.write_bytes(encoded(np.zeros(minutes * 60 * RATE, np.float32), "FLAC"))
    elif kind == "matroska flac":
        path.write_bytes(av_encoded(np.zeros(minutes * 60 * RATE, np.float32), "matroska", "flac"))
    else:
        size = minutes * 60 * RATE * 2
        with path.open("wb") as file:
            file.write(b"ID3\x04\0\0\0\0\0\x14" + bytes(20))
            file.write(with_data_size(encoded(np.zeros(0), "WAV", "PCM_16"), size, 36 + size))
            file.truncate(file.tell() + size)
    total = 0
    tracemalloc.start()
    for block in blocks(path, RATE):
        total += len(block)
        del block
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == minutes * 60 * RATE
    assert peak < 8e6  # the whole would be 19 MB


def test_blocks_need_not_be_consumed(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encoded(np.zeros(10**6), "WAV"))
    iterator = blocks(path, RATE)
    assert len(next(iterator)) < 10**6
    iterator.close()  # type: ignore[attr-defined]  # a file left open would be a warning, which is an error here


def test_no_block_follows_a_non_finite_one() -> None:
    samples = np.zeros(10**6, np.float32)
    samples[500_000] = np.nan
    samples_read = 0
    with pytest.raises(AudioError, match=r"contains 1 samples that are infinite, not a number or beyond ±1e10"):
        for block in blocks(encoded(samples, "WAV", "FLOAT"), RATE):
            samples_read += len(block)
    assert 0 < samples_read <= 500_000


# ---------------------------------------------------------------- sources


class Pipe(io.RawIOBase):
    """A binary stream that is not seekable, returns `piece` bytes at a time, and may be endless."""

    def __init__(self, data: bytes, piece: int = 1000, *, is_endless: bool = False) -> None:
        self.data = data * (2**16 // len(data) + 1) if is_endless else data
        self.piece, self.position, self.is_endless = piece, 0, is_endless

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        at = self.position % len(self.data) if self.is_endless else self.position
        piece = self.data[at : at + min(self.piece, len(buffer))]
        buffer[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)


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


class OnlyRead:
    """The smallest interface of a stream."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


class Zipped(io.BytesIO):
    """Claims to be seekable but does not know its end, like gzip's reader."""

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == io.SEEK_END:
            raise ValueError("Seek from end not supported")
        return super().seek(offset, whence)


@pytest.mark.parametrize("stream", [OnlyRead, Zipped])
def test_streams_with_minimal_interfaces(stream: type) -> None:
    assert load(stream(encoded(sine(), "WAV")), RATE).shape == (RATE,)


class Failing(io.BytesIO):
    """A disk with a read error in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20_000:
            raise OSError(5, "Input/output error")
        return super().read(min(1000, 10**9 if size is None or size < 0 else size))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "M4A"])
def test_reading_fails(kind: str) -> None:
    data = av_encoded(speechlike(9.0), "ipod", "aac") if kind == "M4A" else encoded(speechlike(20.0), kind)
    assert len(data) > 25_000
    with pytest.raises(AudioError, match=r"^the given stream cannot be read \(Input/output error\): copy it again\.$"):
        load(Failing(data), RATE)


class FailingPipe(Pipe):
    def readinto(self, buffer) -> int:
        if self.position > 20_000:
            raise OSError(5, "Input/output error")
        return super().readinto(buffer)


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


# ---------------------------------------------------------------- segments

WHOLE = speechlike(2.0)
WHOLE_WAV = encoded(WHOLE, "WAV", "FLOAT")


@settings(max_examples=50, deadline=None)
@given(start=st.integers(0, len(WHOLE) - 1), data=st.data())
def test_a_segment_is_a_slice(start: int, data: st.DataObject) -> None:
    stop = data.draw(st.integers(start + 1, len(WHOLE)))
    segment = load(WHOLE_WAV, RATE, offset_s=start / RATE, duration_s=(stop - start) / RATE)
    np.testing.assert_array_equal(segment, WHOLE[start:stop])


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        ("FLAC", 0),
        ("OGG/VORBIS", 0),
        ("OGG/OPUS", 0),
        ("MP3", 1e-7),
        ("bare MP3", 0),
        ("webm", 0),
        ("ipod", 0.01),  # AAC fills bands with random noise; a shift by one sample would show
    ],
)
def test_a_segment_of_compressed_audio_is_a_slice(kind: str, tolerance: float) -> None:
    rate = 48_000 if kind == "webm" or "OPUS" in kind else 44_100
    samples = speechlike(6.0, rate)
    if kind in ("webm", "ipod"):
        data = av_encoded(samples, kind, "libopus" if kind == "webm" else "aac", rate)
    else:
        format, _, subtype = kind.removeprefix("bare ").partition("/")
        data = encoded(samples, format, subtype or None, rate)
        data = without_first_frame(data) if kind == "bare MP3" else data
    whole = load(data, rate)
    for begin_s, length_s in [(0.0, 0.5), (0.01, 1.0), (1.2345, 0.321), (4.9, 0.7), (5.5, None)]:
        begin = round(begin_s * rate)
        end = len(whole) if length_s is None else begin + round(length_s * rate)
        segment = load(data, rate, offset_s=begin_s, duration_s=length_s)
        np.testing.assert_allclose(segment, whole[begin:end], rtol=0, atol=tolerance)


def test_a_segment_is_cut_before_resampling() -> None:
    data = encoded(sine(4.0, 44_100), "WAV", "FLOAT", 44_100)
    segment = load(data, RATE, offset_s=1.5, duration_s=2.0)
    assert segment.shape == (2 * RATE,)
    np.testing.assert_allclose(segment[200:-200], load(data, RATE)[24_200:55_800], rtol=0, atol=1e-3)


def test_a_segment_may_end_a_tenth_of_a_second_after_the_audio() -> None:
    np.testing.assert_array_equal(load(WHOLE_WAV, RATE, offset_s=1.5, duration_s=0.6), WHOLE[24_000:])
    with pytest.raises(
        AudioError, match=r"the given bytes lasts 2\.000 s, but the segment from 1\.500 s to 2\.110 s was requested"
    ):
        load(WHOLE_WAV, RATE, offset_s=1.5, duration_s=0.61)


@pytest.mark.parametrize("kind", ["wav", "webm", "ipod"])
def test_a_segment_beyond_the_end(kind: str) -> None:
    codec = {"webm": "libopus", "ipod": "aac"}.get(kind)
    rate = 48_000 if kind == "webm" else RATE
    data = av_encoded(sine(2.0, rate), kind, codec, rate) if codec else WHOLE_WAV
    for begin_s in (2.0, 7.0):
        with pytest.raises(AudioError, match=rf"lasts 2\.000 s, but the segment from {begin_s:.3f} s to its end was"):
            load(data, RATE, offset_s=begin_s)
    with pytest.raises(AudioError, match=r"lasts 2\.000 s, but the segment from 1\.000 s to 3\.000 s was requested"):
        load(data, RATE, offset_s=1.0, duration_s=2.0)


@pytest.mark.parametrize(
    ("begin_s", "length_s"), [(-0.1, None), (0, 0), (0, -1), (float("nan"), 1), (0, float("nan")), (float("inf"), None)]
)
def test_an_invalid_segment(begin_s: float, length_s: float | None) -> None:
    with pytest.raises(
        AudioError, match=f"the offset {begin_s} s and the duration {length_s} s: the offset must be 0 or more"
    ):
        load(WHOLE_WAV, RATE, offset_s=begin_s, duration_s=length_s)


# ---------------------------------------------------------------- files that libsndfile would silently truncate


def without_first_frame(mp3: bytes) -> bytes:
    """Drop the frame with the Xing header, as written by programs that write to a pipe."""
    return mp3[mp3.index(mp3[:2], 4) :]


def test_mp3_without_a_count_is_read_to_its_end() -> None:
    """With a variable bit rate, extrapolating from the first frames gives a wrong length, here a sixth of it."""
    noise = speechlike(2.0, 44_100) * 5
    samples = np.concatenate([noise, np.zeros(20 * 44_100, np.float32)])
    data = without_first_frame(encoded(samples, "MP3", rate=44_100, bitrate_mode="VARIABLE", compression_level=0.2))
    with soundfile.SoundFile(io.BytesIO(data)) as guess:
        assert guess.frames < len(samples) * 2 / 3
    waveform = load(data, 44_100)
    assert 0 <= len(waveform) - len(samples) < 5000
    assert duration_s(data) == len(waveform) / 44_100
    assert len(load(data[100:], 44_100)) == pytest.approx(len(waveform), abs=5000)  # begins within a frame


def test_concatenated_mp3s_are_all_read() -> None:
    first, second = (encoded(sine(2.0, hz=hz), "MP3") for hz in (440, 1000))
    waveform = load(first + b"ID3\x04\0\0\0\0\0\x64" + bytes(100) + second, RATE)
    assert len(waveform) == pytest.approx(4 * RATE, abs=0.15 * RATE)
    assert fit(waveform[-RATE - 3000 : -3000], 1000)[0] == pytest.approx(0.5, abs=0.02)


def test_chained_ogg_streams_are_all_read() -> None:
    data = encoded(sine(2.0), "OGG") + encoded(sine(1.0), "OGG")
    assert len(load(data, RATE)) == pytest.approx(3 * RATE, abs=0.1 * RATE)


def test_flac_without_a_count_is_read_to_its_end() -> None:
    data = bytearray(encoded(WHOLE, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    assert duration_s(bytes(data)) == 2.0
    np.testing.assert_allclose(load(bytes(data), RATE), WHOLE, rtol=0, atol=1 / 32768)


@pytest.mark.parametrize(
    ("data", "riff"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg
        (0x7FFFF000, 0x7FFFF024),  # SoX
        (0x80000000, 0x80000024),
        (0, 0),  # GStreamer
        (0, 36),  # a recorder that was killed
        (0, 0xFFFFFFFF),
    ],
)
def test_a_placeholder_for_the_size_of_a_wav_is_ignored(data: int, riff: int) -> None:
    wav = with_data_size(encoded(WHOLE, "WAV", "PCM_16"), data, riff)
    np.testing.assert_allclose(load(wav, RATE), WHOLE, rtol=0, atol=1 / 32768)


def test_a_wav_without_samples_is_not_mistaken_for_a_stream() -> None:
    wav = encoded(np.zeros(0), "WAV")
    with_list = wav[:4] + struct.pack("<I", len(wav) + 12) + wav[8:] + b"LIST" + struct.pack("<I", 12) + b"INFOISFTabcd"
    with pytest.raises(AudioError, match="the given bytes contains no audio: it has a header but no samples"):
        load(with_list, RATE)


def test_a_wav_that_counts_its_header_as_data_is_accepted() -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16")
    assert load(with_data_size(wav, len(wav)), RATE).shape == WHOLE.shape


def test_size_placeholders_of_au_and_aiff() -> None:
    au = encoded(WHOLE, "AU", "PCM_16")
    assert load(au[:8] + b"\xff" * 4 + au[12:], RATE).shape == WHOLE.shape
    aiff = encoded(WHOLE, "AIFF", "PCM_16")
    at = aiff.index(b"SSND") + 4
    assert load(aiff[:at] + b"\x7f\0\0\x08" + aiff[at + 4 :], RATE).shape == WHOLE.shape


def test_tags_before_an_mp3_change_nothing() -> None:
    mp3 = encoded(sine(), "MP3")
    comment = b"COMM\0\0\0\x05\0\0\x03eng\0" + b"TIT2\0\0\0\x03\0\0\x09ab"  # broken: libmpg123 would print about it
    tag = b"ID3\x03\0\0\0\0" + bytes([len(comment) >> 7, len(comment) & 127]) + comment
    np.testing.assert_array_equal(load(tag + tag + mp3, RATE), load(mp3, RATE))
    np.testing.assert_array_equal(load(mp3 + b"TAG" + bytes(125), RATE), load(mp3, RATE))


# ---------------------------------------------------------------- errors about the source


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


# ---------------------------------------------------------------- errors about the content

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000009077 53de".replace(" ", ""))


@pytest.mark.parametrize(
    "data",
    [
        b"Text, and a lot of it.\n" * 200,
        "Text in two bytes per letter.\n".encode("utf-16") * 200,
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n" * 50,
        PNG + bytes(200),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(2000),
        b"PK\x03\x04" + bytes(2000),
        bytes(5000),
        np.random.default_rng(1).bytes(50_000),
        b"x",
        b"RIFF",
        b"RIFF\x10\0\0\0WAVE",
        b"OggS"[:3],
        b"ID3\x04\0\0\0\0\0\x0a" + bytes(20),
        b"caff\0\1\0\0free" + struct.pack(">q", -100) + bytes(100),
        b"NIST_1A\n   1024\n".ljust(1024) + bytes(100),
        b".snd" + bytes(100),
    ],
)
def test_not_audio(data: bytes) -> None:
    for read in (lambda: load(data, RATE), lambda: duration_s(data)):
        with pytest.raises(AudioError, match="the given bytes is not an audio file, or is damaged: give a WAV, FLAC"):
            read()


def test_raw_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(np.arange(5000, dtype="<i2").tobytes())
    with pytest.raises(AudioError, match=r"x\.raw' is not an audio file, or is damaged"):
        load(path, RATE)


def test_playlists_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would open their entries, which may be any file or URL."""
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes(WHOLE_WAV)
    for text in ("ffconcat version 1.0\nfile secret.wav\n", "#EXTM3U\n#EXTINF:2,\nsecret.wav\n#EXT-X-ENDLIST\n"):
        with pytest.raises(AudioError, match="is not an audio file"):
            load(text.encode(), RATE)


def test_video_without_audio() -> None:
    with pytest.raises(AudioError, match="the given bytes has no audio track: give a WAV"):
        load(av_encoded(np.zeros(0), "mp4", "aac", pictures=10), RATE)


def test_audio_in_an_unknown_encoding() -> None:
    data = av_encoded(sine(rate=48_000), "webm", "libopus", 48_000).replace(b"A_OPUS", b"A_WHAT")
    with pytest.raises(AudioError, match="the given bytes has an audio track that FFmpeg cannot decode: give a WAV"):
        load(data, RATE)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "FLAC", "CAF"])
def test_no_samples(format: str) -> None:
    if format == "FLAC":  # libsndfile would write nothing at all
        data = encoded(sine(), "FLAC")
        data = b"fLaC\x80" + data[5:21] + bytes([data[21] & 0xF0]) + bytes(20)
    else:
        data = encoded(np.zeros((0, 1)), format)
    for read in (lambda: load(data, RATE), lambda: duration_s(data)):
        with pytest.raises(AudioError, match="the given bytes contains no audio: it has a header but no samples"):
            read()


@pytest.mark.parametrize("format", ["WAV", "RF64", "AIFF", "AU", "CAF", "NIST", "MP3"])
def test_fewer_bytes_than_stated(format: str) -> None:
    data = sphere(WHOLE) if format == "NIST" else encoded(WHOLE, format)
    for cut in (len(data) // 2, len(data) - 200):
        for read in (lambda cut=cut: load(data[:cut], RATE), lambda cut=cut: duration_s(data[:cut])):
            with pytest.raises(
                AudioError,
                match=r"the given bytes is truncated: its header states \d+ bytes of audio, but it has \d+; copy",
            ):
                read()


def test_the_bytes_are_counted() -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16")
    odd_chunk = b"note" + struct.pack("<I", 5) + b"hello\0"
    for data in (wav, wav[:36] + odd_chunk + wav[36:]):
        with pytest.raises(AudioError, match="states 64000 bytes of audio, but it has 63900"):
            load(data[:-100], RATE)


def test_the_bytes_of_a_compressed_sphere_are_not_counted() -> None:
    data = sphere(WHOLE)[:9000].replace(b"-s3 pcm\nend_head\n", b"-s26 pcm,embedded-shorten-v2.00\nend_head\n")
    with pytest.raises(AudioError) as caught:  # not a Shorten stream, so FFmpeg finds nothing in it
        load(data, RATE)
    assert "states" not in str(caught.value)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_without_its_last_page(subtype: str) -> None:
    data = encoded(speechlike(5.0), "OGG", subtype)
    for cut in (data.rindex(b"OggS"), len(data) - 1, len(data) // 2, 40):
        with pytest.raises(AudioError, match="is truncated: its last Ogg page does not end the stream"):
            load(data[:cut], RATE)


def test_flac_truncated_or_damaged() -> None:
    data = encoded(speechlike(20.0), "FLAC")
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    for broken in (data[: len(data) // 2], bytes(damaged)):
        with pytest.raises(
            AudioError, match=r"is damaged or truncated: it cannot be decoded after \d+\.\d+ s of 20\.000 s; copy"
        ):
            load(broken, RATE)
    np.testing.assert_array_equal(  # the audio before the damage is intact
        load(data[: len(data) // 2], RATE, offset_s=1, duration_s=2), load(data, RATE, offset_s=1, duration_s=2)
    )


def index_first(mp4: bytes) -> bytes:
    """Move the `moov` box to the front, as for the web, and correct the chunk offsets in it (`stco`, 32 bits each)."""
    at = mp4.index(b"moov") - 4
    moov = bytearray(mp4[at:])
    stco = moov.index(b"stco")
    for entry in range(int.from_bytes(moov[stco + 8 : stco + 12], "big")):
        field = slice(stco + 12 + 4 * entry, stco + 16 + 4 * entry)
        moov[field] = (int.from_bytes(moov[field], "big") + len(moov)).to_bytes(4, "big")
    first_box = int.from_bytes(mp4[:4], "big")
    return mp4[:first_box] + bytes(moov) + mp4[first_box:at]


def test_mp3_with_a_hole(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(WHOLE, "MP3"))
    data[5000:6000] = bytes(1000)
    with pytest.raises(
        AudioError, match=r"is truncated: its header states 2\.000 s, but it ends after [01]\.\d+ s; copy"
    ):
        load(bytes(data), RATE)
    capfd.readouterr()  # libmpg123 comments on the hole


def test_two_rates_in_one_stream() -> None:
    data = av_encoded(sine(), "adts", "aac") + av_encoded(sine(rate=8000), "adts", "aac", 8000)
    with pytest.raises(
        AudioError, match=r"changes its sample rate from 16000 Hz to 8000 Hz after 1\.\d+ s: convert it"
    ):
        load(data, RATE)


def test_mp4_without_its_index() -> None:
    data = av_encoded(sine(), "mp4", "aac")
    with pytest.raises(AudioError, match=r"is truncated: its index \(the 'moov' box of MP4 and M4A\) is missing; copy"):
        load(data[: data.index(b"moov") - 4], RATE)


def test_mp4_with_its_index_first_truncated() -> None:
    data = index_first(av_encoded(speechlike(5.0), "mp4", "aac"))
    assert load(data, RATE).shape == (5 * RATE,)
    for cut, there in ((len(data) // 2, "[123]"), (len(data) * 95 // 100, "4")):
        with pytest.raises(
            AudioError, match=rf"is truncated: its header states 5\.000 s, but it ends after {there}\.\d+ s; copy"
        ):
            load(data[:cut], RATE)


def test_webm_truncated() -> None:
    data = av_encoded(speechlike(5.0, 48_000), "webm", "libopus", 48_000)
    with pytest.raises(AudioError, match=r"is truncated: its header states 5\.\d+ s, but it ends after [123]\.\d+ s"):
        load(data[: len(data) // 2], RATE)


def test_damaged_aac() -> None:
    data = bytearray(av_encoded(speechlike(5.0), "adts", "aac"))
    starts = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0]
    for at in starts[20:40]:
        data[at + 7 : at + 40] = b"\xff" * 33
    with pytest.raises(
        AudioError, match=r"is damaged or truncated: not all of its audio can be decoded; copy it again"
    ):
        load(bytes(data), RATE)


@pytest.mark.parametrize(("rate", "wrong"), [(RATE, 1), (RATE, 999), (RATE, 768_001), (RATE, 2**31 - 1)])
def test_absurd_rate(rate: int, wrong: int) -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16", rate)
    with pytest.raises(AudioError, match=f"has a sample rate of {wrong} Hz, but it must be between 1000 and 768000 Hz"):
        load(wav[:24] + struct.pack("<I", wrong) + wav[28:], RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1e10, -3.4e38])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_not_finite(value: float, rate: int) -> None:
    samples = np.zeros((20 * rate, 2), np.float32)
    samples[12 * rate, 1] = value
    samples[12 * rate + 5] = value, -value
    samples[15 * rate, 0] = value
    with pytest.raises(
        AudioError,
        match=r"contains 3 samples that are infinite, not a number or beyond ±1e10, the first at 12\.000 s: write it",
    ):
        load(encoded(samples, "WAV", "FLOAT", rate), RATE)


def test_samples_too_large_for_32_bits() -> None:
    samples = sine()
    data = av_encoded(samples, "mov", "pcm_f64le").replace(
        np.float64(samples[9]).tobytes(), np.float64(1e300).tobytes()
    )
    with pytest.raises(
        AudioError, match=r"samples that are infinite, not a number or beyond ±1e10, the first at 0\.001 s"
    ):
        load(data, RATE)


def test_large_samples_are_accepted() -> None:
    samples = np.float32(2.0**31) * sine()
    np.testing.assert_array_equal(load(encoded(samples, "WAV", "FLOAT"), RATE), samples)


def test_integers_of_64_bits() -> None:
    wav = bytearray(encoded(WHOLE, "WAV", "PCM_32"))
    wav[32:36] = struct.pack("<HH", 8, 64)
    with pytest.raises(
        AudioError, match=r"has 64-bit integer samples, which are not supported: convert them to 32 bits"
    ):
        load(bytes(wav), RATE)


# ---------------------------------------------------------------- bugs of the libraries


def test_a_midi_sample_dump_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """libsndfile prints to standard output, where the transcripts go, for each block with a wrong checksum."""
    dump = bytearray(encoded(sine(0.1), "SDS", "PCM_16"))
    dump[3000] ^= 1
    with pytest.raises(AudioError, match="is not an audio file, or is damaged"):
        load(bytes(dump), RATE)
    assert capfd.readouterr().out == ""


def test_audio_with_a_data_stream() -> None:
    """PyAV gives the last packet of every stream the index 0, even if it cannot decode the stream."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as out:
        track, data = out.add_stream("mp2", rate=48_000, layout="mono"), out.add_data_stream("bin_data")
        frame = av.AudioFrame.from_ndarray(sine(rate=48_000)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(track.encode(frame))
        packet = av.Packet(b"hello")
        packet.stream, packet.pts, packet.dts = data, 0, 0
        out.mux(packet)
        out.mux(track.encode(None))
    assert len(load(buffer.getvalue(), 48_000)) == pytest.approx(48_000, abs=2000)


def test_a_stream_that_starts_in_the_middle() -> None:
    """PyAV fails at the end on a stream that was unknown at the start."""
    flv = av_encoded(speechlike(20.0, 22_050), "flv", "libmp3lame", 22_050)
    uncompressed = b"\x08\0\0\x0b\0\x4f\xf4\0\0\0\0" + bytes(11) + struct.pack(">I", 22)
    np.testing.assert_array_equal(load(flv + 3 * uncompressed, 22_050), load(flv, 22_050))


# ---------------------------------------------------------------- wrong headers


def test_memory_does_not_depend_on_the_header() -> None:
    """A FLAC whose header states 2**35 samples, 128 GB, but which contains two seconds."""
    data = bytearray(encoded(WHOLE, "FLAC"))
    data[21] |= 0x08
    tracemalloc.start()
    with pytest.raises(AudioError, match=r"is (damaged or )?truncated"):
        load(bytes(data), RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST", "ipod", "webm"])
def test_any_damage_gives_audio_or_an_audio_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(sum(kind.encode()))
    if kind in ("ipod", "webm"):
        whole = av_encoded(speechlike(0.5, 48_000), kind, "aac" if kind == "ipod" else "libopus", 48_000)
    else:
        whole = sphere(speechlike(0.5)) if kind == "NIST" else encoded(speechlike(0.5), kind)
    for where in itertools.repeat(min(200, len(whole)), 20):
        data = bytearray(whole)
        for at in random.integers(where, size=3):
            data[at] = random.integers(256)
        try:
            waveform = load(bytes(data), RATE)
        except AudioError:
            continue
        assert waveform.dtype == np.float32
        assert len(waveform) > 0
        assert np.isfinite(waveform).all()
    capfd.readouterr()  # libmpg123 comments on damage within frames
