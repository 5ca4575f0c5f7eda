"""Files for the tests of corpora."""

import io
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def tone(duration_s: float) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * RATE)) / RATE)


def audio_bytes(duration_s: float, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(duration_s), RATE, format=kind, subtype="PCM_16")
    return buffer.getvalue()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
