"""Audio, spectrogram and token probabilities of utterances, for the report page.

Spectrograms need librosa and matplotlib (the extra `report`); the rest works with the plain install.
"""

import functools
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asr.audio.encoders import ogg_opus
from asr.progress import Progress, silent, tracked
from asr.scoring.wer import Score
from asr.text import BLANK, Tokenizer

MAX_AUDIO_S = 60.0
"""Longer utterances have no audio and picture, to limit the size of the page."""
BANDS = 80
WINDOW_MS, HOP_MS = 25, 10
RANGE_DB = 70
"""Dynamic range: levels this far below the maximum are black."""
QUIETEST = 1e-10 * 10 ** (RANGE_DB / 10)
"""Minimum reference power, because librosa clips powers below 1e-10."""
COLOURS = 64
MIN_PROBABILITY = 0.02
"""Smaller probabilities are not drawn."""
PICTURE_PACKAGES = ("librosa", "matplotlib")


@dataclass(frozen=True, slots=True)
class Posteriors:
    """The token probabilities of every frame in percent, without the small ones."""

    frame_shift_s: float
    frames: int
    blank: tuple[int, ...]
    """Probability of the blank. Shape: (T,)"""
    tokens: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    """Text of a token (the space is "␣"), and its pairs (frame, percent) with at least `MIN_PROBABILITY`."""


@dataclass(frozen=True, slots=True)
class Media:
    """Media of one utterance."""

    audio: bytes
    """Ogg Opus."""
    spectrogram: bytes | None
    """PNG with one column per `HOP_MS`; None without the extra `report`."""
    posteriors: Posteriors


@dataclass(frozen=True, slots=True)
class Gallery:
    """All media of a page."""

    count: int
    """The number of utterances requested."""
    media: Mapping[int, Media]
    """By the index of the utterance in the score."""
    ticks: list[tuple[int, float]]
    """Ticks of the frequency axis: frequency in Hz, and its height as a fraction of the picture."""
    no_picture: str | None
    """A sentence on why there are no spectrograms, or None."""


NO_MEDIA = Gallery(0, {}, [], None)


def gallery(
    score: Score,
    count: int,
    *,
    durations_s: Sequence[float],
    read: Callable[[int], np.ndarray],
    log_probs: Callable[[np.ndarray], np.ndarray],
    tokenizer: Tokenizer,
    sample_rate: int,
    frame_shift_s: float,
    progress: Progress = silent,
) -> Gallery:
    """Make the media of the `count` utterances with the most word errors; ties are broken by order.

    `read` returns the waveform of the utterance at an index, `log_probs` the model's output for a waveform. Utterances
    longer than `MAX_AUDIO_S` are skipped.

    Shape:
        durations_s: one per utterance of the score; read: -> (S,); log_probs: (S,) -> (T, V)
    """
    short = [index for index, duration_s in enumerate(durations_s) if duration_s <= MAX_AUDIO_S]
    worst = sorted(short, key=lambda index: -score.utterances[index].words.errors)[:count]
    missing = [name for name in PICTURE_PACKAGES if importlib.util.find_spec(name) is None]
    media = {}
    for index in tracked(worst, "drawing", progress):
        waveform = read(index)
        media[index] = Media(
            ogg_opus(waveform, sample_rate),
            None if missing else spectrogram(waveform, sample_rate),
            posteriors(log_probs(waveform), tokenizer, frame_shift_s),
        )
    if missing:
        reason = f"No spectrogram: it needs {' and '.join(missing)}; install the extra `report`."
        return Gallery(count, media, [], reason)
    return Gallery(count, media, mel_ticks(sample_rate) if media else [], None)


def posteriors(log_probs: np.ndarray, tokenizer: Tokenizer, frame_shift_s: float) -> Posteriors:
    """Round the tokens' probabilities to percent and drop the small ones.

    Shape: log_probs (T, V) or more columns, which are ignored
    """
    probabilities = np.exp(log_probs[:, : tokenizer.size])
    tokens: dict[int, list[tuple[int, int]]] = {}
    for frame, token in np.argwhere(probabilities >= MIN_PROBABILITY).tolist():
        if token != BLANK:
            tokens.setdefault(token, []).append((frame, round(100 * float(probabilities[frame, token]))))
    return Posteriors(
        frame_shift_s,
        len(probabilities),
        tuple(round(100 * float(value)) for value in probabilities[:, BLANK]),
        tuple((tokenizer.decode([token]).strip() or "␣", tuple(pairs)) for token, pairs in sorted(tokens.items())),
    )


def spectrogram(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A PNG of the mel spectrogram in decibels, low frequencies at the bottom, in matplotlib's colour map magma.

    Shape:
        waveform: (S,) with S > 0
    """
    import librosa
    from PIL import Image

    window = round(WINDOW_MS * sample_rate / 1000)
    size = 1 << (window - 1).bit_length()
    power = librosa.feature.melspectrogram(
        y=np.pad(waveform, (0, max(0, size - len(waveform)))),
        sr=sample_rate,
        n_fft=size,
        win_length=window,
        hop_length=round(HOP_MS * sample_rate / 1000),
        n_mels=BANDS,
        pad_mode="constant",
    )
    decibels = librosa.power_to_db(power, ref=max(float(power.max()), QUIETEST), top_db=RANGE_DB)
    levels = np.round((decibels / RANGE_DB + 1) * (COLOURS - 1)).astype(np.uint8)
    picture = Image.fromarray(levels[::-1])
    picture.putpalette(_palette())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def mel_ticks(sample_rate: int) -> list[tuple[int, float]]:
    """Ticks of the spectrogram's axis: frequency in Hz and height as a fraction of the picture. Needs librosa."""
    import librosa

    centres = librosa.mel_frequencies(BANDS + 2, fmax=sample_rate / 2)
    frequencies = [hertz for hertz in (250, 500, 1000, 2000, 4000, 8000) if hertz < 0.9 * sample_rate / 2]
    return [(hertz, float(np.interp(hertz, centres, np.linspace(0, 1, BANDS + 2)))) for hertz in frequencies]


@functools.cache
def _palette() -> bytes:
    from matplotlib import colormaps

    return (colormaps["magma"](np.linspace(0, 1, COLOURS), bytes=True)[:, :3]).astype(np.uint8).tobytes()
