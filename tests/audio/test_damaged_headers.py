"""Wrong headers."""

import itertools
import tracemalloc

import numpy as np
import pytest
from signals import RATE, WHOLE, av_encoded, encoded, speechlike, sphere

from asr.audio import load
from asr.errors import AudioError


def test_memory_does_not_depend_on_the_header() -> None:
    """A FLAC whose header states 2**35 samples, 128 GB, but which contains two seconds."""
    data = bytearray(encoded(WHOLE, "FLAC"))
    data[21] |= 0x08
    tracemalloc.start()
    with pytest.raises(AudioError, match=r"is (damaged or )?truncated"):
        load(bytes(data), RATE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST", "ipod", "webm"])
def test_any_damage_gives_audio_or_an_audio_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(sum(kind.encode()))
    if kind in ("ipod", "webm"):
        whole = av_encoded(speechlike(0.5, 48_000), kind, "aac" if kind == "ipod" else "libopus", 48_000)
    else:
        whole = sphere(speechlike(0.5)) if kind == "NIST" else encoded(speechlike(0.5), kind)
    for where in itertools.repeat(min(200, len(whole)), 20):
        data = bytearray(whole)
        for at in random.integers(where, size=3):
            data[at] = random.integers(256)
        try:
            waveform = load(bytes(data), RATE)
        except AudioError:
            continue
        assert waveform.dtype == np.float32
        assert len(waveform) > 0
        assert np.isfinite(waveform).all()
    capfd.readouterr()  # libmpg123 comments on damage within frames
