"""Samples -> a small file that every browser plays."""

import io
from fractions import Fraction

import numpy as np

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""The sample rates in Hz that Opus knows (RFC 6716)."""
BITS_PER_S = 24_000
"""Wideband speech, for which Opus' makers recommend 16,000 and more."""
COMPLEXITY = "5"
"""Of 10: an eleventh of libsndfile's time, which has no choice."""


def ogg_opus(waveform: np.ndarray, sample_rate: int) -> bytes:
    """An Ogg Opus file of one channel; samples beyond ±1 are clipped, other rates resampled to the next that Opus has.

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
        for part in (frame, None):
            container.mux(stream.encode(part))
    return file.getvalue()
