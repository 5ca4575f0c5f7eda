"""What ten times as much costs: CPU time and memory of large inputs against a tenth of them.

    python scripts/costs.py [CASE ...]

The cases are files (10,000 recordings of a tenth of a second), hours (one recording of 12 hours), channels (200 of 6 s,
transcribed with --channel split) and lines (100,000 of a reference and a hypothesis). The CPU time is that of all
processes, so that it does not depend on what else the machine does; the memory is that of the largest process.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
RATE = 16_000


def speech() -> np.ndarray:
    """A sentence and half a second of silence. Shape: (S,)"""
    samples, _ = soundfile.read(EXAMPLES / "captain.wav", dtype="int16")
    return np.concatenate([samples, np.zeros(RATE // 2, np.int16)])


def files(folder: Path, count: int) -> list[str]:
    """Recordings of a tenth of a second."""
    (folder / "in").mkdir()
    for number in range(count):
        soundfile.write(folder / "in" / f"{number:05d}.wav", speech()[: RATE // 10], RATE)
    return ["transcribe", str(folder / "in"), "-o", str(folder / "out"), "-q"]


def hours(folder: Path, count: int) -> list[str]:
    """One recording of so many tenths of 1.2 hours."""
    samples = speech()
    with soundfile.SoundFile(folder / "long.wav", "w", RATE, 1) as file:
        for _ in range(count * 4320 * RATE // len(samples)):
            file.write(samples)
    return ["transcribe", str(folder / "long.wav"), "-o", str(folder / "out"), "-q"]


def channels(folder: Path, count: int) -> list[str]:
    """So many channels of 6 s."""
    samples = np.resize(speech(), 6 * RATE)
    soundfile.write(folder / "channels.wav", np.stack([np.roll(samples, 997 * n) for n in range(count)], axis=1), RATE)
    return ["transcribe", str(folder / "channels.wav"), "--channel", "split", "-o", str(folder / "out"), "-q"]


def lines(folder: Path, count: int) -> list[str]:
    """So many lines of ten words, of which the hypothesis has some wrong."""
    random = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(1000)])
    reference = words[random.integers(1000, size=(count, 10))]
    hypothesis = np.where(random.random(reference.shape) < 0.1, words[0], reference)
    for name, table in (("ref.txt", reference), ("hyp.txt", hypothesis)):
        (folder / name).write_text("".join(" ".join(row) + "\n" for row in table), encoding="utf-8")
    return ["score", str(folder / "ref.txt"), str(folder / "hyp.txt")]


CASES: dict[str, tuple[Callable[[Path, int], list[str]], int]] = {
    "files": (files, 10_000),
    "hours": (hours, 10),
    "channels": (channels, 200),
    "lines": (lines, 100_000),
}


def measured(make: Callable[[Path, int], list[str]], count: int) -> tuple[float, float]:
    """CPU time in seconds and memory in MB of a command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "asr", *make(Path(folder), count)]
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=silent)
        _, status, usage = os.wait4(process, 0)
        if status:
            sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}.")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(names: list[str]) -> None:
    """Print a row of a table per case."""
    print("| case | a tenth: CPU time, memory | all: CPU time, memory | times as much |")
    print("|---|---|---|---|")
    for name in names:
        make, count = CASES[name]
        (tenth_s, tenth_mb), (all_s, all_mb) = measured(make, count // 10), measured(make, count)
        times = f"{all_s / tenth_s:.1f}, {all_mb / tenth_mb:.1f}"
        print(f"| {name} | {tenth_s:.1f} s, {tenth_mb:.0f} MB | {all_s:.1f} s, {all_mb:.0f} MB | {times} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(CASES))
