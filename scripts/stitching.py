#!/usr/bin/env python3
"""What windows do to the text of a long recording.

    python scripts/stitching.py MODEL MANIFEST... [--hours 1]

Utterances are joined to one recording, which `asr transcribe` then hears in windows. The text is compared with that of
the same utterances heard alone, and, for the first ten minutes, with that of the recording heard at once. Words that
differ from the latter are listed with their distance from the nearest seam between two windows.
"""

import argparse
from pathlib import Path

import numpy as np

import asr
from asr.data import manifest
from asr.evaluation.recognition import reader
from asr.scoring.alignment import align
from asr.scoring.wer import score
from asr.transcription.transcriber import Transcriber
from asr.transcription.windows import DEFAULT, Windowing

WHOLE_S = 600.0
PAUSE_S = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    given = parser.parse_args()
    transcriber = asr.load(given.model, plain=True)
    description = transcriber.model.description
    rate, normalise = description.sample_rate, description.tokenizer.normalise
    read, parts, texts, alone, total = reader(rate), [], [], [], 0.0
    for utterance in (u for path in given.manifests for u in manifest.read(path)):
        waveform = read(utterance)
        parts += [waveform, np.zeros(round(PAUSE_S * rate), np.float32)]
        texts.append(normalise(utterance.text))
        alone.append(transcriber.transcribe(waveform).text)
        total += len(waveform) / rate + PAUSE_S
        if total >= 3600 * given.hours:
            break
    joined = np.concatenate(parts)
    reference = " ".join(texts)
    in_windows = transcriber.transcribe(joined)
    for name, hypothesis in (("utterances alone", " ".join(alone)), ("joined", in_windows.text)):
        counts = score([reference], [hypothesis]).words
        print(f"{name:17} {100 * (counts.rate or 0):6.2f} % WER, {counts.errors:,} of {counts.reference:,} words")

    begin = joined[: round(WHOLE_S * rate)]
    heard = transcriber.transcribe(begin)
    at_once = Windowing(centre_s=2 * WHOLE_S)
    whole = Transcriber(transcriber.model, transcriber.decoder, windowing=at_once).transcribe(begin)
    pairs = align([word.text for word in whole.words], [word.text for word in heard.words])
    places = iter(whole.words)
    place_s, differing = 0.0, []
    for pair in pairs:
        if pair.reference is not None:
            place_s = next(places).start_s
        if pair.kind != "hit":
            off = min(place_s % DEFAULT.centre_s, -place_s % DEFAULT.centre_s)
            differing.append(
                f"  {pair.reference or '(nothing)'} -> {pair.hypothesis or '(nothing)'}, {off:.1f} s from a seam"
            )
    print(f"At once and in windows, {len(begin) / rate:.0f} s: {len(differing)} of {len(whole.words):,} words differ")
    print("\n".join(differing))


main()
