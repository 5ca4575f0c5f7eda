"""What a person hears and sees of an utterance: its sound, its spectrogram, and what the model made of each frame.

The spectrogram takes librosa and matplotlib, the extra `report`; the rest needs nothing beyond the plain install.
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

MAX_SOUND_S = 60.0
"""Longer utterances stay without sound and picture: a page that people can open matters more."""
BANDS = 80
WINDOW_MS, HOP_MS = 25, 10
RANGE_DB = 70
"""What is this much below the loudest point is black."""
QUIETEST = 1e-10 * 10 ** (RANGE_DB / 10)
"""So is what is this far below this power, for librosa takes no logarithm of less than 1e-10."""
COLOURS = 64
MIN_PROBABILITY = 0.02
"""Less is not drawn."""
PICTURE_PACKAGES = ("librosa", "matplotlib")


@dataclass(frozen=True, slots=True)
class Posteriors:
    """The probabilities of the tokens in every frame, those worth drawing, in percent."""

    frame_shift_s: float
    frames: int
    blank: tuple[int, ...]
    """Of the blank in each frame. Shape: (T,)"""
    tokens: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    """A token's text (the space is "␣"), and pairs of frame and percent where it has `MIN_PROBABILITY` or more."""


@dataclass(frozen=True, slots=True)
class Media:
    """One utterance's."""

    sound: bytes
    """Ogg Opus."""
    spectrogram: bytes | None
    """PNG, one column each `HOP_MS`; None without the extra `report`."""
    posteriors: Posteriors


@dataclass(frozen=True, slots=True)
class Gallery:
    """The media of a page."""

    count: int
    """How many utterances were asked for."""
    media: Mapping[int, Media]
    """By the utterance's place in the score."""
    ticks: list[tuple[int, float]]
    """Of the spectrograms' axis: frequency in Hz, and how far up it lies as a fraction."""
    no_picture: str | None
    """Why there are no spectrograms, as a sentence; None when there are."""


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
    """The media of the `count` utterances with the most word errors, of equals the first.

    `read` gives the waveform of the utterance at a place, `log_probs` what the model makes of it.
    Utterances longer than `MAX_SOUND_S` are passed over.

    Shape:
        durations_s: one for each utterance of the score; read: -> (S,); log_probs: (S,) -> (T, V)
    """
    short = [place for place, duration_s in enumerate(durations_s) if duration_s <= MAX_SOUND_S]
    chosen = sorted(short, key=lambda place: -score.utterances[place].words.errors)[:count]
    missing = [name for name in PICTURE_PACKAGES if importlib.util.find_spec(name) is None]
    media = {}
    for place in tracked(chosen, "drawing", progress):
        waveform = read(place)
        media[place] = Media(
            ogg_opus(waveform, sample_rate),
            None if missing else spectrogram(waveform, sample_rate),
            posteriors(log_probs(waveform), tokenizer, frame_shift_s),
        )
    if missing:
        why = f"No spectrogram: it needs {' and '.join(missing)}; install the extra `report`."
        return Gallery(count, media, [], why)
    return Gallery(count, media, mel_ticks(sample_rate) if media else [], None)


def posteriors(log_probs: np.ndarray, tokenizer: Tokenizer, frame_shift_s: float) -> Posteriors:
    """Round the probabilities to percent and drop the small ones. Shape: log_probs (T, V)"""
    probabilities = np.exp(log_probs)
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
    """A PNG of the mel spectrogram in decibels, low frequencies at the bottom, in matplotlib's magma.

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
    """Frequencies in Hz for the spectrogram's axis, and how far up they lie, as a fraction; needs librosa."""
    import librosa

    centres = librosa.mel_frequencies(BANDS + 2, fmax=sample_rate / 2)
    wanted = [hertz for hertz in (250, 500, 1000, 2000, 4000, 8000) if hertz < 0.9 * sample_rate / 2]
    return [(hertz, float(np.interp(hertz, centres, np.linspace(0, 1, BANDS + 2)))) for hertz in wanted]


@functools.cache
def _palette() -> bytes:
    from matplotlib import colormaps

    return (colormaps["magma"](np.linspace(0, 1, COLOURS), bytes=True)[:, :3]).astype(np.uint8).tobytes()
