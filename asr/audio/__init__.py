"""Sound in, mono float32 samples out: the only door to soundfile (libsndfile), soxr and PyAV (FFmpeg).

`sources` makes a searchable stream of whatever is given, `headers` compares what a file's header promises with what is
there, `decoders` turns it into samples, and here they are mixed, resampled and checked. libmpg123, behind libsndfile,
may print a warning of its own on standard error for an odd MP3; tags and broken promises, which make it talk most, are
dealt with before it is asked.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

import numpy as np

from asr.audio.decoders import SLACK_S, Sound, open_sound
from asr.audio.headers import is_whole_in_libsndfile, leave_out_id3
from asr.audio.sources import Source, kept, name_of, searchable
from asr.errors import AudioError

__all__ = ["MAX_RATE", "MIN_RATE", "Source", "blocks", "channels", "duration_s", "kept", "load"]

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Sample rates in Hz; a header with a rate outside is taken for damaged."""

MAX_SAMPLE = 1e10
"""The largest sample that is taken for sound: far beyond 32-bit integers, and its power is far within a float32."""


def blocks(
    source: Source,
    sample_rate: int,
    *,
    channel: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> Iterator[np.ndarray]:
    """Read a sound, or a part of it, as one channel, in blocks of some seconds: memory does not grow with its length.

    Channels are averaged, other rates are resampled (soxr, HQ). Integer samples are scaled to [-1, 1); float samples,
    and what a decoder or the resampler makes of loud ones, are kept as they are, also beyond ±1.

    Args:
        source: a path, "-" for standard input, the bytes of a file, or a binary stream (not closed). What cannot be
            searched, such as a pipe, is first kept whole (up to 16 MiB in memory, then in a temporary file, and
            4 GiB at most).
        sample_rate: the rate that is wanted, in Hz.
        channel: the number, from 1, of the only channel to read; None averages all.
        offset_s: where the part begins. Formats that can be searched are read from there on.
        duration_s: how long the part is; None means up to the end. A part that ends more than 0.1 s beyond the end
            of the sound is an error; up to there, it ends with the sound.

    Yields:
        float32 samples, finite. Shape of each: (S,) with S > 0; there is at least one.

    Raises:
        AudioError: the source cannot be read, is not sound, is cut off or damaged, holds no samples or some that are
            not finite, has no such channel, or does not reach as far as the part. What is wrong in the middle is an
            error there, or at the end, after the blocks before it.
    """
    if not 0 <= offset_s < math.inf or not (duration_s is None or 0 < duration_s < math.inf):
        raise AudioError(
            f"The part of {name_of(source)} to be read begins at {offset_s} s and lasts {duration_s} s: "
            "the begin must be 0 or more, the length more than 0."
        )
    with _opened(source) as sound:
        start = round(offset_s * sound.rate)
        stop = None if duration_s is None else start + round(duration_s * sound.rate)
        is_empty = True
        for block in _resampled(_mixed(sound, start, stop, channel), sound.rate, sample_rate):
            if len(block):
                is_empty = False
                yield block
        if is_empty:
            raise _no_sound(sound)


def load(
    source: Source,
    sample_rate: int,
    *,
    channel: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> np.ndarray:
    """Read a sound, or a part of it, as one channel: all `blocks` in one.

    Args, Raises: as `blocks`.

    Returns:
        float32 samples. Shape: (S,) with S > 0.
    """
    parts = blocks(source, sample_rate, channel=channel, offset_s=offset_s, duration_s=duration_s)
    return np.concatenate(list(parts))


def channels(source: Source) -> int:
    """The number of channels of a sound.

    Raises:
        AudioError: as `blocks`, as far as it is noticed without decoding.
    """
    with _opened(source) as sound:
        return sound.channels


def duration_s(source: Source) -> float:
    """The length of a sound in seconds, from its header if that can be trusted, else by decoding it.

    Raises:
        AudioError: as `blocks`, as far as it is noticed without decoding.
    """
    with _opened(source) as sound:
        frames = sound.frames
        if frames is None:
            frames = max((end for end, _ in sound.blocks(0, None)), default=0)
        if not frames:
            raise _no_sound(sound)
        return frames / sound.rate


def _no_sound(sound: Sound) -> AudioError:
    return AudioError(f"{sound.name} holds no sound: it has a header but no samples.")


def _mixed(sound: Sound, start: int, stop: int | None, channel: int | None) -> Iterator[np.ndarray]:
    """Decode a part, and average its channels or pick one. Shape of each: (S,)."""
    if channel is not None and not 1 <= channel <= sound.channels:
        count = "1 channel" if sound.channels == 1 else f"{sound.channels} channels"
        raise AudioError(
            f"{sound.name} has {count}, but channel {channel} was asked for: give a number from 1 to {sound.channels}."
        )
    if sound.frames is not None:
        _check_part(sound, start, stop, sound.frames)
    end, bad, first_bad = 0, 0, 0
    for end, block in sound.blocks(start, stop):
        is_good = np.abs(block) <= MAX_SAMPLE
        if not is_good.all():
            rows = np.flatnonzero(~is_good.all(axis=1))
            first_bad = first_bad if bad else end - len(block) + int(rows[0])
            bad += len(rows)
        elif len(block) and not bad:
            yield _one_channel(sound, end, block, channel)
    if bad:
        raise AudioError(
            f"{sound.name} holds {bad} samples that are infinite, not a number or beyond ±1e10, the first at "
            f"{first_bad / sound.rate:.3f} s: write it again with finite samples."
        )
    if sound.frames is None:
        _check_part(sound, start, stop, end)


def _one_channel(sound: Sound, end: int, block: np.ndarray, channel: int | None) -> np.ndarray:
    """Shape: (S, C) -> (S,)"""
    count = block.shape[1]
    if channel is None:
        return reduce(np.add, block.T / np.float32(count))
    if channel > count:
        raise AudioError(
            f"{sound.name} changes its number of channels from {sound.channels} to {count} before "
            f"{end / sound.rate:.3f} s: convert it to one number."
        )
    return block[:, channel - 1].copy()


def _check_part(sound: Sound, start: int, stop: int | None, frames: int) -> None:
    """Compare what was asked for with what there is."""
    if (start and start >= frames) or (stop is not None and stop > frames + SLACK_S * sound.rate):
        until = "its end" if stop is None else f"{stop / sound.rate:.3f} s"
        raise AudioError(
            f"{sound.name} lasts {frames / sound.rate:.3f} s, but the part from {start / sound.rate:.3f} s to {until} "
            "was asked for: correct the offset or the duration."
        )


def _resampled(parts: Iterator[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Convert the rate of a sound that comes in blocks. Shape of each: (S,)."""
    if rate == sample_rate:
        yield from parts
        return
    import soxr

    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_rate(sound: Sound) -> None:
    if not MIN_RATE <= sound.rate <= MAX_RATE:
        raise AudioError(
            f"{sound.name} says that its sample rate is {sound.rate} Hz, but it must be from {MIN_RATE} to "
            f"{MAX_RATE} Hz: its header is probably damaged."
        )


@contextmanager
def _opened(source: Source) -> Iterator[Sound]:
    """Open a sound with the decoder that reads all of it, after its header's promises have been checked."""
    name = name_of(source)
    with searchable(source) as stream:
        if not stream.size:
            raise AudioError(f"{name} is empty (0 bytes): record or copy it again.")
        try:
            leave_out_id3(stream)
            with open_sound(name, stream, try_libsndfile=is_whole_in_libsndfile(name, stream)) as sound:
                _check_rate(sound)
                yield sound
        except AudioError:
            if stream.failure is None:
                raise
        if stream.failure is not None:
            reason = getattr(stream.failure, "strerror", None) or stream.failure
            raise AudioError(f"{name} cannot be read ({reason}): copy it again.") from stream.failure
