"""The two decoders: libsndfile, fast and light, and FFmpeg for what libsndfile does not read, or not whole.

Each gives a sound in blocks, so that memory follows what is there and not what a header says.
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import soundfile

from asr.audio.headers import cut_off
from asr.audio.streams import View
from asr.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import InputContainer

SLACK_S = 0.1
"""A part may reach this far beyond the end, and a decoder may deliver this much less than the header promises."""

SLACK_CONTAINER_S = 0.5
"""What a video may lack: its header tells the length of the longest track, to within a picture or so."""

BLOCK_VALUES = 2**18
"""Decoding goes in blocks of about this many values, so that memory follows what is there, not what a header says."""

LAST_SAMPLES = 1000
"""No last block is shorter: libsndfile gives other samples where a read begins in the last 6 ms of an Opus file."""

FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,"
    "mpc,mpc8,mxf,nistsphere,ogg,rm,shn,tak,tta,voc,w64,wav,wv"
)
"""The formats that FFmpeg may try. Play lists are left out: it would open the files and addresses that they name."""

FORMATS_HINT = "give a WAV, FLAC, MP3, Ogg or M4A file, or a video with sound"

LONG_HEADERS = (b"RIF", b"RF64", b"riff", b"FORM", b"caff", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"0&\xb2u")
LONG_HEADER_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""How formats begin whose sound may come after a picture or an index of any size; the boxes are those of MP4."""

Blocks = Iterator[tuple[int, np.ndarray]]


@dataclass(frozen=True)
class Sound:
    """A sound that has been opened but not decoded."""

    name: str
    rate: int
    channels: int
    frames: int | None
    """The number of samples per channel if the header can be trusted with it."""
    blocks: Callable[[int, int | None], Blocks]
    """`blocks(start, stop)` decodes a part and gives blocks with the position where they end; Shape: (S, C)."""


def _open_libsndfile(name: str, stream: View) -> soundfile.SoundFile | None:
    """Let libsndfile open a sound; None if it does not know the format, or the number of samples."""
    file = _sound_file(stream)
    if file is not None and file.subtype == "VORBIS" and file.frames:
        # It takes no notice of what is wrong in the headers, decodes nothing then, and crashes on seeking.
        with file:
            if next(_libsndfile_blocks(name, file, 0, 1), None) is None:
                raise AudioError(f"{name} is damaged: none of its sound can be decoded; copy it again.")
        file = _sound_file(stream)  # anew, for after reading it seeks wrongly
    if file is None or 0 <= file.frames < 2**60:
        return file
    file.close()
    return None


def _sound_file(stream: View) -> soundfile.SoundFile | None:
    stream.seek(0)
    try:
        return soundfile.SoundFile(cast(BinaryIO, stream))
    except soundfile.LibsndfileError:
        return None


def _libsndfile_blocks(name: str, file: soundfile.SoundFile, start: int, stop: int | None) -> Blocks:
    position = start
    limit = file.frames if stop is None else min(file.frames, stop)
    most = max(1, BLOCK_VALUES // file.channels)
    try:
        if start and file.seek(start) != start:
            raise AudioError(
                f"{name} is damaged: the place {start / file.samplerate:.3f} s cannot be found in it; copy it again."
            )
        while position < limit:
            left = limit - position
            block = file.read(left if left < most + LAST_SAMPLES else most, dtype="float32", always_2d=True)
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
        raise cut_off(name, f"its header promises {promised_s:.3f} s, but it ends after {there_s:.3f} s")


def _open_ffmpeg(name: str, stream: View) -> "InputContainer":
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
            raise cut_off(name, "its index (the 'moov' box of MP4 and M4A) is missing") from error
        raise AudioError(f"{name} is not a sound file, or is damaged: {FORMATS_HINT}.") from error


def _ffmpeg_sound(name: str, container: "InputContainer") -> Sound:
    track = cast("AudioStream | None", container.streams.best("audio"))
    if track is None:
        raise AudioError(f"{name} has no sound track: {FORMATS_HINT}.")
    if track.codec_context is None:
        raise AudioError(f"{name} has a sound track that FFmpeg cannot decode: {FORMATS_HINT}.")
    if track.codec_context.format is not None and track.codec_context.format.name in ("s64", "s64p"):
        raise AudioError(f"{name} has samples of 64-bit integers, which are not read: convert them to 32 bits.")
    rate = track.codec_context.sample_rate
    counts_samples = "mov" in container.format.name and track.time_base == Fraction(1, max(1, rate))
    frames = (track.duration or None) if counts_samples else None
    return Sound(name, rate, track.codec_context.channels, frames, partial(_ffmpeg_blocks, name, track, frames))


def _ffmpeg_blocks(name: str, track: "AudioStream", frames: int | None, start: int, stop: int | None) -> Blocks:
    """As `Sound.blocks`. The small blocks of FFmpeg are joined: one by one, they take more time than to decode them."""
    parts: list[np.ndarray] = []
    end = size = 0
    for block_end, block in _av_blocks(name, track, frames, start, stop):
        if parts and (block.shape[1] != parts[0].shape[1] or size >= BLOCK_VALUES):
            yield end, np.concatenate(parts)
            parts, size = [], 0
        parts.append(block)
        end, size = block_end, size + block.size
    if parts:
        yield end, np.concatenate(parts)


def _av_blocks(name: str, track: "AudioStream", frames: int | None, start: int, stop: int | None) -> Blocks:
    """One block a frame. If `frames` is known, time stamps count samples, and a search can be exact to the sample."""
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
        raise cut_off(name, f"its header promises {frames / rate:.3f} s, but it ends after {position / rate:.3f} s")
    yield position, np.zeros((0, 1), np.float32)


def _av_frames(name: str, track: "AudioStream", begin: int) -> Iterator["AudioFrame"]:
    """Decode from time stamp `begin`, or somewhat earlier, to the end."""
    from av.error import FFmpegError

    container = cast("InputContainer", track.container)
    ticks_s = {stream.index: float(stream.time_base or 0) for stream in container.streams}
    lost_s = reached_s = 0.0
    try:
        if begin > 0:
            container.seek(begin + (track.start_time or 0), stream=track)
        for packet in _packets(container):
            index = packet.stream.index  # `packet.stream_index` is 0 for the last packet of any stream
            tick_s = ticks_s.get(index, 0.0)
            packet_s = (packet.duration or 0) * tick_s
            if packet.pts is not None:
                reached_s = max(reached_s, packet.pts * tick_s + packet_s)
            if index == track.index:
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
        raise cut_off(name, f"its header promises {promised_s:.3f} s, but it ends after {reached_s:.3f} s")


def _packets(container: "InputContainer") -> Iterator["Packet"]:
    """All packets, and at the end an empty one for each stream, which makes its decoder give what it holds back."""
    try:
        yield from container.demux()
    except IndexError:  # PyAV 18: this stream was not known at the beginning; the others have had their empty packet
        return


def _floats(frame: "AudioFrame") -> np.ndarray:
    """Scale integer samples to [-1, 1). Shape: (S, C)."""
    data = frame.to_ndarray()
    samples = data.T if frame.format.is_planar else data.reshape(frame.samples, -1)
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit becomes infinite
            return samples.astype(np.float32)
    full = 2.0 ** (8 * samples.itemsize - 1)
    middle = full if samples.dtype.kind == "u" else 0.0
    return ((samples - middle) / full).astype(np.float32)


@contextmanager
def open_sound(name: str, stream: View, *, try_libsndfile: bool) -> Iterator[Sound]:
    """Open a sound with the decoder that reads all of it.

    Raises:
        AudioError: neither knows the format, or there is no sound track.
    """
    file = _open_libsndfile(name, stream) if try_libsndfile else None
    if file is not None:
        with file:
            yield Sound(name, file.samplerate, file.channels, file.frames, partial(_libsndfile_blocks, name, file))
    else:
        with _open_ffmpeg(name, stream) as container:
            yield _ffmpeg_sound(name, container)


def may_begin_sound(head: bytes) -> bool:
    """Whether a sound can begin with these bytes, a megabyte or so."""
    if head.startswith(LONG_HEADERS) or head[4:8] in LONG_HEADER_BOXES:
        return True
    stream = View(io.BytesIO(head), 0, len(head))
    try:
        opened = _open_ffmpeg("", stream)
    except AudioError:
        opened = _sound_file(stream)
    if opened is not None:
        opened.close()
    return opened is not None
