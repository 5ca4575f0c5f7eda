"""Sound in, one mono float32 waveform out: the only door to soundfile (libsndfile), soxr and PyAV (FFmpeg).

`headers` compares what a file's header promises with what is there, `decoders` turns it into samples, and here they
are mixed, resampled and checked. libmpg123, behind libsndfile, may print a warning of its own on standard error for an
odd MP3; tags and broken promises, which make it talk most, are dealt with before it is asked.
"""

import io
import math
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asr.audio.decoders import SLACK_S, Sound, open_sound
from asr.audio.headers import is_whole_in_libsndfile, without_id3
from asr.errors import AudioError

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Sample rates in Hz; a header with a rate outside is taken for damaged."""

Source = str | os.PathLike | bytes | BinaryIO


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


def _mixed(sound: Sound, start: int, stop: int | None) -> Iterator[np.ndarray]:
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


def _check_part(sound: Sound, start: int, stop: int | None, frames: int) -> None:
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
def _opened(source: Source) -> Iterator[Sound]:
    """Open a sound with the decoder that reads all of it, after its header's promises have been checked."""
    name = _name(source)
    with _stream(source) as raw:
        stream = without_id3(raw)
        if not stream.seek(0, os.SEEK_END):
            raise AudioError(f"{name} is empty (0 bytes): record or copy it again.")
        with open_sound(name, stream, try_libsndfile=is_whole_in_libsndfile(name, stream)) as sound:
            if not MIN_RATE <= sound.rate <= MAX_RATE:
                raise AudioError(
                    f"{name} says that its sample rate is {sound.rate} Hz, but it must be from {MIN_RATE} to "
                    f"{MAX_RATE} Hz: its header is probably damaged."
                )
            yield sound
