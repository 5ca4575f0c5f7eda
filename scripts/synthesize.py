#!/usr/bin/env python3
"""Sentences read by free speech synthesizers, as extra training speech.

    python scripts/synthesize.py sentences.txt data/synthetic --utterances 1500

Draws sentences of 5 to 25 words from a text with one a line (plain, .gz or .xz). Each is read by a voice of Flite or
espeak-ng (Debian: `apt install flite espeak-ng`), at a pace and, with espeak-ng, a pitch drawn for it. OUT/audio gets
the FLAC files and OUT/train.jsonl the manifest, whose speakers are the voices. A seed always gives the same.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from asr import audio
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.lm.sentences import lines

RATE = 16_000
FILE = "{file}"
"""Stands for the file in a command."""
WORDS = range(5, 26)
FLITE = ("awb", "rms", "slt", "kal16")
ESPEAK = ("en-us", "en-gb", "en-gb-scotland", "en-us+f2", "en-us+f4", "en-gb+m3", "en-us+m7")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--utterances", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="synthesizers at work at a time")
    given = parser.parse_args()
    if missing := [program for program in ("flite", "espeak-ng") if shutil.which(program) is None]:
        sys.exit(f"Not installed: {', '.join(missing)}. On Debian: apt install {' '.join(missing)}")

    random = np.random.default_rng(given.seed)
    sentences = [line for _, line in lines([given.text]) if len(line.split()) in WORDS]
    if len(sentences) < given.utterances:
        sys.exit(f"{given.text} has {len(sentences):,} sentences of {WORDS[0]} to {WORDS[-1]} words: ask for fewer.")
    chosen = random.choice(len(sentences), given.utterances, replace=False)
    wanted = [(number, sentences[line].strip(), *_voice(random)) for number, line in enumerate(chosen)]
    (given.out / "audio").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(given.threads) as pool:
        found = list(tqdm(pool.map(lambda each: _read(given.out, *each), wanted), total=len(wanted)))
    manifest.write(found, given.out / "train.jsonl")
    hours = sum(utterance.duration for utterance in found) / 3600
    print(f"{given.out / 'train.jsonl'}: {len(found):,} utterances, {hours:.2f} h")


def _voice(random: np.random.Generator) -> tuple[str, list[str]]:
    """The name of a voice, and the command that takes a text and writes WAV to the file named before it."""
    if random.random() < 0.6:
        name, stretch = str(random.choice(FLITE)), random.uniform(0.85, 1.2)
        return f"flite-{name}", ["flite", "-voice", name, "--setf", f"duration_stretch={stretch:.2f}", "-o", FILE, "-t"]
    name, pace, pitch = str(random.choice(ESPEAK)), random.integers(130, 200), random.integers(30, 70)
    return f"espeak-{name}", ["espeak-ng", "-v", name, "-s", f"{pace}", "-p", f"{pitch}", "-w", FILE]


def _read(out: Path, number: int, text: str, voice: str, command: list[str]) -> Utterance:
    target = out / "audio" / f"{number:06}.flac"
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        command = [wav.name if part == FILE else part for part in command]
        subprocess.run([*command, text.lower()], check=True, stdin=subprocess.DEVNULL, timeout=60)
        samples = audio.load(wav.name, RATE)
    soundfile.write(target, samples, RATE)
    return Utterance(target.stem, target.absolute(), len(samples) / RATE, text, speaker=voice, split="train")


if __name__ == "__main__":
    main()
