#!/usr/bin/env python3
"""The model in the browser next to the same model here: log-probs, words, speed, and what it takes to begin.

    python scripts/browser.py MODEL MANIFEST [--clips 20]

Needs Chromium, and what `scripts/fetch_onnxruntime_web` fetches. `asr serve` runs, a page that was never opened before
loads the model, and CLIPS utterances are run in both on one core, with the same samples; then their files are
transcribed as the page and as `asr transcribe --plain` do it. As int8 models round, the smallest change of
a sample can change many log-probs: so the model here is also compared with itself, after a change of the samples
by a factor of 1.0000001.
"""

import argparse
import base64
import io
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import sync_playwright

import asr
from asr import models
from asr.data import manifest
from asr.decoding.decoder import letters_of
from asr.decoding.greedy import greedy
from asr.decoding.tokens_to_words import to_words
from asr.evaluation.recognition import reader
from asr.models.session import OnnxModel
from asr.scoring.alignment import align
from asr.scoring.wer import score

BEGIN = """async () => {
    const { Device } = await import("/page/device.js");
    const { Tokenizer } = await import("/page/ctc.js");
    const { open } = await import("/page/session.js");
    window.settings = await (await fetch("/page/settings.json")).json();
    const started = performance.now();
    window.device = await Device.load(settings, null, () => {});
    const ready = performance.now();
    const model = new Uint8Array(await (await fetch("/page/model.onnx")).arrayBuffer());
    window.run = await open(model, new Tokenizer(settings.tokenizer).size);
    window.bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return (ready - started) / 1000;
}"""
RUN = """async (text) => {
    const waveform = new Float32Array(bytes(text).buffer);
    const started = performance.now();
    const rows = await run(waveform);
    return { seconds: (performance.now() - started) / 1000, rows: rows.map((row) => [...row]) };
}"""
TRANSCRIBE = """async (text) => {
    const options = { hotWords: [], onWords: () => {}, signal: new AbortController().signal };
    const started = performance.now();
    const { words } = await device.transcribe(new File([bytes(text)], "clip.wav"), options);
    return { seconds: (performance.now() - started) / 1000, words: words.map((word) => word.text) };
}"""


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def wav(waveform: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def words_of(rows: np.ndarray, model: OnnxModel) -> list[str]:
    description = model.description
    words = to_words(greedy(rows), description.tokenizer, description.frame_shift_s, np.inf)
    return [word.text for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--clips", type=int, default=20)
    given = parser.parse_args()
    command = [sys.executable, "-m", "asr", "serve", "--port", "0", "-m", given.model, "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2].rstrip(";")
        try:
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                compare(browser.new_page(), url, given)
                browser.close()
        finally:
            process.terminate()


def compare(page: Any, url: str, given: argparse.Namespace) -> None:
    model = OnnxModel(models.find(given.model), threads=1)
    rate, tokenizer = model.description.sample_rate, model.description.tokenizer
    utterances = list(manifest.read(given.manifest))
    utterances = utterances[:: max(1, len(utterances) // given.clips)][: given.clips]
    read = reader(rate)
    clips = [np.round(read(utterance) * 32767).astype(np.float32) / 32768 for utterance in utterances]
    native = asr.load(given.model, plain=True)

    loaded: dict[str, int] = {}
    page.on("response", lambda answer: loaded.update({answer.url: int(answer.headers.get("content-length", 0))}))
    started = time.monotonic()
    page.goto(url)
    page.locator("#choose:enabled").wait_for()
    opened_s, opened = time.monotonic() - started, sum(loaded.values())
    load_s = page.evaluate(BEGIN)
    loaded_mb = sum(loaded.values()) / 1e6
    print(f"The page: {opened / 1e3:.0f} kB, {opened_s:.1f} s; with the model {loaded_mb:.2f} MB, {load_s:.1f} s later")

    seconds = native_s = file_s = 0.0
    log_probs = Pairs()
    changed = Pairs()
    files = Pairs()
    model.log_probs(clips[:1])
    for clip in clips:
        found = page.evaluate(RUN, encoded(clip.astype("<f4").tobytes()))
        begin = time.perf_counter()
        (rows,) = model.log_probs([clip])
        native_s += time.perf_counter() - begin
        seconds += found["seconds"]
        log_probs.add(np.array(found["rows"], np.float32), letters_of(rows, tokenizer), model)
        (again,) = model.log_probs([clip * np.float32(1.0000001)])
        changed.add(letters_of(again, tokenizer), letters_of(rows, tokenizer), model)
        file = wav(clip, rate)
        found = page.evaluate(TRANSCRIBE, encoded(file))
        file_s += found["seconds"]
        files.texts.append((found["words"], native.transcribe(file).text.split()))
    duration_s = sum(map(len, clips)) / rate
    print(
        f"{len(clips)} clips of {duration_s:.0f} s: the model runs at {duration_s / seconds:.0f} times real time,",
        end=" ",
    )
    print(f"here at {duration_s / native_s:.0f}; whole files, with their search, at {duration_s / file_s:.0f}")
    print(f"The same samples: {log_probs}")
    print(f"The model here, after the change of the samples: {changed}")
    print(f"The files: {files}")
    references = [tokenizer.normalise(utterance.text) for utterance in utterances]
    for name, place in (("in the browser", 0), ("here", 1)):
        rate = score(references, [" ".join(texts[place]) for texts in files.texts]).words.rate or 0.0
        print(f"WER {name}: {100 * rate:.1f} %")


@dataclass
class Pairs:
    """Results of two runs of the same clips."""

    largest: float = 0.0
    texts: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def add(self, one: np.ndarray, other: np.ndarray, model: OnnxModel) -> None:
        """Add the log-probs of a clip. Shape: (T, V)"""
        self.largest = max(self.largest, float(np.abs(one - other).max()))
        self.texts.append((words_of(one, model), words_of(other, model)))

    def __str__(self) -> str:
        pairs = [pair for texts in self.texts for pair in align(*texts)]
        differing = sum(pair.kind != "hit" for pair in pairs)
        equal = sum(one == other for one, other in self.texts)
        largest = f"log-probs differ by {self.largest:.2g} at most; " if self.largest else ""
        return f"{largest}{equal} clips have equal words; {differing} of {len(pairs)} words differ"


if __name__ == "__main__":
    main()
