#!/usr/bin/env python3
"""How many clips of five seconds `asr serve` transcribes, and how long requests take, next to `asr transcribe`."""

import asyncio
import io
import itertools
import subprocess
import sys
import tempfile
import time
import wave
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import measure
import numpy as np

sys.path.insert(0, str(measure.ROOT / "scripts"))
from serving import ENVIRONMENT, Server, upload

CLIP_S = 5.0
CLIPS = 64
FILES = 512
"""Recordings in the batch of `asr transcribe`."""
MEMORY_EVERY_S = 1.0


@dataclass
class Load:
    """What clients have seen."""

    seconds: list[float] = field(default_factory=list)
    """Of each request that was answered with a transcript."""
    statuses: Counter[str] = field(default_factory=Counter)
    memory_mib: float = 0.0


def clips(manifest: Path) -> list[bytes]:
    """WAV files of five seconds, out of utterances that are joined."""
    from asr.evaluation.recognition import reader

    read, pieces, count = reader(16_000), [], 0
    for utterance in itertools.cycle(measure.utterances(manifest)):
        pieces.append(read(utterance))
        count += len(pieces[-1])
        if count >= CLIPS * CLIP_S * 16_000:
            break
    samples = (np.clip(np.concatenate(pieces), -1, 1) * 32767).astype("<i2")
    files = []
    for first in range(0, round(CLIPS * CLIP_S * 16_000), round(CLIP_S * 16_000)):
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(samples[first : first + round(CLIP_S * 16_000)].tobytes())
        files.append(buffer.getvalue())
    return files


async def client(port: int, requests: Iterator[bytes], end: float, load: Load) -> None:
    """Send one request after the other; after a refusal, wait as long as the server says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        started = time.monotonic()
        writer.write(next(requests))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, headers = head.split()[1], dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        load.statuses[status] += 1
        if status == "200":
            load.seconds.append(time.monotonic() - started)
        else:
            await asyncio.sleep(float(headers.get("retry-after", 0)))
        if headers.get("connection") == "close":
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def run(server: Server, requests: Iterator[bytes], clients: int, duration_s: float) -> Load:
    """Let clients send requests for a time, and for as long as the last ones take."""
    load, end = Load(), time.monotonic() + duration_s
    tasks = [asyncio.create_task(client(server.port, requests, end, load)) for _ in range(clients)]
    while not all(task.done() for task in tasks):
        load.memory_mib = max(load.memory_mib, server.memory_mib())
        await asyncio.sleep(MEMORY_EVERY_S)
    await asyncio.gather(*tasks)
    return load


def batch(files: list[bytes], model: str, workers: int) -> float:
    """Audio seconds per second of `asr transcribe`, the start included."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES):
            (Path(folder) / f"{number}.wav").write_bytes(files[number % len(files)])
        command = [sys.executable, "-m", "asr", "transcribe", folder, "-m", model, "-o", f"{folder}/text"]
        started = time.monotonic()
        done = subprocess.run([*command, "--workers", str(workers)], env=ENVIRONMENT, capture_output=True, check=False)
        seconds = time.monotonic() - started
        written = len(list(Path(folder, "text").glob("*.txt")))
        if done.returncode or written != FILES:
            raise SystemExit(f"{written} of {FILES} were transcribed: {done.stderr.decode()[-500:]}")
    return FILES * CLIP_S / seconds


@click.command()
@click.argument("manifest", type=click.Path(exists=True, path_type=Path))
@click.option("-m", "--model", default="english", show_default=True)
@click.option("--clients", type=int, multiple=True, default=(1, 8, 64, 256), show_default=True)
@click.option("--duration", "duration_s", default=60.0, show_default=True, help="Seconds of each load.")
@click.option("--workers", default=2, show_default=True)
def main(manifest: Path, model: str, clients: tuple[int, ...], duration_s: float, workers: int) -> None:
    """Load a server with clients that each send one request after the other.

    \b
    Example:
      python scripts/bench/serve.py data/librispeech/train-clean-5/dev.jsonl
    """
    files = clips(manifest)
    before = batch(files, model, workers)
    requests = itertools.cycle([upload(file) for file in files])
    click.echo("clients  requests/s  audio s/s  median s  99 % s  memory MiB  answers")
    with Server("-m", model, "--workers", str(workers)) as server:
        asyncio.run(run(server, requests, workers, 3.0))
        for count in clients:
            started = time.monotonic()
            load = asyncio.run(run(server, requests, count, duration_s))
            rate = len(load.seconds) / (time.monotonic() - started)
            median, most = np.percentile(load.seconds, [50, 99])
            answers = ", ".join(f"{number} x {status}" for status, number in sorted(load.statuses.items()))
            click.echo(
                f"{count:7}  {rate:10.1f}  {rate * CLIP_S:9.0f}  {median:8.2f}  {most:6.2f}  {load.memory_mib:10.0f}  "
                f"{answers}"
            )
    after = batch(files, model, workers)
    click.echo(f"asr transcribe --workers {workers}, {FILES} clips: {before:.0f} before, {after:.0f} audio s/s after")


if __name__ == "__main__":
    main()
