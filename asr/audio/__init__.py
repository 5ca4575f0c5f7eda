"""Load audio as mono float32 samples: the only interface to soundfile (libsndfile), soxr and PyAV (FFmpeg).

`sources` turns any source into a seekable stream, `headers` checks the sizes in a file's header against the file,
`decoders` decodes it, and this module mixes the channels, resamples and validates. libmpg123, which libsndfile uses,
may print warnings of its own on standard error for unusual MP3 files; ID3 tags and wrong sizes, the most frequent
causes, are handled before it is called.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from asr.audio.decoders import SLACK_S, AudioReader, Blocks, open_audio
from asr.audio.headers import libsndfile_reads_all, skip_id3
from asr.audio.mixing import mix
from asr.audio.rates import MAX_RATE, MIN_RATE
from asr.audio.samples import Resampler
from asr.audio.sources import Source, buffered, name_of, seekable
from asr.errors import AudioError

__all__ = ["MAX_RATE", "MIN_RATE", "Source", "blocks", "buffered", "channels", "duration_s", "load", "separate"]

MAX_SAMPLE = 1e10
"""Largest accepted absolute sample value: far beyond 32-bit integers, and its square is well within a float32."""


def blocks(
    source: Source,
    sample_rate: int,
    *,
    channel: int | None = None,
    track: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> Iterator[np.ndarray]:
    """Read audio, or a segment of it, as one channel in blocks of some seconds, so that memory use stays constant.

    Channels are mixed (`asr.audio.mixing`) and other rates are resampled (soxr, HQ). Integer samples are scaled to [-1,
    1). Float samples and the output of decoders and the resampler are not clipped, so they may exceed ±1.

    Args:
        source: a path, "-" for standard input, the bytes of a file, or a binary stream (not closed). A source that is
            not seekable, such as a pipe, is buffered first (up to 16 MiB in memory, beyond that in a temporary file,
            4 GiB at most).
        sample_rate: target sample rate in Hz.
        channel: number of the channel to read, from 1; None mixes all channels.
        track: number of the audio track of a video, from 1; None means the main one.
        offset_s: start of the segment. Seekable formats are read from there.
        duration_s: length of the segment; None means up to the end. A segment that ends more than 0.1 s after the end
            of the audio is an error; within that tolerance it is truncated to the end.

    Yields:
        finite float32 samples, at least one block. Shape of each: (S,) with S > 0.

    Raises:
        AudioError: the source cannot be read, is not audio, is truncated or damaged, contains no samples or non-finite
            ones, has no such channel or track, or ends before the segment does. An error in the middle of the file, and
            that it is truncated, is raised there or at the end, after the preceding blocks have been yielded.
    """
    if not 0 <= offset_s < math.inf or not (duration_s is None or 0 < duration_s < math.inf):
        raise AudioError(
            f"The requested segment of {name_of(source)} has the offset {offset_s} s and the duration {duration_s} s: "
            "the offset must be 0 or more, the duration more than 0."
        )
    with _opened(source, track) as reader:
        start = round(offset_s * reader.rate)
        stop = None if duration_s is None else start + round(duration_s * reader.rate)
        yield from _not_empty(reader, _resampled(_mixed(reader, start, stop, channel), reader.rate, sample_rate))


def load(
    source: Source,
    sample_rate: int,
    *,
    channel: int | None = None,
    track: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
) -> np.ndarray:
    """Read audio, or a segment of it, as one channel: all `blocks` concatenated.

    Args, Raises: as in `blocks`.

    Returns:
        float32 samples. Shape: (S,) with S > 0.
    """
    segment = {"offset_s": offset_s, "duration_s": duration_s}
    return np.concatenate(list(blocks(source, sample_rate, channel=channel, track=track, **segment)))


@contextmanager
def separate(
    source: Source, sample_rate: int, numbers: Sequence[int], *, track: int | None = None
) -> Iterator[list[Iterator[np.ndarray]]]:
    """Read several channels at once: give the `blocks` of each, for all of which the audio is decoded once.

    What one channel has read and another has not is kept in memory, so they should be read in turns.

    Args:
        source, sample_rate, track: as in `blocks`.
        numbers: the channels to read, from 1.

    Yields:
        an iterator for each channel, over finite float32 samples, at least one block. Shape of each block: (S,)

    Raises:
        AudioError: as in `blocks`.
    """
    with _opened(source, track) as reader:
        for number in numbers:
            _check_channel(reader, number)
        columns = np.array(numbers) - 1

        def selected() -> Blocks:
            for end, block in reader.blocks(0, None):
                if len(block) and columns.max() >= block.shape[1]:
                    raise _changing_channels(reader, end, block)
                yield end, block[:, columns] if len(block) else block

        readers = [
            replace(reader, channels=len(columns), blocks=lambda *_, part=part: part)
            for part in itertools.tee(selected(), len(columns))
        ]
        yield [
            _not_empty(reader, _resampled(_mixed(part, 0, None, number), reader.rate, sample_rate))
            for number, part in enumerate(readers, start=1)
        ]


def channels(source: Source, track: int | None = None) -> int:
    """Return the number of channels, of a certain audio track if given.

    Raises:
        AudioError: as in `blocks`, as far as the error is detected without decoding.
    """
    with _opened(source, track) as reader:
        return reader.channels


def duration_s(source: Source) -> float:
    """Return the duration in seconds, from the header if it is reliable, else by decoding the audio.

    Raises:
        AudioError: as in `blocks`, as far as the error is detected without decoding.
    """
    with _opened(source) as reader:
        frames = reader.frames
        if frames is None:
            frames = max((end for end, _ in reader.blocks(0, None)), default=0)
        if not frames:
            raise _no_samples(reader)
        return frames / reader.rate


def _not_empty(reader: AudioReader, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Leave out empty blocks; if there is no other, raise AudioError. Shape of each: (S,)"""
    is_empty = True
    for block in blocks:
        if len(block):
            is_empty = False
            yield block
    if is_empty:
        raise _no_samples(reader)


def _no_samples(reader: AudioReader) -> AudioError:
    return AudioError(f"{reader.name} contains no audio: it has a header but no samples.")


def _mixed(reader: AudioReader, start: int, stop: int | None, channel: int | None) -> Iterator[np.ndarray]:
    """Decode a segment and mix its channels, or select one. Shape of each: (S,)."""
    if channel is not None:
        _check_channel(reader, channel)
    if reader.frames is not None:
        _check_segment(reader, start, stop, reader.frames)
    end, num_bad, first_bad = 0, 0, 0
    for end, block in reader.blocks(start, stop):
        is_valid = np.abs(block) <= MAX_SAMPLE
        if not is_valid.all():
            rows = np.flatnonzero(~is_valid.all(axis=1))
            first_bad = first_bad if num_bad else end - len(block) + int(rows[0])
            num_bad += len(rows)
        elif len(block) and not num_bad:
            yield _one_channel(reader, end, block, channel)
    if num_bad:
        raise AudioError(
            f"{reader.name} contains {num_bad} samples that are infinite, not a number or beyond ±1e10, the first at "
            f"{first_bad / reader.rate:.3f} s: write it again with finite samples."
        )
    if reader.frames is None:
        _check_segment(reader, start, stop, end)


def _check_channel(reader: AudioReader, number: int) -> None:
    if not 1 <= number <= reader.channels:
        count = "1 channel" if reader.channels == 1 else f"{reader.channels} channels"
        raise AudioError(
            f"{reader.name} has {count}, but channel {number} was requested: give a number from 1 to {reader.channels}."
        )


def _one_channel(reader: AudioReader, end: int, block: np.ndarray, channel: int | None) -> np.ndarray:
    """Shape: (S, C) -> (S,)"""
    count = block.shape[1]
    if channel is None:
        return mix(block)
    if channel > count:
        raise _changing_channels(reader, end, block)
    return block[:, channel - 1].copy()


def _changing_channels(reader: AudioReader, end: int, block: np.ndarray) -> AudioError:
    return AudioError(
        f"{reader.name} changes its number of channels from {reader.channels} to {block.shape[1]} before "
        f"{end / reader.rate:.3f} s: convert it to a constant number."
    )


def _check_segment(reader: AudioReader, start: int, stop: int | None, frames: int) -> None:
    """Check that the requested segment lies within the audio."""
    if (start and start >= frames) or (stop is not None and stop > frames + SLACK_S * reader.rate):
        until = "its end" if stop is None else f"{stop / reader.rate:.3f} s"
        raise AudioError(
            f"{reader.name} lasts {frames / reader.rate:.3f} s, but the segment from {start / reader.rate:.3f} s to "
            f"{until} was requested: correct the offset or the duration."
        )


def _resampled(mono_blocks: Iterator[np.ndarray], rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    """Resample audio block by block. Shape of each: (S,)."""
    resampler = Resampler(rate, sample_rate)
    for block in mono_blocks:
        yield resampler.feed(block)
    yield resampler.finish()


def _check_rate(reader: AudioReader) -> None:
    if not MIN_RATE <= reader.rate <= MAX_RATE:
        raise AudioError(
            f"{reader.name} has a sample rate of {reader.rate} Hz, but it must be between {MIN_RATE} and "
            f"{MAX_RATE} Hz: its header is probably damaged."
        )


@contextmanager
def _opened(source: Source, track: int | None = None) -> Iterator[AudioReader]:
    """Check the header, then open the source with the decoder that reads all of it.

    What is wrong with the file although its audio can be read is raised at the end.
    """
    name = name_of(source)
    with seekable(source) as stream:
        if not stream.size:
            raise AudioError(f"{name} is empty (0 bytes): record or copy it again.")
        try:
            skip_id3(stream)
            with open_audio(name, stream, try_libsndfile=libsndfile_reads_all(name, stream), track=track) as reader:
                _check_rate(reader)
                yield reader
        except AudioError:
            if stream.failure is None:
                raise
        if stream.failure is not None:
            reason = getattr(stream.failure, "strerror", None) or stream.failure
            raise AudioError(f"{name} cannot be read ({reason}): copy it again.") from stream.failure
        if stream.defect is not None:
            raise stream.defect
