"""Sound in, one mono float32 waveform out: the only door to soundfile (libsndfile), soxr and PyAV (FFmpeg).

libsndfile is fast and light, so it reads what it reads well: WAV, FLAC, Ogg, MP3, AIFF, AU, CAF, NIST SPHERE and more.
FFmpeg reads the rest (M4A, MP4, WebM, AMR, WMA, the sound track of a video) and the few files that libsndfile would
cut without a word: an MP3 whose header does not count its frames, a chained Ogg, a WAV whose size was never filled in.

A file is believed only as far as it can be checked: the sizes that its header promises are compared with what is
there, and a broken promise is an error. Placeholder sizes, which a program leaves when it writes into a pipe, promise
nothing. libmpg123, behind libsndfile, may still print a warning of its own on standard error for an odd MP3; tags and
broken promises, which make it talk most, are dealt with before it is asked.
"""

import io
import math
import os
import re
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import soundfile

from asr.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Sample rates in Hz; a header with a rate outside is taken for damaged."""

SLACK_S = 0.1
"""A part may reach this far beyond the end, and a decoder may deliver this much less than the header promises."""

SLACK_BYTES = 64
"""Uncompressed data may lack this much: some programs count the header as data."""

SLACK_CONTAINER_S = 0.5
"""What a video may lack: its header tells the length of the longest track, to within a picture or so."""

BLOCK_VALUES = 2**18
"""Decoding goes in blocks of about this many values, so that memory follows what is there, not what a header says."""

UNKNOWN_BYTES = (
    range(1),  # GStreamer, and a recorder that was stopped before it could fill in the size
    range(0x7F00_0000, 0x7F00_0100),  # SoX into a pipe, AIFF
    range(0x7FFF_F000, 0x8000_0001),  # SoX, arecord into a pipe, WAV
    range(0xFFFF_F000, 0x1_0000_0000),  # FFmpeg into a pipe, WAV; AU's own word for "unknown"
)
"""Sizes that stand in headers when the writer did not know the size."""

CHUNKED = {b"RIFF": "<4sI", b"RF64": "<4sI", b"RIFX": ">4sI", b"FORM": ">4sI", b"caff": ">4sq"}
"""Formats made of chunks -> how a chunk begins: name and size."""

FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,"
    "mpc,mpc8,mxf,nistsphere,ogg,rm,shn,tak,tta,voc,w64,wav,wv"
)
"""The formats that FFmpeg may try. Play lists are left out: it would open the files and addresses that they name."""

FORMATS_HINT = "give a WAV, FLAC, MP3, Ogg or M4A file, or a video with sound"

Source = str | os.PathLike | bytes | BinaryIO
Blocks = Iterator[tuple[int, np.ndarray]]


@dataclass(frozen=True)
class _Sound:
    """A sound that has been opened but not decoded."""

    name: str
    rate: int
    frames: int | None
    """The number of samples per channel if the header can be trusted with it."""
    blocks: Callable[[int, int | None], Blocks]
    """`blocks(start, stop)` decodes a part and gives blocks with the position where they end; Shape: (S, C)."""


def load(source: Source, sample_rate: int, *, offset_s: float = 0.0, duration_s: float | None = None) -> np.ndarray:
    """Read a sound, or a part of it, as one channel.

    Channels are averaged, other rates are resampled (soxr, HQ). Integer samples are scaled to [-1, 1); float samples,
    and what a decoder or the resampler makes of loud ones, are kept as they are, also beyond ±1.

    Args:
        source: a path, "-" for standard input, the bytes of a file, or a binary stream (read to its end, not closed).
        sample_rate: the rate that is wanted, in Hz.
        offset_s: where the part begins. Formats that can be searched are read from there on.
        duration_s: how long the part is; None means up to the end. A part that ends more than 0.1 s beyond the end
            of the sound is an error; up to there, it ends with the sound.

    Returns:
        float32 samples. Shape: (S,) with S > 0.

    Raises:
        AudioError: the source cannot be read, is not sound, is cut off or damaged, holds no samples or some that are
            not finite, or does not reach as far as the part.
    """
    if not 0 <= offset_s < math.inf or not (duration_s is None or 0 < duration_s < math.inf):
        raise AudioError(
            f"The part of {_name(source)} to be read begins at {offset_s} s and lasts {duration_s} s: "
            "the begin must be 0 or more, the length more than 0."
        )
    with _opened(source) as sound:
        start = round(offset_s * sound.rate)
        stop = None if duration_s is None else start + round(duration_s * sound.rate)
        blocks = list(_resampled(_mixed(sound, start, stop), sound.rate, sample_rate))
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(waveform):
        raise AudioError(f"{sound.name} holds no sound: it has a header but no samples.")
    return waveform


def duration_s(source: Source) -> float:
    """The length of a sound in seconds, from its header if that can be trusted, else by decoding it.

    Raises:
        AudioError: as `load`, as far as it is noticed without decoding.
    """
    with _opened(source) as sound:
        frames = sound.frames
        if frames is None:
            frames = max((end for end, _ in sound.blocks(0, None)), default=0)
    if not frames:
        raise AudioError(f"{sound.name} holds no sound: it has a header but no samples.")
    return frames / sound.rate


def _mixed(sound: _Sound, start: int, stop: int | None) -> Iterator[np.ndarray]:
    """Decode a part and average its channels. Shape of each: (S,)."""
    if sound.frames is not None:
        _check_part(sound, start, stop, sound.frames)
    end, bad, first_bad = 0, 0, 0
    for end, block in sound.blocks(start, stop):
        if np.isfinite(block).all():
            yield reduce(np.add, block.T / np.float32(block.shape[1]))
        else:
            rows = np.flatnonzero(~np.isfinite(block).all(axis=1))
            first_bad = first_bad if bad else end - len(block) + int(rows[0])
            bad += len(rows)
    if bad:
        raise AudioError(
            f"{sound.name} holds {bad} samples that are infinite or not a number, the first at "
            f"{first_bad / sound.rate:.3f} s: write it again with finite samples."
        )
    if sound.frames is None:
        _check_part(sound, start, stop, end)


def _check_part(sound: _Sound, start: int, stop: int | None, frames: int) -> None:
    """Compare what was asked for with what there is."""
    if (start and start >= frames) or (stop is not None and stop > frames + SLACK_S * sound.rate):
        until = "its end" if stop is None else f"{stop / sound.rate:.3f} s"
        raise AudioError(
            f"{sound.name} lasts {frames / sound.rate:.3f} s, but the part from {start / sound.rate:.3f} s to {until} "
            "was asked for: correct the offset or the duration."
        )


def _resampled(blocks: Iterator[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Convert the rate of a sound that comes in blocks. Shape of each: (S,)."""
    if rate == sample_rate:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


# ---------------------------------------------------------------- opening


def _name(source: Source) -> str:
    """What messages call a source."""
    if isinstance(source, str | os.PathLike):
        return "standard input" if source == "-" else f"'{os.fspath(source)}'"
    return "the given bytes" if isinstance(source, bytes) else "the given stream"


def _stream(source: Source) -> BinaryIO:
    """A searchable stream over the source; only a file is left where it is."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if source == "-":
        return io.BytesIO(sys.stdin.buffer.read())
    if not isinstance(source, str | os.PathLike):
        return io.BytesIO(source.read())
    name = _name(source)
    try:
        mode = Path(source).stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name} is a folder: give the path of a sound file.")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise AudioError(f"{name} is a device, not a file: give the path of a sound file.")
        file = Path(source).open("rb")  # noqa: SIM115 - the caller closes it
    except FileNotFoundError as error:
        raise AudioError(f"{name} does not exist: give the path of a sound file.") from error
    except PermissionError as error:
        raise AudioError(f"{name} may not be read: ask its owner for permission to read it.") from error
    except (OSError, ValueError) as error:
        raise AudioError(
            f"{name} cannot be opened ({getattr(error, 'strerror', None) or error}): give the path of a sound file."
        ) from error
    if file.seekable():
        return file
    with file:
        return io.BytesIO(file.read())


@contextmanager
def _opened(source: Source) -> Iterator[_Sound]:
    """Open a sound with the decoder that reads all of it, after its header's promises have been checked."""
    name = _name(source)
    with _stream(source) as raw:
        stream = _without_id3(raw)
        if not stream.seek(0, os.SEEK_END):
            raise AudioError(f"{name} is empty (0 bytes): record or copy it again.")
        file = _soundfile(stream) if _whole_in_libsndfile(name, stream) else None
        with file or _av_container(name, stream) as decoder:
            if isinstance(decoder, soundfile.SoundFile):
                sound = _Sound(name, decoder.samplerate, decoder.frames, partial(_soundfile_blocks, name, decoder))
            else:
                sound = _av_sound(name, decoder)
            if not MIN_RATE <= sound.rate <= MAX_RATE:
                raise AudioError(
                    f"{name} says that its sample rate is {sound.rate} Hz, but it must be from {MIN_RATE} to "
                    f"{MAX_RATE} Hz: its header is probably damaged."
                )
            yield sound


def _cut_off(name: str, what: str) -> AudioError:
    return AudioError(f"{name} is cut off: {what}; copy, download or record it again.")


# ---------------------------------------------------------------- what the header promises


def _without_id3(stream: BinaryIO) -> BinaryIO:
    """Leave out ID3v2 tags at the beginning (https://id3.org/id3v2.4.0-structure, 3.1)."""
    while (head := stream.read(10))[:3] == b"ID3" and len(head) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        stream.seek(size, os.SEEK_CUR)
        stream = io.BytesIO(stream.read())
    stream.seek(0)
    return stream


def _whole_in_libsndfile(name: str, stream: BinaryIO) -> bool:
    """Compare what the header promises with what is there.

    Returns:
        False if libsndfile, should it know the format, would leave out some of the sound.

    Raises:
        AudioError: there is less than was promised.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(32)
    stream.seek(0)
    if head[:4] == b"OggS":
        return _check_ogg(name, stream, size)
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0":
        return _check_mpeg(name, stream, size)
    promised, held = None, 0
    if head[:4] == b".snd" and len(head) >= 12:
        offset, promised = struct.unpack(">II", head[4:12])
        held = size - offset
    elif head[:4] == b"NIST":
        promised, held = _nist_bytes(stream, size)
    elif head[:4] in CHUNKED:
        promised, held = _chunk_bytes(stream, size)
    if promised is None:
        return True
    if _is_unknown(promised):
        riff = int.from_bytes(head[4:8], "little")
        return not (promised == 0 and head[:4] == b"RIFF" and (_is_unknown(riff) or 8 + riff < size))
    if promised > held + SLACK_BYTES:
        raise _cut_off(name, f"its header promises {promised} bytes of sound, but {max(held, 0)} are there")
    return True


def _is_unknown(size: int) -> bool:
    return size < 0 or any(size in sizes for sizes in UNKNOWN_BYTES)


def _chunk_bytes(stream: BinaryIO, size: int) -> tuple[int | None, int]:
    """Bytes of sound (promised, there) in a file of the RIFF family: WAV, RF64, AIFF, CAF."""
    kind = stream.read(4)
    begin = CHUNKED[kind]
    stream.seek(8 if kind == b"caff" else 12)
    long_size = None
    for _ in range(1000):
        head = stream.read(struct.calcsize(begin))
        if len(head) < struct.calcsize(begin):
            break
        chunk, length = struct.unpack(begin, head)
        if chunk in (b"data", b"SSND"):
            return (length if long_size is None else long_size), size - stream.tell()
        if chunk == b"ds64":
            long_size = struct.unpack("<8xQ", stream.read(16).ljust(16, b"\0"))[0]
            length -= 16
        if length < 0:
            break
        stream.seek(length + (length % 2 if kind != b"caff" else 0), os.SEEK_CUR)
    return None, 0


def _nist_bytes(stream: BinaryIO, size: int) -> tuple[int | None, int]:
    """Bytes of sound (promised, there) in a NIST SPHERE file that is not compressed."""
    text = stream.read(1024).decode("latin-1")
    header = re.match(r"NIST_1A\s+(\d+)\s", text)
    counts = [re.search(rf"^{key} -i (\d+)", text, re.M) for key in ("sample_count", "channel_count", "sample_n_bytes")]
    if header is None or "shorten" in text:
        return None, 0
    return math.prod(int(count[1]) if count else 0 for count in counts), size - int(header[1])


def _check_ogg(name: str, stream: BinaryIO, size: int) -> bool:
    """See that the last page is whole and marked as the last (RFC 3533, 6)."""
    serial = stream.read(18)[14:18]
    stream.seek(max(0, size - 2 * 65_307))  # the longest page
    tail = stream.read()
    page = tail[tail.rfind(b"OggS") :]
    length = 27 + sum(page[26 : 27 + page[26]]) if len(page) > 27 else math.inf
    if len(page) < length or not page[5] & 0x04:
        raise _cut_off(name, "its last Ogg page does not end the stream")
    return page[14:18] == serial  # else several sounds one after the other; libsndfile reads the first


def _check_mpeg(name: str, stream: BinaryIO, size: int) -> bool:
    """Compare the byte count in an MP3's Xing header with the file. Without one, libsndfile would guess the length."""
    xing = re.search(rb"(?:Xing|Info)\0\0\0(?=[\3\7\x0b\x0f])(.)(.{8})", stream.read(256), re.DOTALL)
    if xing is None:
        return False
    promised = struct.unpack(">4xI", xing[2])[0]
    if promised > size + SLACK_BYTES:
        raise _cut_off(name, f"its header promises {promised} bytes of sound, but {size} are there")
    return size <= promised + 128  # an ID3v1 tag at the end is no sound; anything more may be


# ---------------------------------------------------------------- libsndfile


def _soundfile(stream: BinaryIO) -> soundfile.SoundFile | None:
    """Let libsndfile open a sound; None if it does not know the format, or the number of samples."""
    stream.seek(0)
    try:
        file = soundfile.SoundFile(stream)
    except (soundfile.LibsndfileError, TypeError):  # soundfile takes the name `x.raw` at its word
        return None
    if file.frames < 2**60:
        return file
    file.close()
    return None


def _soundfile_blocks(name: str, file: soundfile.SoundFile, start: int, stop: int | None) -> Blocks:
    position = start
    limit = file.frames if stop is None else min(file.frames, stop)
    most = max(1, BLOCK_VALUES // file.channels)
    try:
        if start:
            file.seek(start)
        while position < limit:
            block = file.read(min(most, limit - position), dtype="float32", always_2d=True)
            if not len(block):
                break
            position += len(block)
            yield position, block
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{name} is damaged or cut off: after {position / file.samplerate:.3f} s of "
            f"{file.frames / file.samplerate:.3f} s it cannot be decoded; copy it again."
        ) from error
    if position + SLACK_S * file.samplerate < limit:
        promised_s, there_s = file.frames / file.samplerate, position / file.samplerate
        raise _cut_off(name, f"its header promises {promised_s:.3f} s, but it ends after {there_s:.3f} s")


# ---------------------------------------------------------------- FFmpeg


def _av_container(name: str, stream: BinaryIO) -> "InputContainer":
    import av
    from av.error import FFmpegError

    stream.seek(0)
    head = stream.read(12)
    stream.seek(0)
    try:
        container = av.open(stream, metadata_errors="replace", container_options={"format_whitelist": FFMPEG_FORMATS})
        return cast("InputContainer", container)
    except FFmpegError as error:
        if head[4:8] == b"ftyp":
            raise _cut_off(name, "its index (the 'moov' box of MP4 and M4A) is missing") from error
        raise AudioError(f"{name} is not a sound file, or is damaged: {FORMATS_HINT}.") from error


def _av_sound(name: str, container: "InputContainer") -> _Sound:
    track = cast("AudioStream | None", container.streams.best("audio"))
    if track is None:
        raise AudioError(f"{name} has no sound track: {FORMATS_HINT}.")
    if track.codec_context is None:
        raise AudioError(f"{name} has a sound track that FFmpeg cannot decode: {FORMATS_HINT}.")
    rate = track.codec_context.sample_rate
    counts_samples = "mov" in container.format.name and track.time_base == Fraction(1, max(1, rate))
    frames = (track.duration or None) if counts_samples else None
    return _Sound(name, rate, frames, partial(_av_blocks, name, track, frames))


def _av_blocks(name: str, track: "AudioStream", frames: int | None, start: int, stop: int | None) -> Blocks:
    """As `_Sound.blocks`. If `frames` is known, time stamps count samples, and a search can be exact to the sample."""
    rate, position = track.codec_context.sample_rate, 0
    limit = min(frames or math.inf, math.inf if stop is None else stop)
    is_sought = bool(frames and start)
    for frame in _av_frames(name, track, start - rate if is_sought else 0):
        if frame.sample_rate != rate:
            raise AudioError(
                f"{name} changes its sample rate from {rate} Hz to {frame.sample_rate} Hz after "
                f"{position / rate:.3f} s: convert it to one rate."
            )
        if is_sought:
            position = (frame.pts or 0) - (track.start_time or 0)
        end = position + frame.samples
        if end > start:
            end = int(min(end, limit))
            yield end, _floats(frame)[max(0, start - position) : end - position]
        position = end
        if position >= limit:
            return
    if frames and position + SLACK_S * rate < limit:
        raise _cut_off(name, f"its header promises {frames / rate:.3f} s, but it ends after {position / rate:.3f} s")
    yield position, np.zeros((0, 1), np.float32)


def _av_frames(name: str, track: "AudioStream", begin: int) -> Iterator["AudioFrame"]:
    """Decode from time stamp `begin`, or somewhat earlier, to the end."""
    from av.error import FFmpegError

    container = cast("InputContainer", track.container)
    lost_s = reached_s = 0.0
    try:
        if begin > 0:
            container.seek(begin + (track.start_time or 0), stream=track)
        for packet in container.demux():
            packet_s = float((packet.duration or 0) * packet.time_base)
            if packet.pts is not None:
                reached_s = max(reached_s, float(packet.pts * packet.time_base) + packet_s)
            if packet.stream_index == track.index:
                try:
                    yield from cast("list[AudioFrame]", packet.decode())
                except FFmpegError:  # one alone may be a tag between two pieces of an MP3
                    lost_s += max(packet_s, 0.02)
                    if lost_s > SLACK_S:
                        raise
    except FFmpegError as error:
        raise AudioError(
            f"{name} is damaged or cut off: not all of its sound can be decoded; copy it again."
        ) from error
    promised_s = (container.duration or 0) / 1e6 if container.format.name.startswith(("mov", "matroska")) else 0
    if reached_s + SLACK_CONTAINER_S < promised_s:
        raise _cut_off(name, f"its header promises {promised_s:.3f} s, but it ends after {reached_s:.3f} s")


def _floats(frame: "AudioFrame") -> np.ndarray:
    """Scale integer samples to [-1, 1). Shape: (S, C)."""
    data = frame.to_ndarray()
    samples = data.T if frame.format.is_planar else data.reshape(frame.samples, -1)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    full = 2.0 ** (8 * samples.itemsize - 1)
    middle = full if samples.dtype.kind == "u" else 0.0
    return ((samples - middle) / full).astype(np.float32)
