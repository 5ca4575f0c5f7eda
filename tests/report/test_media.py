"""Audio, spectrogram and frames of the utterances with the most errors."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from asr import audio
from asr.report import media
from asr.scoring.wer import score
from asr.text import BLANK, CharTokenizer

TOKENIZER = CharTokenizer(" ab")
RATE = 16_000


def gallery(durations_s: list[float], errors: list[int], count: int) -> media.Gallery:
    references = ["a " * 9] * len(errors)
    hypotheses = ["b " * wrong + "a " * (9 - wrong) for wrong in errors]
    return media.gallery(
        score(references, hypotheses),
        count,
        durations_s=durations_s,
        read=lambda place: np.full(round(durations_s[place] * RATE), place / 10, np.float32),
        log_probs=lambda waveform: np.log(np.full((len(waveform) // 640, 4), 0.25)),
        tokenizer=TOKENIZER,
        sample_rate=RATE,
        frame_shift_s=0.04,
    )


def test_the_most_errors_come_first_and_ties_keep_their_order() -> None:
    assert list(gallery([0.1] * 5, [1, 3, 0, 3, 2], 3).media) == [1, 3, 4]
    assert list(gallery([0.1] * 2, [0, 0], 9).media) == [0, 1]


def test_a_long_utterance_is_skipped() -> None:
    assert list(gallery([61.0, 0.1, 0.1], [5, 1, 0], 2).media) == [1, 2]


def test_no_media_requested() -> None:
    assert gallery([0.1], [1], 0).media == {}


def test_the_audio_is_that_of_the_utterance() -> None:
    made = gallery([0.5, 0.7], [0, 1], 1).media[1]
    assert len(audio.load(made.audio, RATE)) == round(0.7 * RATE)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "PICTURE_PACKAGES", ("librosa", "no_such_package"))
    made = gallery([0.5], [1], 1)
    assert made.no_picture == "No spectrogram: it needs no_such_package; install the extra `report`."
    assert made.media[0].spectrogram is None
    assert made.ticks == []


def picture(waveform: np.ndarray) -> np.ndarray:
    """Brightness, the highest frequency at the top. Shape: -> (bands, columns)"""
    with Image.open(io.BytesIO(media.spectrogram(waveform.astype(np.float32), RATE))) as image:
        return np.asarray(image.convert("L"), dtype=float)


@pytest.mark.parametrize("hertz", [500, 1000, 4000])
def test_a_tone_is_a_line_at_its_frequency(hertz: int) -> None:
    shown = picture(0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE))
    assert shown.shape == (media.BANDS, 101)
    brightest = 1 - (shown[:, 50].argmax() + 0.5) / media.BANDS
    assert brightest == pytest.approx(dict(media.mel_ticks(RATE))[hertz], abs=1.5 / media.BANDS)


@pytest.mark.parametrize("waveform", [np.zeros(RATE), np.zeros(1), np.full(7, 1e-6)], ids=["silence", "one", "seven"])
def test_silence_and_very_short_audio_have_a_dark_picture(waveform: np.ndarray) -> None:
    shown = picture(waveform)
    assert shown.shape == (media.BANDS, 101 if len(waveform) > 7 else 4)
    assert shown.max() == 0


def test_posteriors_are_in_percent() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([0.2] * TOKENIZER.size, size=30)
    made = media.posteriors(np.log(probabilities), TOKENIZER, 0.04)
    assert (made.frames, made.frame_shift_s) == (30, 0.04)
    assert made.blank == tuple(round(100 * value) for value in probabilities[:, BLANK])
    assert [text for text, _ in made.tokens] == ["␣", "a", "b"]
    for number, text in enumerate("␣ab", start=1):
        expected = {f: round(100 * p) for f, p in enumerate(probabilities[:, number]) if p >= media.MIN_PROBABILITY}
        assert dict(dict(made.tokens)[text]) == expected


def test_real_speech_has_a_picture() -> None:
    waveform = audio.load(Path(__file__).resolve().parents[2] / "examples" / "enter.wav", RATE)
    shown = picture(waveform)
    assert shown.std() > 20


def test_posteriors_are_those_of_the_tokens_only() -> None:
    log_probs = np.log(np.random.default_rng(0).dirichlet([1.0] * TOKENIZER.size, size=9))
    with_phones = np.concatenate([log_probs, np.zeros((9, 5))], axis=1)
    assert media.posteriors(with_phones, TOKENIZER, 0.04) == media.posteriors(log_probs, TOKENIZER, 0.04)
