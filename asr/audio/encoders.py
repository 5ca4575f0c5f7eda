"""Encode samples as files: Opus, small, for browsers; FLAC, lossless, to be read again."""

import io
from fractions import Fraction

import numpy as np

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Sample rates in Hz that Opus supports (RFC 6716)."""
BITS_PER_S = 24_000
"""Bit rate for wideband speech, for which the Opus authors recommend at least 16,000."""
COMPLEXITY = "5"
"""Out of 10: takes an eleventh of the time of libsndfile, whose complexity cannot be set."""


def ogg_opus(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Encode one channel as Ogg Opus. Clips samples beyond ±1 and resamples other rates to the next one of Opus.

    Shape:
        waveform: (S,) float32 with S > 0
    """
    import av

    rate = next((rate for rate in OPUS_RATES if rate >= sample_rate), OPUS_RATES[-1])
    if rate != sample_rate:
        import soxr

        waveform = soxr.resample(waveform, sample_rate, rate, quality="HQ")
    frame = av.AudioFrame.from_ndarray(np.clip(waveform, -1, 1)[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=rate, layout="mono", options={"compression_level": COMPLEXITY})
        stream.bit_rate = BITS_PER_S
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))  # flush
    return file.getvalue()


def flac(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Encode one channel as FLAC of 16 bits. Clips samples beyond ±1.

    Shape:
        waveform: (S,) float32 with S > 0
    """
    import soundfile

    samples = np.round(np.clip(waveform, -1, 32767 / 32768) * 32768).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
