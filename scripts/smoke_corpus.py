#!/usr/bin/env python3
"""Make the corpus of recipes/smoke.yaml: "words" whose letters are tones; a tiny model learns to read them in seconds.

python scripts/smoke_corpus.py data/smoke
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from asr.data.manifest import Utterance, write

RATE = 16_000
TONES_HZ = {"a": 400, "b": 700, "c": 1100, "d": 1700, "e": 2600, "f": 3900}
LETTER_S, SPACE_S = 0.15, 0.12


def sound(text: str, random: np.random.Generator) -> np.ndarray:
    """A tone a letter, silence for a space, a little noise over all. Shape: -> (S,)"""
    parts = []
    for character in text:
        if character == " ":
            parts.append(np.zeros(round(SPACE_S * RATE)))
            continue
        count = round(LETTER_S * RATE * random.uniform(0.9, 1.1))
        time_s = np.arange(count) / RATE
        parts.append(0.3 * np.sin(2 * np.pi * TONES_HZ[character] * time_s) * np.hanning(count))
    samples = np.concatenate(parts)
    return samples + random.normal(0, 0.002, len(samples))


def text(random: np.random.Generator) -> str:
    """One to three words of one to four letters."""
    letters = list(TONES_HZ)
    return " ".join("".join(random.choice(letters, random.integers(1, 5))) for _ in range(random.integers(1, 4)))


def main(out: Path) -> None:
    """Write 120 training and 20 dev utterances, their manifests last."""
    random = np.random.default_rng(0)
    (out / "audio").mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 120), ("dev", 20)):
        utterances = []
        for index in range(count):
            path = (out / "audio" / f"{split}-{index:03}.wav").resolve()
            transcript = text(random)
            samples = sound(transcript, random)
            soundfile.write(path, samples, RATE)
            utterances.append(Utterance(path.stem, path, len(samples) / RATE, transcript, split=split))
        write(utterances, out / f"{split}.jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
