"""Two processes on CPU (gloo, under torchrun) do what one does with the same whole batches."""

import os
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
# Two epochs are 24 steps; nothing random but the order of the batches.
PLAIN = ["training.epochs=2", "augmentation.gain_db=0", "optimiser.learning_rate=1e-3"]


def train(processes: int, run_dir: Path, arguments: list[str]) -> None:
    torchrun = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    command = [sys.executable, *torchrun, "-m", "asr", "train", str(ROOT / "recipes" / "smoke.yaml")]
    done = subprocess.run(
        [*command, *arguments, "--run-dir", str(run_dir)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_processes_give_the_weights_of_one(smoke_overrides: list[str], tmp_path: Path) -> None:
    train(1, tmp_path / "one", [*smoke_overrides, *PLAIN, "data.batch_duration_s=10"])
    train(2, tmp_path / "two", [*smoke_overrides, *PLAIN, "data.batch_duration_s=5"])
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    assert float(one["optimiser.0.step"]) >= 20
    weights = [name for name in one if name.startswith("objective.")]
    assert max(float((one[name] - two[name]).abs().max()) for name in weights) < 1e-5


def test_a_run_stopped_by_a_signal_resumes_in_two_processes(smoke_overrides: list[str], tmp_path: Path) -> None:
    """torchrun passes SIGTERM on to its processes; they agree on the step after which they stop."""
    arguments = [*smoke_overrides, *PLAIN, "data.batch_duration_s=5", "training.epochs=6"]
    train(2, tmp_path / "whole", arguments)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "asr",
        "train",
    ]
    command += [str(ROOT / "recipes" / "smoke.yaml"), *arguments, "--run-dir", str(tmp_path / "cut")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "cut" / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=120) != 0
    train(2, tmp_path / "cut", [*arguments, "--resume"])
    whole, cut = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "cut"))
    assert max(float((whole[name] - cut[name]).abs().max()) for name in whole) < 1e-6
