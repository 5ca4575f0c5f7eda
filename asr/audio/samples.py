"""Convert samples in memory to mono float32 samples at a given rate."""

import numpy as np

from asr.errors import AudioError


def mono(samples: np.ndarray, rate: int, sample_rate: int, *, channel: int | None = None) -> np.ndarray:
    """Average or select channels and resample.

    Shape: (S,) or (S, channels), floats or integers -> (S',) float32

    Args:
        samples: floats are used as they are, integers are scaled to [-1, 1).
        rate: sample rate of `samples` in Hz.
        sample_rate: target sample rate in Hz.
        channel: number of the channel to select, from 1; None averages all channels.

    Raises:
        AudioError: there are no samples, some are not finite, or there is no such channel or rate.
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
    scale = 1.0 if samples.dtype.kind == "f" else 1.0 / -float(np.iinfo(samples.dtype).min)
    waveform = (selected.astype(np.float64).mean(axis=1) * scale).astype(np.float32)
    if not np.isfinite(waveform).all():
        raise AudioError("Some of the samples are infinite or not a number: give finite ones.")
    if rate == sample_rate:
        return waveform
    import soxr

    return soxr.resample(waveform, rate, sample_rate, quality="HQ")
