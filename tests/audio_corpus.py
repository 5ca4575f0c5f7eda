"""Fuzz `asr.audio` with thousands of broken audio files, each reproducible from its number.

    python tests/audio_corpus.py --count 5000                  # try the first 5,000 files and count the outcomes
    python tests/audio_corpus.py --count 500 --write FOLDER    # write the files, to test other programs with them

The first files are intact: every container and encoding that can be written here. The rest are the same with flipped
bits, missing ends and wrong headers; WAV files with every field out of range; nested files; text, other files and
noise; and endless streams. They are read in another process, so that a file that crashes a decoder, hangs or exhausts
the memory is identified by its number and affects no other file.
"""

import argparse
import collections
import faulthandler
import io
import json
import os
import queue
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO, cast

import av
import numpy as np
import soundfile

RATE = 16_000
SECONDS = 0.3
CPU_LIMIT_S = 10.0
"""CPU time limit per file; wall-clock time would depend on the load of the machine."""
WAIT_LIMIT_S = 600.0
"""Wall-clock limit per file, in case the process is blocked."""
MEMORY_LIMIT_BYTES = 4 * 2**30
"""Limit of the address space, of which the libraries reserve 1 GiB on import."""
MAX_PEAK_MB = 600
"""Maximum resident memory of the process."""
MAX_STREAM_BYTES = 2**25
"""Maximum number of bytes to buffer of an endless stream, so that thousands can be tried in minutes."""

# ---------------------------------------------------------------- intact files

SOUNDFILE = (
    "WAV/PCM_U8 WAV/PCM_16 WAV/PCM_24 WAV/PCM_32 WAV/FLOAT WAV/DOUBLE WAV/ULAW WAV/ALAW WAV/IMA_ADPCM WAV/MS_ADPCM "
    "WAV/GSM610 WAV/NMS_ADPCM_16 WAV/G721_32 WAVEX/PCM_16 WAVEX/PCM_24 WAVEX/FLOAT RF64/PCM_16 W64/PCM_16 AIFF/PCM_16 "
    "AIFF/PCM_24 AIFF/FLOAT AIFF/ULAW AIFF/IMA_ADPCM AU/PCM_16 AU/FLOAT AU/ULAW AU/G721_32 AU/G723_24 CAF/PCM_16 "
    "CAF/FLOAT CAF/ALAC_16 CAF/ALAC_24 FLAC/PCM_S8 FLAC/PCM_16 FLAC/PCM_24 NIST/PCM_16 NIST/ULAW VOC/PCM_16 VOC/ULAW "
    "PAF/PCM_16 PAF/PCM_24 SVX/PCM_16 IRCAM/PCM_16 MAT4/PCM_16 MAT5/PCM_16 MAT5/DOUBLE PVF/PCM_16 HTK/PCM_16 "
    "SDS/PCM_16 MPC2K/PCM_16 AVR/PCM_16 WVE/ALAW XI/DPCM_16 MP3/MPEG_LAYER_III OGG/VORBIS OGG/OPUS"
)
"""Formats written by libsndfile: container and encoding."""

FFMPEG = (
    "ogg/libopus/48 ogg/flac/16 mp3/libmp3lame/16 ipod/aac/16 ipod/alac/16 mp4/aac/44.1 mp4/libopus/48 mp4/ac3/48 "
    "mp4/libmp3lame/44.1 mp4/flac/16 mov/pcm_s16le/16 mov/adpcm_ima_qt/16 3gp/libopencore_amrnb/8 3gp/aac/16 "
    "amr/libopencore_amrnb/8 matroska/aac/16 matroska/libopus/48 matroska/flac/16 matroska/pcm_s24le/16 "
    "matroska/pcm_f32le/16 matroska/libmp3lame/16 matroska/ac3/48 matroska/tta/16 matroska/wavpack/16 webm/libopus/48 "
    "mpegts/mp2/48 mpegts/aac/16 mpegts/libopus/48 mpeg/mp2/48 vob/ac3/48 adts/aac/16 latm/aac/16 avi/libmp3lame/16 "
    "avi/pcm_s16le/16 avi/adpcm_ms/16 flv/libmp3lame/22.05 flv/aac/16 flv/nellymoser/16 asf/wmav1/16 asf/wmav2/16 "
    "ac3/ac3/48 eac3/eac3/48 mp2/mp2/48 tta/tta/16 wv/wavpack/16 caf/adpcm_ima_qt/16 wav/libmp3lame/16 wav/g722/16 "
    "wav/g726/8 wav/adpcm_yamaha/16 w64/pcm_s16le/16 aiff/pcm_s16le/16 au/pcm_f64be/16 voc/pcm_u8/16 rm/real_144/8 "
    "rm/ac3/48 flac/flac/16"
)
"""Formats written by FFmpeg: container, encoding, sample rate in kHz."""

VIDEOS = "mp4/aac/44.1 mov/pcm_s16le/16 matroska/libopus/48 avi/libmp3lame/16 mpegts/mp2/48 flv/aac/16"
"""The same with a video track."""


def noise(rate: int, channels: int) -> np.ndarray:
    """Speech-like noise with little energy at high frequencies. Shape: (S, C)"""
    white = np.random.default_rng([rate, channels]).normal(size=(round(SECONDS * rate) + 15, channels))
    weights = 0.1 * np.hanning(16) / 8
    return np.tensordot(weights, np.lib.stride_tricks.sliding_window_view(white, 16, axis=0), axes=(0, 2))


def by_soundfile(format: str, subtype: str, channels: int) -> bytes:
    buffer = io.BytesIO()
    rate = 8000 if subtype == "GSM610" or format == "WVE" else RATE
    soundfile.write(buffer, noise(rate, channels), rate, format=format, subtype=subtype)
    return buffer.getvalue()


def by_ffmpeg(container: str, codec: str, rate: int, channels: int, pictures: int = 0) -> bytes:
    buffer = io.BytesIO()
    layout = "stereo" if channels == 2 else "mono"
    with av.open(buffer, "w", format=container, options={"fflags": "+bitexact"}) as out:
        video = (
            out.add_stream("flv1" if container == "flv" else "mpeg4", rate=10, width=32, height=32, pix_fmt="yuv420p")
            if pictures
            else None
        )
        track = cast("av.AudioStream", out.add_stream(codec, rate=rate, layout=layout))
        if codec.startswith("wma"):
            track.bit_rate = 32_000
        frame = av.AudioFrame.from_ndarray(noise(rate, channels).T.astype("f4", order="C"), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        if video is not None:
            for number in range(pictures):
                picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * number, np.uint8))
                picture.pts = number
                out.mux(video.encode(picture))
            out.mux(video.encode(None))
        for part in (frame, None):
            out.mux(track.encode(part))
    return buffer.getvalue()


def without_time(data: bytes) -> bytes:
    """Remove the time, or the random number, that libsndfile writes into a file."""
    data = re.sub(rb"(PEAK.{8}).{4}", rb"\1\0\0\0\0", data, flags=re.DOTALL)
    data = re.sub(rb"(libsndfile-.{,20}, )[-0-9]{10} [:0-9]{8}", rb"\g<1>2000-01-01 00:00:00", data)
    if data.startswith(b"OggS"):
        data = ogg(re.sub(rb"(OggS.{10}).{4}", rb"\1asr.", data, flags=re.DOTALL))
    return data


@cache
def originals() -> dict[str, bytes]:
    """Name -> intact file of some tenths of a second."""
    files = {}
    for name in SOUNDFILE.split():
        format, subtype = name.split("/")
        files[name] = without_time(by_soundfile(format, subtype, 1))
    for name in ("WAV/PCM_16", "WAVEX/PCM_24", "AIFF/PCM_16", "CAF/ALAC_16", "FLAC/PCM_16", "OGG/VORBIS"):
        format, subtype = name.split("/")
        files[name + "/2"] = without_time(by_soundfile(format, subtype, 2))
    mp3 = by_soundfile("MP3", "MPEG_LAYER_III", 2)
    files["MP3/bare"] = mp3[mp3.index(mp3[:2], 4) :]
    for name in FFMPEG.split():
        container, codec, khz = name.split("/")
        files[name] = by_ffmpeg(container, codec, round(1000 * float(khz)), 1)
    for name in VIDEOS.split():
        container, codec, khz = name.split("/")
        files[name + "/video"] = by_ffmpeg(container, codec, round(1000 * float(khz)), 2, pictures=3)
    return files


# ---------------------------------------------------------------- ways to break a file

EXTREMES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 1)
Random = np.random.Generator


def at(data: Sequence, random: Random) -> int:
    """Draw a position in a file, half of the time among the first bytes."""
    return int(random.integers(min(len(data), 200) if random.random() < 0.5 else len(data))) if len(data) else 0


def flipped(data: bytes, random: Random) -> bytes:
    broken = bytearray(data)
    for _ in range(random.integers(1, 20) if data else 0):
        broken[at(data, random)] ^= 1 << random.integers(8)
    return bytes(broken)


def cut(data: bytes, random: Random) -> bytes:
    return data[: at(data, random)]


def headless(data: bytes, random: Random) -> bytes:
    return data[at(data, random) :]


def with_extreme_number(data: bytes, random: Random) -> bytes:
    place, form = at(data, random), str(random.choice(["<H", ">H", "<I", ">I", "<Q", ">Q"]))
    value = int(random.choice(EXTREMES)) % 2 ** (8 * struct.calcsize(form))
    return overwritten(data, place, struct.pack(form, value))


def with_wrong_chunk(data: bytes, random: Random) -> bytes:
    """Corrupt a number next to a four-letter tag, where RIFF, MP4 and similar formats store sizes and counts."""
    tags = [match.start() for match in re.finditer(rb"[A-Za-z][A-Za-z0-9 ]{3}", data)]
    if not tags:
        return flipped(data, random)
    place = int(random.choice(tags)) + int(random.choice([-4, 4, 8, 12]))
    value = int(random.choice(EXTREMES)) if random.random() < 0.7 else int(random.integers(2**32))
    return overwritten(data, max(0, place), struct.pack(str(random.choice(["<I", ">I"])), value))


def with_insertion(data: bytes, random: Random) -> bytes:
    place = at(data, random)
    return data[:place] + random.bytes(int(random.integers(1, 3000))) + data[place:]


def with_hole(data: bytes, random: Random) -> bytes:
    place = at(data, random)
    return data[:place] + data[place + int(random.integers(1, 2000)) :]


def with_zeros(data: bytes, random: Random) -> bytes:
    place = at(data, random)
    return overwritten(data, place, bytes(int(random.integers(1, 2000))))


def with_noise(data: bytes, random: Random) -> bytes:
    place = at(data, random)
    return overwritten(data, place, random.bytes(int(random.integers(1, 500))))


def with_repetition(data: bytes, random: Random) -> bytes:
    place, length = at(data, random), int(random.integers(1, 2000))
    return data[:place] + data[place : place + length] * int(random.integers(2, 20)) + data[place + length :]


def with_other_tail(data: bytes, random: Random) -> bytes:
    other = any_original(random)
    return data[: at(data, random)] + other[at(other, random) :]


def overwritten(data: bytes, place: int, piece: bytes) -> bytes:
    return (data[:place] + piece + data[place + len(piece) :])[: max(len(data), place)]


MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    flipped,
    flipped,
    cut,
    headless,
    with_extreme_number,
    with_extreme_number,
    with_wrong_chunk,
    with_wrong_chunk,
    with_insertion,
    with_hole,
    with_zeros,
    with_noise,
    with_repetition,
    with_other_tail,
)


def any_original(random: Random) -> bytes:
    return originals()[str(random.choice(list(originals())))]


@cache
def crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = (rest << 1) ^ (0x04C11DB7 if rest & 0x80000000 else 0)
        table.append(rest & 0xFFFFFFFF)
    return tuple(table)


def ogg(data: bytes) -> bytes:
    """Correct the checksums of all Ogg pages (RFC 3533, 6), so that decoders do not skip the corrupted ones."""
    right = bytearray(data)
    for match in re.finditer(b"OggS", data):
        begin = match.start()
        if len(data) < begin + 27:
            break
        lacing = data[begin + 27 : begin + 27 + data[begin + 26]]
        end = begin + 27 + len(lacing) + sum(lacing)
        right[begin + 22 : begin + 26] = bytes(4)
        crc = 0
        for byte in right[begin:end]:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ crc_table()[(crc >> 24) ^ byte]
        right[begin + 22 : begin + 26] = struct.pack("<I", crc)
    return bytes(right)


# ---------------------------------------------------------------- other inputs


@dataclass(frozen=True)
class Case:
    number: int
    kind: str
    data: bytes
    tail: bytes = b""
    """Bytes repeated endlessly after the data; empty for a finite file."""


def mutated(random: Random) -> tuple[str, bytes, bytes]:
    name = str(random.choice(list(originals())))
    data, steps = originals()[name], []
    for _ in range(random.integers(1, 4)):
        mutation = MUTATIONS[random.integers(len(MUTATIONS))]
        data = mutation(data, random)
        steps.append(mutation.__name__.removeprefix("with_"))
    if data.startswith(b"OggS") and random.random() < 0.7:
        data = ogg(data)
        steps.append("ogg")
    return f"{name}: {', '.join(steps)}", data, b""


def riff(*chunks: tuple[bytes, bytes], size: int | None = None, kind: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(tag + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for tag, data in chunks)
    return kind + struct.pack("<I", len(body) if size is None else size) + body


def lying_wav(random: Random) -> tuple[str, bytes, bytes]:
    """A WAV file with arbitrary values in its header fields."""

    def pick(usual: int, *others: int) -> int:
        return usual if random.random() < 0.6 else int(random.choice(others))

    tag = pick(1, 0, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0xFF, 0x161, 0xFFFE, 0xFFFF, int(random.integers(65536)))
    channels = pick(1, 0, 2, 3, 6, 255, 1024, 1025, 65535)
    rate = pick(RATE, 0, 1, 999, 1000, 8000, 44_100, 192_000, 768_000, 768_001, 2**31 - 1, 2**31, 2**32 - 1)
    bits = pick(16, 0, 1, 4, 7, 8, 12, 20, 24, 32, 33, 64, 255, 65535)
    align = pick(channels * bits // 8 % 65536, 0, 1, 3, 65535)
    fmt = struct.pack("<HHIIHH", tag, channels, rate, pick(rate * align % 2**32, 0, 1, 2**32 - 1), align, bits)
    if tag == 0xFFFE or random.random() < 0.2:
        guid = struct.pack("<H", pick(1, 0, 3, 6, 7, 0x55, 65535)) + bytes.fromhex("000000001000800000aa00389b71")
        fmt += struct.pack("<HHI", pick(22, 0, 2, 65535), pick(bits, 0, 12, 65535), pick(4, 0, 2**32 - 1)) + guid
    if random.random() < 0.2:
        fmt = fmt[: random.integers(len(fmt))]
    sound = random.bytes(int(random.integers(0, 8000)))
    chunks = [(b"fmt ", fmt), (b"data", sound)]
    extra = [(b"LIST", random.bytes(20)), (b"fact", random.bytes(4)), (b"data", sound[:99]), (b"fmt ", fmt), (b"", b"")]
    for _ in range(random.integers(3) if random.random() < 0.5 else 0):
        chunks.insert(int(random.integers(len(chunks) + 1)), extra[random.integers(len(extra))])
    if random.random() < 0.1:
        chunks.reverse()
    kind = [b"RIFF", b"RIFF", b"RIFF", b"RF64", b"RIFX", b"FORM"][random.integers(6)]
    if kind == b"RF64":
        chunks.insert(0, (b"ds64", struct.pack("<QQQI", *(pick(len(sound), 0, 2**40, 2**63) for _ in range(3)), 0)))
    data = riff(*chunks, size=None if random.random() < 0.7 else int(random.choice(EXTREMES)), kind=kind)
    if random.random() < 0.4:
        place = data.find(b"data") + 4
        data = overwritten(data, place, struct.pack("<I", int(random.choice(EXTREMES))))
    return f"lying {kind.decode()}", data, b""


def odd_but_right(random: Random) -> tuple[str, bytes, bytes]:
    """Valid files with unusual content: odd rates, many channels, samples that are not numbers."""
    rate = int(random.choice([1000, 1001, 7999, 8000, 11_025, 37_800, 96_000, 192_000, 384_000, 768_000]))
    channels = int(random.choice([1, 1, 2, 3, 5, 6, 8, 64, 255]))
    samples = random.normal(size=(int(random.integers(1, 2000)), channels)) * 0.1
    values = [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 1e300, 1e20, 100.0]
    for _ in range(random.integers(4)):
        samples[random.integers(len(samples)), random.integers(channels)] = random.choice(values)
    double = bool(random.random() < 0.3)
    with np.errstate(over="ignore"):
        sound = samples.astype("<f8" if double else "<f4").tobytes()
    bits = 64 if double else 32
    align = channels * bits // 8
    fmt = struct.pack("<HHIIHH", 3, channels, rate, rate * align % 2**32, align, bits)
    data = riff((b"fmt ", fmt), (b"data", sound))
    if random.random() < 0.3:
        codes = {(True, False): 6, (True, True): 7}
        code = codes[True, double]
        data = b".snd" + struct.pack(">5I", 24, len(sound), code, rate, channels)
        data += samples.astype(">f8" if double else ">f4").tobytes() if np.abs(samples).max() < 3e38 else sound
    return f"odd: {rate} Hz, {channels} channels", data, b""


def no_sound(random: Random) -> tuple[str, bytes, bytes]:
    """Text, other kinds of files, noise, nearly empty files."""
    length = int(random.integers(1, 20_000))
    words = random.choice(
        ["the", "sound", "of", "RIFF", "moov", "ID3", "0,1", "\t", "<p>", "größe", "\n"], size=length // 4
    )
    text = " ".join(words)
    png = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de")
    choices = {
        "empty": b"",
        "text": text.encode(),
        "text, UTF-16": text.encode("utf-16"),
        "noise": random.bytes(length),
        "short noise": random.bytes(length % 40),
        "zeros": bytes(length),
        "ones": b"\xff" * length,
        "playlist": b"#EXTM3U\n#EXTINF:2,\nsecret.wav\n" * (length // 100),
        "cue sheet": b'FILE "x.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
        "concat": b"ffconcat version 1.0\nfile secret.wav\n",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + random.bytes(length),
        "zip": b"PK\x03\x04" + random.bytes(length),
        "gzip": b"\x1f\x8b\x08\x00" + random.bytes(length),
        "png": png + random.bytes(length),
        "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + random.bytes(length),
        "elf": b"\x7fELF\x02\x01\x01" + random.bytes(length),
        "html": b"<!DOCTYPE html><html>" + text.encode(),
        "midi": b"MThd\0\0\0\x06\0\x01\0\x10\x01\xe0MTrk" + random.bytes(length),
        "magic": [
            b"RIFF",
            b"OggS",
            b"fLaC",
            b"FORM",
            b".snd",
            b"ID3",
            b"caff",
            b"NIST_1A\n   1024\n",
            b"\x1aE\xdf\xa3",
        ][random.integers(9)]
        + random.bytes(length),
        "mp4": b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + random.bytes(length),
        "mp3 frames": b"".join(b"\xff\xfb" + random.bytes(100) for _ in range(length // 100)),
        "adts frames": b"".join(b"\xff\xf1\x60\x40" + random.bytes(100) for _ in range(length // 100)),
    }
    kind = str(random.choice(list(choices)))
    return kind, choices[kind], b""


def nested(random: Random) -> tuple[str, bytes, bytes]:
    """Audio files nested in others, concatenated, and preceded by tags."""
    first, second = any_original(random), any_original(random)
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    size = len(first)
    tag = b"ID3\x04\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + first
    choices = {
        "one after the other": first + second,
        "behind a tag": b"ID3\x03\0\0\0\0\0\x14" + bytes(20) + first,
        "within a tag": tag + second,
        "tags upon tags": b"ID3\x03\0\0\0\0\0\0" * int(random.integers(1, 500)) + first,
        "before a tag": first + b"TAG" + bytes(125),
        "within WAV": riff((b"fmt ", fmt), (b"data", first)),
        "behind a chunk": riff((b"LIST", second), (b"fmt ", fmt), (b"data", first)),
        "WAV in WAV in WAV": riff((b"fmt ", fmt), (b"data", riff((b"fmt ", fmt), (b"data", riff((b"data", first)))))),
        "chunks upon chunks": riff(*[(b"JUNK", b"")] * int(random.integers(1, 3000)), (b"fmt ", fmt), (b"data", first)),
        "in an MP4 box": struct.pack(">I", 8 + size) + b"mdat" + first + second,
        "boxes in boxes": b"".join(
            struct.pack(">I", 8 * deep) + b"moov" for deep in range(random.integers(1, 500), 0, -1)
        ),
        "masters in masters": b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67\xff" * int(random.integers(1, 500)) + first,
        "behind zeros": bytes(int(random.integers(1, 5000))) + first,
        "before zeros": first + bytes(int(random.integers(1, 5000))),
        "pages of two": b"".join(part for pair in zip(pages(first), pages(second), strict=False) for part in pair),
    }
    kind = str(random.choice(list(choices)))
    return kind, choices[kind], b""


def pages(data: bytes) -> list[bytes]:
    starts = [match.start() for match in re.finditer(b"OggS", data)] or range(0, len(data), 1000)
    return [data[begin:end] for begin, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def endless(random: Random) -> tuple[str, bytes, bytes]:
    """An endless stream, whose beginning may be valid."""
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    wav = riff((b"fmt ", fmt), (b"data", b""), size=2**32 - 1)[:-4] + b"\xff" * 4
    original = any_original(random)
    choices = {
        "yes": (b"", b"y\n"),
        "text": (b"", b"All work and no play. "),
        "zeros": (b"", bytes(4096)),
        "noise": (b"", random.bytes(4096)),
        "WAV": (wav, random.bytes(4096)),
        "sound and then zeros": (original, bytes(4096)),
        "sound again and again": (b"", original),
        "sound and then noise": (original, random.bytes(4096)),
        "frames": (b"", pages(original)[-1] or b"\0"),
        "tag": (b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"\0"),
        "chunks": (b"RIFF\xff\xff\xff\xffWAVE", b"JUNK\0\0\0\0"),
        "boxes": (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", b"\0\0\0\x08free"),
    }
    kind = str(random.choice(list(choices)))
    return f"endless: {kind}", *choices[kind]


KINDS = ((mutated, 0.74), (lying_wav, 0.08), (odd_but_right, 0.04), (no_sound, 0.05), (nested, 0.07), (endless, 0.02))
"""Kinds of cases other than intact files, with their weights."""


def case(number: int) -> Case:
    """Generate the case with the given number, always the same."""
    names = list(originals())
    if number < len(names):
        return Case(number, names[number], originals()[names[number]])
    random = np.random.default_rng(number)
    makers, weights = zip(*KINDS, strict=True)
    kind, data, tail = makers[random.choice(len(makers), p=weights)](random)
    return Case(number, kind, data, tail)


# ---------------------------------------------------------------- trying the files


OUTCOMES = ("good", "refused", "wrong", "crashed", "hung")


@dataclass(frozen=True)
class Verdict:
    number: int
    kind: str
    outcome: str
    """good (decoded) or refused (with one sentence); or one of the forbidden outcomes wrong, crashed, hung."""
    detail: str = ""
    """The sentence, or the reason of a forbidden outcome."""
    audio_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0


class Pipe(io.RawIOBase):
    """A stream that is not seekable and may be endless."""

    def __init__(self, data: bytes, tail: bytes) -> None:
        super().__init__()
        self.remaining, self.tail = data, tail * (65_536 // max(1, len(tail)) + 1)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        self.remaining = self.remaining or self.tail
        chunk, self.remaining = self.remaining[: len(buffer)], self.remaining[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def attempt(case: Case, folder: Path) -> tuple[str, str, float]:
    """Read a case as `asr` would: outcome, detail, seconds of audio."""
    from asr import audio
    from asr.errors import AudioError

    path = folder / "audio.bin"
    if case.tail or case.number % 4 == 0:
        name, source = "the given stream", lambda: cast("IO[bytes]", Pipe(case.data, case.tail))
    elif case.number % 4 == 1:
        name, source = "the given bytes", lambda: case.data
    elif case.number % 4 == 2:
        name, source = "the given stream", lambda: io.BytesIO(case.data)
    else:
        path.write_bytes(case.data)
        name, source = f"'{path}'", lambda: path

    def refusal(read: Callable[[], object]) -> str:
        try:
            read()
        except AudioError as error:
            return str(error)
        return ""

    functions = (
        audio.channels,
        audio.duration_s,
        lambda source: audio.load(source, RATE, channel=1, offset_s=0.1, duration_s=0.1),
    )
    sentences = {refusal(lambda function=function: function(source())) for function in functions}
    waveform = None
    try:
        waveform = audio.load(source(), RATE)
    except AudioError as error:
        sentences.add(str(error))
    sentence = ""
    for sentence in sentences - {""}:
        if name not in sentence or "\n" in sentence or not sentence.endswith(".") or len(sentence) > 400:
            return "wrong", f"no clear sentence: {sentence!r}", 0.0
    if waveform is None:
        return "refused", sentence, 0.0
    if waveform.dtype != np.float32 or waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
        return "wrong", f"no finite waveform: {waveform.dtype} {waveform.shape}", 0.0
    sound = np.count_nonzero(waveform)  # a gap that damaged time stamps state is filled with silence
    if sound > RATE * (10 + len(case.data) / 20):
        return "wrong", f"{sound / RATE:.0f} s of sound out of {len(case.data)} bytes", 0.0
    return "good", "", len(waveform) / RATE


def peak_mb(*, reset: bool = False) -> float:
    """Peak resident memory of this process since the last reset, if the system reports it."""
    if not Path("/proc/self/clear_refs").exists():
        return 0.0
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def work(numbers: Sequence[int]) -> None:
    """Try cases in this process, and print one verdict per line."""
    import resource

    from asr.audio import sources

    sources.MAX_BUFFERED_BYTES = MAX_STREAM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    warnings.simplefilter("error")
    faulthandler.enable()
    unraisable: list[str] = []
    sys.unraisablehook = lambda args: unraisable.append(f"in a callback: {args.exc_value!r}")
    originals()
    with (
        os.fdopen(os.dup(1), "w") as out,
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryDirectory() as folder,
    ):
        os.dup2(printed.fileno(), 1)  # standard output is for transcripts; no library may write there
        for number in numbers:
            current = case(number)
            peak_mb(reset=True)
            start_s = time.process_time()
            audio_s = 0.0
            signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)  # SIGPROF ends the process at any point
            try:
                outcome, detail, audio_s = attempt(current, Path(folder))
            except Exception as error:
                outcome, detail = "wrong", f"{type(error).__name__}: {error}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            if unraisable:
                outcome, detail = "wrong", unraisable[0]
                unraisable.clear()
            if printed.tell():
                printed.seek(0)
                outcome, detail = "wrong", f"printed {printed.read(60)!r}"
                printed.seek(0)
                printed.truncate()
            peak = peak_mb()
            if peak > MAX_PEAK_MB:
                outcome, detail = "wrong", f"{peak:.0f} MB of memory"
            verdict = Verdict(number, current.kind, outcome, detail, audio_s, time.process_time() - start_s, peak)
            print(json.dumps(asdict(verdict)), file=out, flush=True)


def try_all(numbers: Sequence[int], command: Sequence[str] = ()) -> Iterator[Verdict]:
    """Yield verdicts on cases tried in another process, which is restarted whenever a case ends it or takes too long.

    `command` takes the numbers as arguments and prints verdicts like `work`; the default is this file.
    """
    command = command or [sys.executable, __file__, "--work"]
    pending = collections.deque(numbers)
    while pending:
        batch = [str(pending[index]) for index in range(min(len(pending), 500))]
        with (
            tempfile.TemporaryFile("w+", errors="replace") as stderr,
            subprocess.Popen([*command, *batch], stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
        ):
            lines: queue.Queue[str] = queue.Queue()
            reader = threading.Thread(target=_forward, args=(process.stdout, lines))
            reader.start()
            for _ in batch:
                verdict = _verdict(process, lines, pending[0])
                if verdict.outcome == "crashed":
                    stderr.seek(max(0, stderr.seek(0, 2) - 500))
                    verdict = replace(verdict, detail=f"{verdict.detail}; {stderr.read().strip()}")
                yield verdict
                pending.popleft()
                if verdict.outcome in ("crashed", "hung"):
                    process.kill()
                    break
            else:
                if status := process.wait():
                    yield Verdict(int(batch[-1]), "the end of a process", "crashed", f"exit status {status}")
            reader.join()


def _forward(stdout: Iterator[str], lines: "queue.Queue[str]") -> None:
    for line in stdout:
        lines.put(line)
    lines.put("")


def _verdict(process: subprocess.Popen, lines: "queue.Queue[str]", number: int) -> Verdict:
    try:
        line = lines.get(timeout=WAIT_LIMIT_S)
    except queue.Empty:
        return Verdict(number, case(number).kind, "hung", f"no response within {WAIT_LIMIT_S:g} s")
    if line:
        return Verdict(**json.loads(line))
    status = process.wait()
    outcome = "hung" if -status == signal.SIGPROF else "crashed"
    return Verdict(number, case(number).kind, outcome, f"exit status {status}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="number of files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the files instead of trying them")
    parser.add_argument("--work", type=int, nargs="+", metavar="NUMBER", help="try these files in this process")
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.count)
    if arguments.work:
        work(arguments.work)
    elif arguments.write:
        arguments.write.mkdir(parents=True, exist_ok=True)
        for current in map(case, numbers):
            if not current.tail:
                (arguments.write / f"{current.number:06d}.wav").write_bytes(current.data)
    else:
        sys.exit(report(try_all(numbers)))


def report(verdicts: Iterator[Verdict]) -> int:
    """Print forbidden outcomes as they occur, and the counts at the end. Returns 1 if there were any, else 0."""
    counts, slowest, largest, longest = collections.Counter[str](), 0.0, 0.0, 0.0
    for verdict in verdicts:
        counts[verdict.outcome] += 1
        slowest, largest = max(slowest, verdict.cpu_s), max(largest, verdict.peak_mb)
        longest = max(longest, verdict.audio_s)
        if verdict.outcome not in ("good", "refused"):
            print(f"{verdict.number} ({verdict.kind}): {verdict.outcome}: {verdict.detail}", flush=True)
    print(f"{counts.total()} files: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    print(f"at most {slowest:.1f} s, {largest:.0f} MB of memory, and {longest:.1f} s of audio")
    return int(counts.total() > counts["good"] + counts["refused"])


if __name__ == "__main__":
    main()
