"""Convert samples in memory to mono float32 samples at a given rate."""

import numpy as np

from asr.audio.mixing import mix
from asr.errors import AudioError

MAX_FLOAT = 2.0
"""Largest float that is taken for a sample: resampling and mixing go beyond 1, but not far."""

FEW_BITS = 2**15
"""Integers of 32 or 64 bits that all stay below this were not scaled to their type."""


def as_array(samples: object) -> np.ndarray | None:
    """Convert what holds numbers (an array, a list or tuple, a buffer of numbers) to an array; None for all else.

    Raises:
        AudioError: a list with anything but numbers.
    """
    if isinstance(samples, np.ndarray):
        return samples
    if isinstance(samples, list | tuple):
        try:
            array = np.asarray(samples)
        except ValueError:
            array = np.zeros(0, object)
        if array.dtype.kind in "fiu" or not len(samples):
            return array.astype(np.int64) if array.dtype.kind == "u" else array
        raise AudioError("A list of samples must contain numbers only, all channels with as many: give such a list.")
    if isinstance(samples, bytes | bytearray | str):
        return None
    try:
        view = memoryview(samples)  # type: ignore[arg-type]
    except TypeError:
        return None
    return None if view.format in ("B", "b", "c") else np.asarray(view)


def _scale(samples: np.ndarray) -> float:
    """The factor that scales samples to -1..1.

    Raises:
        AudioError: their values do not fit their type.
    """
    largest = float(np.abs(samples.astype(np.float64)).max())
    if samples.dtype.kind == "f":
        if not np.isfinite(largest):
            raise AudioError("Some of the samples are infinite or not a number: give finite ones.")
        if largest > MAX_FLOAT:
            raise AudioError(
                f"Float samples must be within -1..1, but reach {largest:g}: divide them by the full scale, such as "
                "32768 for what was read as 16-bit integers."
            )
        return 1.0
    if samples.dtype.itemsize > 2 and 0 < largest < FEW_BITS:
        raise AudioError(
            f"Samples of type {samples.dtype} reach {largest:.0f} only, of {np.iinfo(samples.dtype).max}, so they are "
            "probably 16-bit ones: convert them by `.astype('int16')`."
        )
    return 1.0 / -float(np.iinfo(samples.dtype).min)


class Resampler:
    """Resamples one channel that comes in pieces; the result does not depend on how it is divided."""

    def __init__(self, rate: int, sample_rate: int) -> None:
        """Resample from `rate` to `sample_rate`, in Hz."""
        import soxr

        self._stream = None
        if rate != sample_rate:
            self._stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Resample the next samples. Shape: (S,) -> (S',)"""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def finish(self) -> np.ndarray:
        """Return the last samples. Shape: -> (S',)"""
        empty = np.zeros(0, np.float32)
        return empty if self._stream is None else self._stream.resample_chunk(empty, last=True)


def mono(samples: np.ndarray, rate: int, sample_rate: int, *, channel: int | None = None) -> np.ndarray:
    """Average or select channels and resample.

    Shape: (S,) or (S, channels), floats or integers -> (S',) float32

    Args:
        samples: floats in -1..1, with some tolerance; integers are scaled by their type to [-1, 1).
        rate: sample rate of `samples` in Hz.
        sample_rate: target sample rate in Hz.
        channel: number of the channel to select, from 1; None averages all channels.

    Raises:
        AudioError: there are no samples, some are not finite or do not fit their type, or there is no such channel or
            rate.
    """
    if samples.ndim not in (1, 2) or not samples.size:
        raise AudioError(
            f"Samples of shape {samples.shape} are not audio: give an array (samples,) or (samples, channels)."
        )
    if samples.ndim == 2 and len(samples) < samples.shape[1]:
        raise AudioError(
            f"Samples of shape {samples.shape} would have {samples.shape[1]:,} channels: give an array of (samples, "
            "channels), such as `samples.T`."
        )
    if samples.dtype.kind not in "fi":
        raise AudioError(f"Samples of type {samples.dtype} are not audio: give floats in -1..1, or signed integers.")
    if rate <= 0:
        raise AudioError(f"The sample rate is {rate} Hz, but it must be more than 0.")
    columns = samples.reshape(len(samples), -1)
    if channel is not None and not 1 <= channel <= columns.shape[1]:
        raise AudioError(f"The samples have {columns.shape[1]} channels, but channel {channel} was requested.")
    selected = columns if channel is None else columns[:, channel - 1 : channel]
    waveform = mix(selected.astype(np.float64) * _scale(samples)).astype(np.float32)
    if rate == sample_rate:
        return waveform
    import soxr

    return soxr.resample(waveform, rate, sample_rate, quality="HQ")
