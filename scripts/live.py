#!/usr/bin/env python3
"""What live recognition costs in accuracy, delay and computing, next to files.

    python scripts/live.py wer MODEL MANIFEST...
    python scripts/live.py delay MODEL MANIFEST... [--minutes 10] [--silence-minutes 0] [--speed 1]

`wer` transcribes each utterance as a file and live, and compares the word error rates. It also cuts each utterance
right after its last word, and counts the last words that live recognition loses, or hears otherwise than in the file.

`delay` joins utterances, with pauses of 0.3 s, and plays them to `asr listen - --json`, at `--speed` times real time.
The delay of a word is the time from its end, as aligned with the transcript in the file, until the line with the final
word arrives. `--silence-minutes` of noise at -70 dB are in the middle. Only words that are recognised right count.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

import asr
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.evaluation.recognition import reader
from asr.scoring.alignment import align
from asr.scoring.compare import compare
from asr.scoring.wer import score
from asr.transcription.aligner import align_text

PIECE_S = 0.1
PAUSE_S = 0.3
SECTION_S = 300.0
"""Delays are also reported per section of this length, to see whether they grow."""


def live_text(transcriber: asr.Transcriber, waveform: np.ndarray) -> str:
    stream = transcriber.stream()
    updates = [*stream.feed(waveform), *stream.finish()]
    return " ".join(word.text for update in updates for word in update.words)


def wer(transcriber: asr.Transcriber, paths: list[Path]) -> None:
    description = transcriber.model.description
    read = reader(description.sample_rate)
    pooled: list[tuple[Utterance, str, str]] = []
    cut = lost = other = 0
    for path in paths:
        results = []
        for utterance in manifest.read(path):
            waveform = read(utterance)
            whole = transcriber.transcribe(waveform)
            results.append((utterance, whole.text, live_text(transcriber, waveform)))
            if whole.words:
                end = round((whole.words[-1].end_s + 0.05) * description.sample_rate)
                short = transcriber.transcribe(waveform[:end]).text.split()
                cut += 1
                live = live_text(transcriber, waveform[:end]).split()
                differs = bool(short) and live[-1:] != short[-1:]
                is_lost = differs and live[-1:] == short[-2:-1]
                lost += is_lost
                other += differs and not is_lost
        report(str(path), results, description.tokenizer.normalise)
        pooled += results
    report("all", pooled, description.tokenizer.normalise)
    print(f"Cut after the last word: {cut} utterances; the last word is lost in {lost}, and another one in {other}.")


def report(name: str, results: list, normalise) -> None:
    utterances = [utterance for utterance, *_ in results]
    systems = [
        score(
            [normalise(utterance.text) for utterance in utterances],
            [result[place] for result in results],
            ids=[f"{number} {utterance.id}" for number, utterance in enumerate(utterances)],
            speakers=[utterance.speaker for utterance in utterances],
        )
        for place in (1, 2)
    ]
    found = compare(*systems, names=("file", "live"))
    assert found.difference is not None
    interval = found.difference.interval
    shown = "" if interval is None else f" ({100 * interval.low:+.2f} to {100 * interval.high:+.2f})"
    a, b = (100 * (system.words.rate or 0) for system in systems)
    print(f"{name}: {len(utterances)} utterances, WER {a:.2f} % as files, {b:.2f} % live: ", end="")
    print(f"{100 * found.difference.rate:+.2f}{shown}", flush=True)


def delay(model: str, transcriber: asr.Transcriber, given: argparse.Namespace) -> None:
    description = transcriber.model.description
    rate = description.sample_rate
    read = reader(rate)
    random = np.random.default_rng(0)
    parts, spoken, begin_s = [], [], 0.0
    utterances = [u for path in given.manifests for u in manifest.read(path)]
    silence_s = 60 * given.silence_minutes
    number = 0
    while begin_s < 60 * given.minutes:
        if silence_s and begin_s > 30 * given.minutes:
            parts.append((random.normal(size=round(silence_s * rate)) * 10 ** (-70 / 20)).astype(np.float32))
            begin_s += silence_s
            silence_s = 0.0
        utterance = utterances[number % len(utterances)]
        number += 1
        waveform = read(utterance)
        text = description.tokenizer.normalise(utterance.text)
        aligned = align_text(transcriber.model, waveform, [text]).words
        spoken += [(word.text, begin_s + word.end_s) for word in aligned]
        parts += [waveform, (random.normal(size=round(PAUSE_S * rate)) * 10 ** (-70 / 20)).astype(np.float32)]
        begin_s += len(parts[-2]) / rate + len(parts[-1]) / rate
    audio = (np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2")

    command = [sys.executable, "-m", "asr", "listen", "-", "--json", "-m", model]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[tuple[float, dict]] = []
    stdout = process.stdout
    thread = threading.Thread(target=lambda: lines.extend((time.monotonic(), json.loads(line)) for line in stdout))
    thread.start()
    process.stdin.write(b"\0\0" * rate)  # a second of silence, which waits until the model is loaded
    process.stdin.flush()
    while _memory_mib(process.pid) < 150 or _cpu_s(process.pid) != _cpu_s(process.pid, 0.5):
        time.sleep(0.2)
    started, cpu_s, memory = time.monotonic(), _cpu_s(process.pid), []
    piece = round(PIECE_S * rate)
    for first in range(0, len(audio), piece):
        ahead_s = (first + piece) / rate / given.speed - (time.monotonic() - started)
        if ahead_s > 0:
            time.sleep(ahead_s)
        process.stdin.write(audio[first : first + piece].tobytes())
        process.stdin.flush()
        if first // piece % round(SECTION_S / PIECE_S) == 0:
            memory.append(_memory_mib(process.pid))
    memory.append(_memory_mib(process.pid))
    used_s = _cpu_s(process.pid) - cpu_s
    process.stdin.close()
    thread.join()
    process.wait()

    final = [(word["text"], at - started, word["end_s"] - 1) for at, line in lines for word in line["words"]]
    delays, position, reference = [], 0, 0
    for pair in align([text for text, _ in spoken], [text for text, *_ in final]):
        if pair.kind == "hit":
            delays.append((spoken[reference][1], final[position][1] - spoken[reference][1] / given.speed))
        reference += pair.reference is not None
        position += pair.hypothesis is not None
    shown, revised = _revised([line for _, line in lines])
    ends, values = map(np.array, zip(*delays, strict=True))
    print(f"{len(audio) / rate / 60:.1f} minutes, {len(delays)} words recognised right of {len(spoken)}")
    if given.speed == 1:
        print(
            f"delay of final words: median {np.median(values):.2f} s, 95th percentile {np.percentile(values, 95):.2f} s"
        )
        sections = [values[(ends >= first) & (ends < first + SECTION_S)] for first in np.arange(0, ends[-1], SECTION_S)]
        print("  median by 5 minutes:", " ".join(f"{np.median(part):.2f}" if len(part) else "-" for part in sections))
    print(f"revised: {100 * revised / shown:.1f} % of {shown} words shown")
    print(f"processor: {100 * used_s / (len(audio) / rate):.1f} % of a core per second of audio")
    print("memory in MiB by 5 minutes:", " ".join(f"{value:.0f}" for value in memory))


def _revised(updates: list[dict]) -> tuple[int, int]:
    """Number of words that were shown, and of those that the next update showed differently."""
    shown = revised = 0
    before: list[str] = []
    for update in updates:
        words = [word["text"] for word in update["words"]]
        now = words + [word["text"] for word in update["tail"]]
        revised += sum(old != new for old, new in zip(before, [*now, *([None] * len(before))], strict=False))
        shown += max(0, len(now) - len(before))
        before = now[len(words) :]
    return shown, revised


def _memory_mib(pid: int) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096 / 2**20


def _cpu_s(pid: int, after_s: float = 0.0) -> float:
    time.sleep(after_s)
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["wer", "delay"])
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--silence-minutes", type=float, default=0.0)
    parser.add_argument("--speed", type=float, default=1.0)
    given = parser.parse_args()
    transcriber = asr.load(given.model, threads=1, plain=True)
    if given.what == "wer":
        wer(transcriber, given.manifests)
    else:
        delay(given.model, transcriber, given)


main()
