"""Signals, encoders and sources that the tests of audio share."""

import io
import struct
from functools import cache, reduce
from typing import cast

import numpy as np
import soundfile

RATE = 16_000


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


def reference(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Mix and resample the whole signal at once. Shape: (S, C) -> (S',)"""
    import soxr

    mono = reduce(np.add, samples.T / np.float32(samples.shape[1]))
    return mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate, quality="HQ")


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


class Failing(io.BytesIO):
    """A disk with a read error in the middle."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 20_000:
            raise OSError(5, "Input/output error")
        return super().read(min(1000, 10**9 if size is None or size < 0 else size))


class FailingPipe(Pipe):
    def readinto(self, buffer) -> int:
        if self.position > 20_000:
            raise OSError(5, "Input/output error")
        return super().readinto(buffer)


WHOLE = speechlike(2.0)


WHOLE_WAV = encoded(WHOLE, "WAV", "FLOAT")


def without_first_frame(mp3: bytes) -> bytes:
    """Drop the frame with the Xing header, as written by programs that write to a pipe."""
    return mp3[mp3.index(mp3[:2], 4) :]


PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108020000009077 53de".replace(" ", ""))


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
