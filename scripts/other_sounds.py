#!/usr/bin/env python3
"""What a model makes of sounds that it was not trained for.

    python scripts/other_sounds.py MODEL MANIFEST...

Two tables. The first: half a minute each of silence, noise, hum, music made of struck strings, and of German, Spanish,
French and Mandarin read by espeak-ng (if it is installed), with the words that the model writes in a minute and their
mean confidence. The second: the WER on the manifests as they are, through a telephone (8 kHz, 300 to 3,400 Hz, mu-law),
as MP3 at 16 kbit/s, in a room, and with noise, each beside the mean confidence of the words.
"""

import argparse
import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import soxr

import asr
from asr import audio
from asr.data import manifest
from asr.evaluation.recognition import reader, recognise, score_transcripts
from asr.recipe.augmentation import ReverberationConfig
from asr.training.data.noise_and_rooms import coloured_noise, reverberate
from asr.transcription.transcriber import Transcriber

RATE = 16_000
SECONDS = 30
FOREIGN = {
    "de": "Heute ist das Wetter sehr schön, und wir gehen am Nachmittag mit den Kindern in den Park. "
    "Danach trinken wir Kaffee und sprechen über die Reise nach Italien.",
    "es": "Hoy hace muy buen tiempo y por la tarde vamos al parque con los niños. "
    "Después tomamos un café y hablamos del viaje a Italia.",
    "fr": "Aujourd'hui il fait très beau et nous allons au parc avec les enfants. "
    "Ensuite nous buvons un café et nous parlons du voyage en Italie.",
    "cmn": "今天天气很好，下午我们和孩子们一起去公园。然后我们喝咖啡，谈谈去意大利的旅行。",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    given = parser.parse_args()
    transcriber = asr.load(given.model, plain=True)
    print("sound                   words a minute  mean confidence  begins with")
    for name, samples in sounds():
        words = transcriber.transcribe(samples, RATE).words
        confidence = f"{np.mean([word.confidence for word in words]):.2f}" if words else "-"
        rate = len(words) / (len(samples) / RATE / 60)
        print(f"{name:22}  {rate:14.0f}  {confidence:>15}  {' '.join(word.text for word in words[:6])}")
    utterances = [utterance for path in given.manifests for utterance in manifest.read(path)]
    print(f"\n{len(utterances)} utterances              WER  mean confidence")
    for name, change in CHANGES.items():
        print(f"{name:22}  {in_figures(transcriber, utterances, change)}")


def in_figures(
    transcriber: Transcriber, utterances: list[manifest.Utterance], change: Callable[[np.ndarray], np.ndarray]
) -> str:
    """The error rate of changed utterances and the mean confidence of the words."""
    read = reader(RATE)
    transcripts = recognise(
        transcriber.model, utterances, transcriber.decoder, read=lambda u: change(read(u)), threads=transcriber.threads
    )
    rate = score_transcripts(transcriber.model.description, utterances, transcripts).words.rate or 0
    confidences = [word.confidence for transcript in transcripts for word in transcript.words]
    return f"{100 * rate:8.2f} %  {np.mean(confidences):15.2f}"


def sounds() -> Iterator[tuple[str, np.ndarray]]:
    """Names and samples."""
    size, random = SECONDS * RATE, np.random.default_rng(0)
    time_s = np.arange(size) / RATE
    yield "digital silence", np.zeros(size, np.float32)
    for name, slope in (("white", 0.0), ("pink", 1.0), ("brown", 2.0)):
        noise = coloured_noise(size, slope, random).numpy()
        for level_db in (-60, -30):
            yield f"{name} noise, {level_db} dB", noise / np.sqrt(np.mean(noise**2)) * 10 ** (level_db / 20)
    hum = sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 8))
    yield "mains hum, -30 dB", (hum / np.sqrt(np.mean(hum**2)) * 10**-1.5).astype(np.float32)
    yield "music", music(random)
    if shutil.which("espeak-ng"):
        for language, text in FOREIGN.items():
            spoken = subprocess.run(
                ["espeak-ng", "-v", language, "--stdout", text], check=True, stdout=subprocess.PIPE
            ).stdout
            yield f"espeak-ng, {language}", audio.load(io.BytesIO(spoken), RATE)


def music(random: np.random.Generator) -> np.ndarray:
    """Chords and a melody of struck strings: decaying harmonics. Shape: -> (S,)"""
    out = np.zeros(SECONDS * RATE)
    for start_s in np.arange(0, SECONDS - 1, 0.25):
        chord = int(start_s // 2) % 4
        notes = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)][chord] if start_s % 1 == 0 else ()
        for note in (*notes, 12 + int(random.choice([0, 2, 4, 5, 7, 9, 11, 12]))):
            time_s = np.arange(RATE) / RATE
            tone = sum(
                np.exp(-time_s * (2 + k)) * np.sin(2 * np.pi * 220 * 2 ** (note / 12) * k * time_s) / k
                for k in range(1, 7)
            )
            first = round(start_s * RATE)
            out[first : first + RATE] += tone
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def telephone(samples: np.ndarray) -> np.ndarray:
    """8 kHz, 300 to 3,400 Hz, mu-law, and back. Shape: (S,) -> (S,)"""
    spectrum = np.fft.rfft(soxr.resample(samples, RATE, 8000))
    hertz = np.linspace(0, 4000, len(spectrum))
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum), -1, 1)
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    decoded = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return soxr.resample(decoded.astype(np.float32), 8000, RATE)


def mp3(samples: np.ndarray) -> np.ndarray:
    """MP3 at 16 kbit/s and back. Shape: (S,) -> (S',)"""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", bit_rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.clip(samples, -1, 1)[None].astype(np.float32), "fltp", "mono")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return audio.load(io.BytesIO(file.getvalue()), RATE)


def room(samples: np.ndarray) -> np.ndarray:
    """A simulated room. Shape: (S,) -> (S,)"""
    import torch

    random = np.random.default_rng(len(samples))
    return reverberate(torch.from_numpy(samples), ReverberationConfig(share=1), RATE, random).numpy()


def noisy(snr_db: float) -> Callable[[np.ndarray], np.ndarray]:
    """Pink noise at a ratio in decibels."""

    def change(samples: np.ndarray) -> np.ndarray:
        noise = coloured_noise(len(samples), 1.0, np.random.default_rng(len(samples))).numpy()
        scale = np.sqrt(np.mean(samples**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
        return (samples + scale * noise).astype(np.float32)

    return change


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda samples: samples,
    "telephone": telephone,
    "MP3, 16 kbit/s": mp3,
    "a room": room,
    "pink noise, 20 dB": noisy(20),
    "pink noise, 10 dB": noisy(10),
}
"""What is done to speech."""


if __name__ == "__main__":
    main()
