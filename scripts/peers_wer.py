#!/usr/bin/env python3
"""A model against other recognisers on the same utterances: error rates, speed and memory, in one run.

    pip install pocketsphinx faster-whisper
    python scripts/peers_wer.py MODEL MANIFEST... --pocketsphinx --whisper FOLDER --threads 2

For each manifest the word error rates with their 95 % intervals and the paired differences; for each recogniser the
seconds of audio that it reads in a second, and its peak memory, each in a process of its own. pocketsphinx runs with
its own US English model, on one thread whatever `--threads` says; Whisper from a folder of faster-whisper, in int8,
with its defaults (beam 5) or `--whisper-beam 1`. Texts are normalised to the model's alphabet, numbers that Whisper
writes in digits are spelled out.
"""

import argparse
import multiprocessing
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from num2words import num2words  # pyright: ignore[reportMissingImports]

import asr
from asr.data import manifest
from asr.evaluation.recognition import reader, recognise
from asr.scoring.compare import compare
from asr.scoring.summary import report
from asr.scoring.wer import Score, score

Result = tuple[list[list[str]], list[float], float]
"""The texts of each manifest, the seconds for each, and the peak memory in MB."""


def run_ours(model: str, threads: int, manifests: list[Path]) -> Result:
    ours = asr.load(model, threads=threads)
    corpora = [manifest.read(path) for path in manifests]
    recognise(ours.model, corpora[0][:1], ours.decoder)  # compiles the search
    texts, seconds = [], []
    for utterances in corpora:
        started = time.perf_counter()
        found = recognise(ours.model, utterances, ours.decoder, threads=threads)
        seconds.append(time.perf_counter() - started)
        texts.append([transcript.text for transcript in found])
    return texts, seconds, peak_mb()


def run_pocketsphinx(manifests: list[Path]) -> Result:
    import pocketsphinx  # pyright: ignore[reportMissingImports]  # a peer, not a part

    decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")

    def hear(waveform: np.ndarray) -> str:
        decoder.start_utt()
        decoder.process_raw((waveform * 32767).astype("int16").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    return run(hear, manifests)


def run_whisper(folder: Path, beam: int, threads: int, manifests: list[Path]) -> Result:
    import faster_whisper  # pyright: ignore[reportMissingImports]  # a peer, not a part

    model = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)

    def hear(waveform: np.ndarray) -> str:
        segments, _ = model.transcribe(waveform, language="en", beam_size=beam)
        return with_words_for_digits(" ".join(segment.text for segment in segments))

    return run(hear, manifests)


def run(hear: Callable[[np.ndarray], str], manifests: list[Path]) -> Result:
    """Read the utterances one after the other."""
    read = reader(16_000)
    texts, seconds = [], []
    for path in manifests:
        started = time.perf_counter()
        texts.append([hear(read(utterance)) for utterance in manifest.read(path)])
        seconds.append(time.perf_counter() - started)
    return texts, seconds, peak_mb()


def with_words_for_digits(text: str) -> str:
    """Spell out numbers, for the references have none: years as pairs, dollars and per cent after their number."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\$(\d+(?:\.\d+)?)", r"\1 dollars", text).replace("%", " percent ")
    text = re.sub(r"\b(1[1-9]\d\d)\b", lambda found: num2words(int(found[1]), to="year"), text)
    text = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", lambda found: num2words(int(found[1]), to="ordinal"), text)
    return re.sub(r"\d+(?:\.\d+)?", lambda found: f" {num2words(found[0])} ", text).replace("-", " ")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pocketsphinx", action="store_true")
    parser.add_argument("--whisper", type=Path, metavar="FOLDER")
    parser.add_argument("--whisper-beam", type=int, default=5)
    given = parser.parse_args()
    systems: dict[str, tuple[Callable[..., Result], tuple[object, ...]]] = {
        "ours": (run_ours, (given.model, given.threads, given.manifests))
    }
    if given.pocketsphinx:
        systems["pocketsphinx"] = run_pocketsphinx, (given.manifests,)
    if given.whisper:
        systems["whisper"] = run_whisper, (given.whisper, given.whisper_beam, given.threads, given.manifests)
    results: dict[str, Result] = {}
    for name, (function, arguments) in systems.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results[name] = pool.apply(function, arguments)

    normalise = asr.load(given.model).model.description.tokenizer.normalise
    for number, path in enumerate(given.manifests):
        utterances = manifest.read(path)
        duration_s = sum(utterance.duration for utterance in utterances)
        print(f"{path}: {len(utterances)} utterances, {duration_s:,.0f} s")
        scores: dict[str, Score] = {}
        for name, (texts, seconds, _) in results.items():
            found = scores[name] = score(
                [normalise(utterance.text) for utterance in utterances],
                [normalise(text) for text in texts[number]],
                ids=[utterance.id for utterance in utterances],
                speakers=[utterance.speaker for utterance in utterances],
            )
            words = report(found)["words"]
            low, high = 100 * words["interval"]["low"], 100 * words["interval"]["high"]
            line = (
                f"  {name:12}  {100 * words['rate']:6.2f} % ({words['errors']:,} of {words['reference']:,} words; "
                f"{low:.2f} - {high:.2f} %), {duration_s / seconds[number]:,.1f} s in a second"
            )
            difference = compare(found, scores["ours"]).difference if name != "ours" else None
            if difference is not None and difference.interval is not None:
                low, high = 100 * difference.interval.low, 100 * difference.interval.high
                line += f"; ours {100 * difference.rate:+.2f} points ({low:+.2f} to {high:+.2f})"
            print(line)
    print("peak memory: " + ", ".join(f"{name} {peak:,.0f} MB" for name, (_, _, peak) in results.items()))


if __name__ == "__main__":
    main()
