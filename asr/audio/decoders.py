"""The two decoders: libsndfile, fast and light, and FFmpeg for files that libsndfile cannot read completely.

Both decode in blocks, so that memory use depends on the data in the file and not on the sizes in its header.
"""

import io
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import soundfile

from asr.audio.headers import truncated, truncated_after
from asr.audio.streams import View
from asr.errors import AudioError

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import InputContainer

SLACK_S = 0.1
"""Tolerance for segments that end after the audio, and for decoders that return less than the header states."""

SLACK_CONTAINER_S = 0.5
"""Tolerance for videos, whose header states the length of the longest track to within a frame or so."""

BLOCK_VALUES = 2**18
"""Approximate number of values to decode at a time."""

SMALL_BLOCK = 4096
"""Number of samples to decode at a time near damage."""

LAST_SAMPLES = 1000
"""Minimum size of the last block: libsndfile returns different samples if a read begins in the last 6 ms of Opus."""

FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,loas,matroska,mov,mp3,mpeg,mpegts,"
    "mpc,mpc8,mxf,nistsphere,ogg,rm,shn,tak,tta,voc,w64,wav,wv"
)
"""Formats that FFmpeg may try. Playlists are excluded because FFmpeg would open the files and URLs in them."""

FORMATS_HINT = "give a WAV, FLAC, MP3, Ogg or M4A file, or a video with an audio track"

GAP_S = 0.1
"""Missing time, in seconds, from which on it is filled with silence."""

JITTER_S = 0.004
"""Largest difference between timestamps that is no jump: containers round them to milliseconds."""

LONGEST_GAP_S = 6 * 3600.0
"""A longer gap between timestamps, or one longer than the whole file is stated to be, is taken for a damaged one."""

LONG_HEADERS = (b"RIF", b"RF64", b"riff", b"FORM", b"caff", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"0&\xb2u")
LONG_HEADER_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""Signatures of formats whose audio may follow a picture or an index of any size; the boxes are those of MP4."""

Blocks = Iterator[tuple[int, np.ndarray]]

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioReader:
    """An audio file that has been opened but not yet decoded."""

    name: str
    rate: int
    channels: int
    frames: int | None
    """Number of samples per channel; None if the header is not reliable."""
    blocks: Callable[[int, int | None], Blocks]
    """`blocks(start, stop)` decodes a segment and yields (end position, block). Shape of each block: (S, C)."""


def _open_libsndfile(name: str, stream: View) -> soundfile.SoundFile | None:
    """Open a file with libsndfile; None if it does not know the format or the number of samples."""
    file = _sound_file(stream)
    if file is not None and file.subtype == "VORBIS" and file.frames:
        # libsndfile ignores damaged headers, after which it decodes nothing and crashes on seeking.
        with file:
            if next(_libsndfile_blocks(name, file, 0, 1), None) is None:
                raise AudioError(f"{name} is damaged: none of its audio can be decoded; copy it again.")
        file = _sound_file(stream)  # reopened, because it seeks wrongly after reading
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
    block_size = max(1, BLOCK_VALUES // file.channels)
    if start and not _sought(file, start):
        raise AudioError(f"{name} is damaged: seeking to {start / file.samplerate:.3f} s fails; copy it again.")
    while position < limit:
        remaining = limit - position
        size = remaining if remaining < block_size + LAST_SAMPLES else block_size
        try:
            block = file.read(size, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if block_size > SMALL_BLOCK and _sought(file, position):
                block_size = SMALL_BLOCK  # what precedes the damage can still be read
                continue
            raise AudioError(
                f"{name} is damaged or truncated: it cannot be decoded after {position / file.samplerate:.3f} s of "
                f"{file.frames / file.samplerate:.3f} s; copy it again."
            ) from error
        if not len(block):
            break
        position += len(block)
        yield position, block
    if position + SLACK_S * file.samplerate < limit:
        raise truncated_after(name, file.frames / file.samplerate, position / file.samplerate)


def _sought(file: soundfile.SoundFile, position: int) -> bool:
    """Seek, and tell whether that was possible."""
    try:
        return file.seek(position) == position
    except soundfile.LibsndfileError:
        return False


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
            raise truncated(name, "its index (the 'moov' box of MP4 and M4A) is missing") from error
        raise AudioError(f"{name} is not an audio file, or is damaged: {FORMATS_HINT}.") from error


def _audio_track(name: str, container: "InputContainer", number: int | None) -> "AudioStream":
    """Select an audio track by its number, from 1, else the one that FFmpeg considers the main one."""
    tracks = container.streams.audio
    best = cast("AudioStream | None", container.streams.best("audio"))
    if best is None:
        raise AudioError(f"{name} has no audio track: {FORMATS_HINT}.")
    if number is not None:
        _check_track(name, number, len(tracks))
        return tracks[number - 1]
    if len(tracks) > 1:
        languages = ", ".join(f"{n} ({track.language or 'no language'})" for n, track in enumerate(tracks, start=1))
        chosen = [track.index for track in tracks].index(best.index) + 1
        LOG.warning(
            "Note: %s has %d audio tracks: %s; track %d is read. --track chooses another.",
            name,
            len(tracks),
            languages,
            chosen,
        )
    return best


def _check_track(name: str, number: int, count: int) -> None:
    if not 1 <= number <= count:
        tracks = "1 audio track" if count == 1 else f"{count} audio tracks"
        raise AudioError(f"{name} has {tracks}, but track {number} was requested: give a number from 1 to {count}.")


def _ffmpeg_reader(name: str, container: "InputContainer", track_number: int | None) -> AudioReader:
    track = _audio_track(name, container, track_number)
    if track.codec_context is None:
        raise AudioError(f"{name} has an audio track that FFmpeg cannot decode: {FORMATS_HINT}.")
    if track.codec_context.format is not None and track.codec_context.format.name in ("s64", "s64p"):
        raise AudioError(f"{name} has 64-bit integer samples, which are not supported: convert them to 32 bits.")
    rate = track.codec_context.sample_rate
    counts_samples = "mov" in container.format.name and track.time_base == Fraction(1, max(1, rate))
    offset = _offset(container, track)
    frames = track.duration + offset if counts_samples and track.duration else None
    return AudioReader(
        name, rate, track.codec_context.channels, frames, partial(_ffmpeg_blocks, name, track, frames, offset)
    )


def _offset(container: "InputContainer", track: "AudioStream") -> int:
    """How many samples after the beginning of the container, which is that of its picture, the track begins."""
    offset_s = float((track.start_time or 0) * (track.time_base or 0)) - (container.start_time or 0) / 1e6
    rate = track.codec_context.sample_rate
    return round(offset_s * rate) if GAP_S < offset_s < _longest_gap_s(container) else 0


def _longest_gap_s(container: "InputContainer") -> float:
    """A jump of the timestamps by this or more is damage: files that state their duration are not longer than that."""
    duration_s = (container.duration or 0) / 1e6
    return min(LONGEST_GAP_S, duration_s + GAP_S) if duration_s > 0 else LONGEST_GAP_S


def _ffmpeg_blocks(  # noqa: PLR0917
    name: str, track: "AudioStream", frames: int | None, offset: int, start: int, stop: int | None
) -> Blocks:
    """As `AudioReader.blocks`; joins FFmpeg's small blocks, whose overhead would exceed the decoding time."""
    pending: list[np.ndarray] = []
    end = size = 0
    for block_end, block in _av_blocks(name, track, frames, offset, start, stop):
        if pending and (block.shape[1] != pending[0].shape[1] or size >= BLOCK_VALUES):
            yield end, np.concatenate(pending)
            pending, size = [], 0
        pending.append(block)
        end, size = block_end, size + block.size
    if pending:
        yield end, np.concatenate(pending)


def _av_blocks(  # noqa: PLR0917
    name: str, track: "AudioStream", frames: int | None, offset: int, start: int, stop: int | None
) -> Blocks:
    """Yield one block per FFmpeg frame, and blocks of silence where the timestamps have gaps.

    If `frames` is known, timestamps count samples and seeking is sample-exact.
    """
    rate, position = track.codec_context.sample_rate, 0
    limit = min(frames or math.inf, math.inf if stop is None else stop)
    can_seek = bool(frames and start > offset)
    gaps = _Gaps(float(track.time_base or 0), rate, _longest_gap_s(cast("InputContainer", track.container)))
    for frame in _av_frames(name, track, start - offset - rate if can_seek else 0):
        if frame.sample_rate != rate:
            raise AudioError(
                f"{name} changes its sample rate from {rate} Hz to {frame.sample_rate} Hz after "
                f"{position / rate:.3f} s: convert it to a constant rate."
            )
        silence = gaps.before(frame) + (0 if position or can_seek else offset)
        if can_seek:
            position, silence = (frame.pts or 0) - (track.start_time or 0) + offset, 0
            can_seek = False
        block = _floats(frame)
        for piece in (*_silence(silence, block.shape[1]), block):
            end = position + len(piece)
            if end > start:
                end = int(min(end, limit))
                yield end, piece[max(0, start - position) : end - position]
            position = end
            if position >= limit:
                return
    if frames and position + SLACK_S * rate < limit:
        raise truncated_after(name, frames / rate, position / rate)
    yield position, np.zeros((0, 1), np.float32)


class _Gaps:
    """Finds gaps between frames: dropped packets, discontinuous transmission, a recording that was paused.

    Only jumps from one frame to the next count, so that clocks which drift are no gaps. Many small jumps add up.
    """

    def __init__(self, tick_s: float, rate: int, longest_s: float) -> None:
        """A jump of `longest_s` or more is a damaged timestamp."""
        self._tick_s, self._rate, self._longest_s = tick_s, rate, longest_s
        self._expected_s: float | None = None
        self._missing_s = 0.0

    def before(self, frame: "AudioFrame") -> int:
        """The number of samples that are missing before a frame."""
        if frame.pts is None:
            return 0
        begin_s, expected_s = frame.pts * self._tick_s, self._expected_s
        self._expected_s = begin_s + frame.samples / self._rate
        jump_s = 0.0 if expected_s is None else begin_s - expected_s
        if abs(jump_s) < JITTER_S or not -GAP_S < jump_s < self._longest_s:
            return 0
        self._missing_s = max(0.0, self._missing_s + jump_s)
        if self._missing_s < GAP_S:
            return 0
        missing = round(self._missing_s * self._rate)
        self._missing_s = 0.0
        return missing


def _silence(count: int, channels: int) -> Iterator[np.ndarray]:
    """Yield blocks of zeros. Shape: (S, C)"""
    size = max(1, BLOCK_VALUES // channels)
    for first in range(0, count, size):
        yield np.zeros((min(size, count - first), channels), np.float32)


def _av_frames(name: str, track: "AudioStream", first: int) -> Iterator["AudioFrame"]:
    """Decode from timestamp `first`, or slightly earlier, to the end."""
    from av.error import FFmpegError

    container = cast("InputContainer", track.container)
    tick_sizes_s = {stream.index: float(stream.time_base or 0) for stream in container.streams}
    lost_s = reached_s = 0.0
    try:
        if first > 0:
            container.seek(first + (track.start_time or 0), stream=track)
        for packet in _packets(container):
            index = packet.stream.index  # `packet.stream_index` is 0 for the last packet of every stream
            tick_s = tick_sizes_s.get(index, 0.0)
            packet_s = (packet.duration or 0) * tick_s
            if packet.pts is not None:
                reached_s = max(reached_s, packet.pts * tick_s + packet_s)
            if index == track.index:
                try:
                    yield from cast("list[AudioFrame]", packet.decode())
                except FFmpegError:  # a single one may be a tag between two parts of an MP3
                    lost_s += max(packet_s, 0.02)
                    if lost_s > SLACK_S:
                        raise
    except FFmpegError as error:
        raise AudioError(
            f"{name} is damaged or truncated: not all of its audio can be decoded; copy it again."
        ) from error
    expected_s = (container.duration or 0) / 1e6 if container.format.name.startswith(("mov", "matroska")) else 0
    if reached_s + SLACK_CONTAINER_S < expected_s:
        raise truncated_after(name, expected_s, reached_s)


def _packets(container: "InputContainer") -> Iterator["Packet"]:
    """Yield all packets and then an empty one per stream, which flushes its decoder."""
    try:
        yield from container.demux()
    except IndexError:  # PyAV 18: a stream that was unknown at the start; the others have been flushed
        return


def _floats(frame: "AudioFrame") -> np.ndarray:
    """Scale integer samples to [-1, 1). Shape: (S, C)."""
    data = frame.to_ndarray()
    samples = data.T if frame.format.is_planar else data.reshape(frame.samples, -1)
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # values that overflow become infinite
            return samples.astype(np.float32)
    full_scale = 2.0 ** (8 * samples.itemsize - 1)
    midpoint = full_scale if samples.dtype.kind == "u" else 0.0
    return ((samples - midpoint) / full_scale).astype(np.float32)


@contextmanager
def open_audio(name: str, stream: View, *, try_libsndfile: bool, track: int | None = None) -> Iterator[AudioReader]:
    """Open a file with libsndfile if it may try and knows the format, else with FFmpeg.

    Args:
        track: number of the audio track, from 1; None means the main one.

    Raises:
        AudioError: neither knows the format, or there is no such audio track.
    """
    file = _open_libsndfile(name, stream) if try_libsndfile else None
    if file is not None:
        with file:
            if track is not None:
                _check_track(name, track, 1)
            yield AudioReader(
                name, file.samplerate, file.channels, file.frames, partial(_libsndfile_blocks, name, file)
            )
    else:
        with _open_ffmpeg(name, stream) as container:
            yield _ffmpeg_reader(name, container, track)


def may_be_audio(head: bytes) -> bool:
    """Check whether an audio file can begin with these bytes, of which there should be about a megabyte."""
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
