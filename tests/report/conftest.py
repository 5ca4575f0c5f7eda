"""Reports of an invented recogniser, with times, confidences and tones as audio; and a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from asr.data.manifest import Utterance
from asr.evaluation.corpora import Corpus
from asr.evaluation.readable import score_readable
from asr.report import recognised
from asr.report.media import Gallery, gallery
from asr.scoring.wer import Score, score
from asr.text import ENGLISH, CharTokenizer
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

TOKENIZER = CharTokenizer(ENGLISH)
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "a",
    "in",
    "that",
    "it",
    "was",
    "his",
    "he",
    "with",
    "as",
    "for",
    "had",
    "you",
    "not",
    "be",
    "her",
    "is",
    "at",
    "on",
    "by",
    "which",
    "have",
    "or",
    "from",
]
RATE = 16_000
SHIFT_S = 0.04


class Made(NamedTuple):
    """An invented evaluation."""

    document: dict[str, Any]
    score: Score
    gallery: Gallery


def make(count: int, *, media: int, seed: int = 0, words: int = 20, speakers: int = 8) -> Made:
    """`count` utterances of about `words` words, a tenth of them wrong; unsure words are wrong more often."""
    random = np.random.default_rng(seed)
    utterances, transcripts = [], []
    for number in range(count):
        reference = [WORDS[place] for place in random.integers(len(WORDS), size=int(random.integers(1, 2 * words)))]
        duration_s = 0.4 * len(reference)
        speaker = f"s{number % speakers}"
        text = " ".join(reference).upper()
        name, path, gender = f"{speaker}-{number:04}", Path(f"{number}.wav"), ("female", "male")[number % speakers % 2]
        utterances.append(Utterance(name, path, duration_s, text, speaker=speaker, gender=gender))
        hypothesis = []
        for place, word in enumerate(reference):
            match random.choice(["hit", "substitution", "deletion", "insertion"], p=[0.9, 0.06, 0.03, 0.01]):
                case "hit":
                    texts = [(word, random.uniform(0.7, 1))]
                case "substitution":
                    texts = [(word + "s", random.uniform(0.2, 0.9))]
                case "deletion":
                    texts = []
                case _:
                    texts = [(word, random.uniform(0.7, 1)), ("uh", random.uniform(0.1, 0.6))]
            for part, (spoken, confidence) in enumerate(texts):
                start_s = 0.4 * place + 0.2 * part
                hypothesis.append(Word(spoken, start_s, start_s + 0.15, float(confidence)))
        transcripts.append(Transcript(tuple(hypothesis), duration_s))
    half = count // 2
    corpora = [
        Corpus("made/clean", Path("made/clean.jsonl"), tuple(utterances[:half])),
        Corpus("made/other", Path("made/other.jsonl"), tuple(utterances[half:])),
    ]
    scored = score(
        [TOKENIZER.normalise(utterance.text) for utterance in utterances],
        [transcript.text for transcript in transcripts],
        ids=[utterance.id for utterance in utterances],
        speakers=[utterance.speaker for utterance in utterances],
    )
    built = recognised.build(
        corpora,
        transcripts,
        scored,
        alphabet=ENGLISH,
        model={"name": "made-up", "given": "made-up.onnx", "parameters": 1234, "about": "A test.", "licence": "none"},
        decoding="greedy",
        elapsed_s=1.5,
        cores=2,
        readable=score_readable(
            [f"{utterance.text.capitalize()}." for utterance in utterances],
            [f"{transcript.text.capitalize()}." for transcript in transcripts],
        ),
        origin={"made_with": "asr 0", "created": "2020-02-02T02:02:02+00:00", "command": "asr evaluate made-up made"},
    )
    durations_s = [utterance.duration for utterance in utterances]
    return Made(built, scored, make_gallery(scored, durations_s, media))


def make_gallery(scored: Score, durations_s: list[float], count: int) -> Gallery:
    """Audio and frames: a rising tone, and probabilities that alternate between the blank and a letter."""

    def read(place: int) -> np.ndarray:
        times_s = np.arange(round(durations_s[place] * RATE)) / RATE
        return (0.3 * np.sin(2 * np.pi * (200 + 300 * times_s) * times_s)).astype(np.float32)

    def log_probs(waveform: np.ndarray) -> np.ndarray:
        frames = round(len(waveform) / RATE / SHIFT_S)
        rows = np.full((frames, TOKENIZER.size), 1e-4)
        rows[:, 0] = 1
        rows[::2, 0] = 0.2
        rows[::2, 2 + frames % 20] = 0.8
        return np.log(rows / rows.sum(axis=1, keepdims=True))

    return gallery(
        scored,
        count,
        durations_s=durations_s,
        read=read,
        log_probs=log_probs,
        tokenizer=TOKENIZER,
        sample_rate=RATE,
        frame_shift_s=SHIFT_S,
    )


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Made]:
    """`make`, for tests that need other parameters."""
    return make


@pytest.fixture(scope="session")
def made() -> Made:
    """60 utterances; the 10 with the most errors have audio."""
    return make(60, media=10)
