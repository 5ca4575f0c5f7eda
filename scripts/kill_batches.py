#!/usr/bin/env python3
"""End batches of `asr transcribe` by SIGKILL, SIGTERM and SIGINT at random moments, and complete them with --resume.

    python scripts/kill_batches.py [BATCHES]

After the signal every output is whole or absent; after the next run all are there, nothing else is in the folder, and
only what was missing was transcribed. BATCHES is 100. Half of the moments are anywhere in the run, half shortly after
an output has appeared. A traceback is allowed only for SIGINT that arrives before the program has control, when Python
itself prints it.
"""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FORMATS = ("txt", "json")
RECORDINGS = 30


def make_recordings(folder: Path) -> None:
    """Recordings of different lengths, together long enough for two processes."""
    with wave.open(str(ROOT / "examples" / "pittsburgh.wav")) as file:
        parameters, frames = file.getparams(), file.readframes(file.getnframes())
    for number in range(RECORDINGS):
        (folder / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        with wave.open(str(folder / f"{number % 3}" / f"{number:02d}.wav"), "wb") as file:
            file.setparams(parameters)
            file.writeframes(frames * (1 + number % 5))


def command(recordings: Path, out: Path) -> list[str]:
    """A batch with two workers."""
    options = ["--workers", "2", "-m", "an4", "-f", ",".join(FORMATS), "-o", str(out)]
    return [sys.executable, "-m", "asr", "transcribe", str(recordings), *options]


def contents(out: Path) -> dict[str, bytes]:
    """All files in the output folder, hidden ones included."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def is_unfinished(name: str) -> bool:
    return bool(re.search(r"\.partial\.\w+$|(^|/)\.asr-[0-9a-f]+\.tmp$", name))


def inodes(out: Path) -> dict[str, int]:
    return {str(path.relative_to(out)): path.stat().st_ino for path in out.rglob("*") if path.is_file()}


def end(arguments: list[str], out: Path, number: signal.Signals, moment: tuple[str, float]) -> int:
    """Start a batch, end it by a signal, and wait for it and its workers. Returns its exit status."""
    reading, writing = os.pipe()  # every process of the batch has its writing end, which closes with the last of them
    process = subprocess.Popen(
        arguments,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(writing,),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    os.close(writing)
    kind, amount = moment
    until = time.monotonic() + amount
    while kind == "output" and process.poll() is None and sum(1 for _ in out.rglob("*.json")) < amount:
        time.sleep(0.001)
    while kind == "time" and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(number)
    errors = process.communicate()[1].decode()
    if "Traceback" in errors and not (number == signal.SIGINT and ", in run\n" not in errors):
        sys.exit(f"A traceback after {number.name}:\n{errors}")
    started = time.monotonic()
    os.read(reading, 1)
    os.close(reading)
    if time.monotonic() - started > 60:
        sys.exit("A worker outlived the program by more than a minute.")
    return process.returncode


def main(batches: int) -> None:
    """End, check, resume, check, count."""
    moments = random.Random(0)
    faults = in_work = rest = 0
    with tempfile.TemporaryDirectory() as root:
        recordings = Path(root) / "in"
        make_recordings(recordings)
        started = time.monotonic()
        subprocess.run(command(recordings, Path(root) / "whole"), env=ENVIRONMENT, check=True, capture_output=True)
        whole_s = time.monotonic() - started
        expected = contents(Path(root) / "whole")
        assert len(expected) == len(FORMATS) * RECORDINGS
        for batch in range(batches):
            out, number = Path(root) / f"out{batch}", SIGNALS[batch % 3]
            anywhere = "time", moments.uniform(0, whole_s)
            moment = anywhere if moments.random() < 0.5 else ("output", moments.randint(1, RECORDINGS))
            status = end(command(recordings, out), out, number, moment)
            left, before = contents(out), inodes(out)
            finished = {name: data for name, data in left.items() if not is_unfinished(name)}
            in_work += 0 < len(finished) < len(expected)
            done = sum(
                all(f"{name[:-3]}{format}" in finished for format in FORMATS)
                for name in expected
                if name.endswith("txt")
            )
            problems = [f"{name} is not whole" for name, data in finished.items() if data != expected.get(name)]
            if status not in (-number, 0):
                problems.append(f"exit status {status}")
            if number != signal.SIGKILL and any(name.endswith(".tmp") for name in left):
                problems.append("a temporary file after a signal that can be handled")
            time.sleep(1.0)  # a younger temporary file could belong to another program
            again = subprocess.run(
                [*command(recordings, out), "--resume"], env=ENVIRONMENT, check=False, capture_output=True, text=True
            )
            if again.returncode or contents(out) != expected:
                problems.append(
                    f"after --resume: status {again.returncode}, {sorted(contents(out).keys() ^ expected.keys())}"
                )
            skipped = re.search(r"(\d+) already done and skipped", again.stderr)
            if int(skipped[1] if skipped else 0) != done:
                problems.append(f"{done} were done, and {again.stderr.strip()}")
            rewritten = [name for name in finished if before[name] != inodes(out)[name]]
            rest += RECORDINGS - done
            if len(rewritten) > len(finished) - len(FORMATS) * done:
                problems.append(f"written again: {rewritten}")
            faults += bool(problems)
            print(
                f"{batch + 1:3} {number.name} {moment[0]} {moment[1]:.1f}: {done} done; {' '.join(problems) or 'good'}",
                flush=True,
            )
    print(
        f"{batches - faults} of {batches} batches left whole outputs and were completed; {in_work} were ended between "
        f"the first and the last output; {rest} of {batches * RECORDINGS} transcripts were missing and made."
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
