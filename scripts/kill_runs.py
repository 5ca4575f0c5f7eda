#!/usr/bin/env python3
"""Kill runs of recipes/smoke.yaml with SIGKILL and resume them; every one must end with the weights of a whole run.

    python scripts/kill_runs.py [RUNS] [INSIDE_A_WRITE]

Of RUNS (50) killed runs, at least INSIDE_A_WRITE (10) are killed while a temporary file of a checkpoint is being
written; the others at a random moment of the whole process, start-up included. A run that is killed before its folder
holds a recipe is no run yet, and is started again instead of resumed.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def command(corpus: Path, run_dir: Path) -> list[str]:
    """A short run that saves its state after every step, with every part that has a state of its own."""
    return [
        *(sys.executable, "-m", "asr", "train", str(ROOT / "recipes" / "smoke.yaml"), "--run-dir", str(run_dir)),
        *(f"data.train=[{corpus}/train.jsonl]", f"data.dev=[{corpus}/dev.jsonl]"),
        *("training.epochs=4", "training.save_every_s=1e-9", "optimiser.ema=0.9", "model.context.dropout=0.2"),
        *("augmentation.speeds=[0.9,1.0,1.1]", "augmentation.masking.time_masks=2"),
        "training.lstm_gradient=own",  # each run would time both for itself, and could choose differently
    ]


def run(arguments: list[str]) -> None:
    """To the end, or fail loudly."""
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")


def kill(arguments: list[str], run_dir: Path, after_s: float, *, in_write: bool) -> bool:
    """Start a run and kill it; True if a half-written temporary file was left behind."""
    process = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + after_s
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    while in_write and process.poll() is None and not any(run_dir.glob(".*.tmp")):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    return any(run_dir.glob(".*.tmp"))


def main(runs: int, inside: int) -> None:
    """Kill, resume, compare, count."""
    moments = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        subprocess.run([sys.executable, ROOT / "scripts" / "smoke_corpus.py", corpus], check=True)
        started = time.monotonic()
        run(command(corpus, Path(folder) / "whole"))
        whole_s = time.monotonic() - started
        expected = load_file(Path(folder) / "whole" / "state.safetensors")
        in_write, identical = 0, 0
        for number in range(runs):
            run_dir = Path(folder) / f"run{number}"
            arguments = command(corpus, run_dir)
            left = kill(arguments, run_dir, moments.uniform(0, whole_s), in_write=in_write < inside)
            in_write += left
            run([*arguments, "--resume"] if (run_dir / "recipe.yaml").exists() else arguments)
            found = load_file(run_dir / "state.safetensors")
            same = found.keys() == expected.keys() and all(
                torch.equal(found[name], expected[name]) for name in expected
            )
            identical += same
            print(
                f"{number + 1:3} {'identical' if same else 'DIFFERENT'}{'  killed inside a write' if left else ''}",
                flush=True,
            )
    print(f"{identical} of {runs} killed runs ended with identical weights; {in_write} were killed inside a write.")
    if identical < runs or in_write < inside:
        sys.exit(1)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]) if len(sys.argv) == 3 else (50, 10))
