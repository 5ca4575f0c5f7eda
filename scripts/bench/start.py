#!/usr/bin/env python3
"""How long `asr train` takes, and how much memory, before its first step on as many utterances as LibriSpeech has."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import measure

UTTERANCES = 281_241
LENGTHS = 3
"""Utterances of one recording have so many lengths, a hundredth of the recording apart."""

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
RECIPE = """\
extends: {base}
data: {{train: [{train}], dev: [{dev}]}}
training: {{epochs: 1}}
"""


def big_manifest(small: Path, path: Path, count: int) -> None:
    """Write `count` rows, each with a segment of a recording of another manifest."""
    rows = [json.loads(line) for line in small.read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = dict(rows[number % len(rows)])
            row["id"] = f"{number // len(rows)}-{row['id']}"
            row["audio_filepath"] = str(small.parent.resolve() / row["audio_filepath"])
            row["duration"] *= 1 - (number // len(rows) % LENGTHS) / 100
            file.write(json.dumps(row) + "\n")


@click.command()
@click.option("--utterances", default=UTTERANCES, show_default=True)
@click.option("--recipe", default=str(measure.ROOT / "recipes" / "mini_librispeech" / "base.yaml"), show_default=True)
@measure.json_option
def main(utterances: int, recipe: str, *, as_json: bool) -> None:
    """Start a training run, and end it before its first step.

    \b
    Example:
      python scripts/bench/start.py
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big_manifest(measure.LIBRISPEECH / "train.jsonl", folder / "train.jsonl", utterances)
        dev = (measure.LIBRISPEECH / "dev.jsonl").resolve()
        text = RECIPE.format(base=recipe, train=folder / "train.jsonl", dev=dev)
        (folder / "recipe.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "asr", "train", str(folder / "recipe.yaml"), "--run-dir", str(folder / "run")]
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=measure.ROOT, env=ENVIRONMENT
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("run folder"):
                break
        seconds = time.monotonic() - started
        process.send_signal(signal.SIGKILL)
        _, _, usage = os.wait4(process.pid, 0)
        if not lines or not lines[-1].startswith("run folder"):
            raise SystemExit("".join(lines))
    values = {"seconds": seconds, "CPU seconds": usage.ru_utime + usage.ru_stime, "MiB at most": usage.ru_maxrss / 1024}
    measure.show(measure.Result(f"for {utterances:,} utterances", values), as_json=as_json)


if __name__ == "__main__":
    main()
