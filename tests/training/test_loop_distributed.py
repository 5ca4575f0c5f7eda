"""Two processes on CPU (gloo, under torchrun) do what one does with the same whole batches."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
# Two epochs are 24 steps; nothing random but the order of the batches.
PLAIN = ["training.epochs=2", "augmentation.gain_db=0", "optimiser.learning_rate=1e-3"]
PLAIN += ["training.lstm_gradient=own", "training.precision=32-true"]


def command(processes: int, run_dir: Path, arguments: list[str]) -> list[str]:
    torchrun = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    recipe = str(ROOT / "recipes" / "smoke.yaml")
    return [sys.executable, *torchrun, "-m", "asr", "train", recipe, *arguments, "--run-dir", str(run_dir)]


def train(processes: int, run_dir: Path, arguments: list[str]) -> str:
    """What the run printed."""
    done = subprocess.run(
        command(processes, run_dir, arguments),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    state = load_file(run_dir / "state.safetensors")
    return {name: tensor for name, tensor in state.items() if name.startswith("objective.")}


def distance(one: Path, other: Path) -> float:
    """The largest difference of any weight."""
    ours, theirs = weights(one), weights(other)
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def evaluations(run_dir: Path) -> list[tuple[float, float]]:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["dev_cer"]) for line in lines if "dev_cer" in line]


def test_two_processes_or_two_accumulated_batches_give_the_weights_of_one(
    smoke_overrides: list[str], tmp_path: Path
) -> None:
    """Both processes evaluate, in the middle of epochs, too, and come to the same score."""
    options = [*smoke_overrides, *PLAIN, "training.evaluate_every_steps=5"]
    train(1, tmp_path / "one", [*options, "data.batch_duration_s=10"])
    train(2, tmp_path / "two", [*options, "data.batch_duration_s=5"])
    train(1, tmp_path / "accumulated", [*options, "data.batch_duration_s=5", "training.accumulate=2"])
    assert float(load_file(tmp_path / "one" / "state.safetensors")["optimiser.0.step"]) >= 20
    for name in ("two", "accumulated"):
        # Products of other sizes round differently, on some processors up to 2.4e-5; a step at this rate moves 1e-2.
        assert distance(tmp_path / "one", tmp_path / name) < 5e-5
        assert evaluations(tmp_path / name) == evaluations(tmp_path / "one")


def test_what_another_process_leaves_out_is_named_once(
    smoke_corpus: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    rows = [row | {"audio_filepath": str(smoke_corpus / row["audio_filepath"])} for row in rows]
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    for row in rows[:6]:
        row |= {"audio_filepath": str(tmp_path / "nan.wav"), "duration": 1.0, "text": "ab"}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [f"data.train=[{tmp_path}/train.jsonl]", smoke_overrides[1], *PLAIN, "data.max_bad_share=0.1"]
    printed = train(2, tmp_path / "run", arguments)
    for row in rows[:6]:
        assert printed.count(f"Skipped: '{row['id']}'") == 1


def test_a_run_of_two_processes_resumes_in_one_with_the_same_batches(
    smoke_overrides: list[str], tmp_path: Path
) -> None:
    arguments = [*smoke_overrides, *PLAIN, "data.batch_duration_s=5", "training.epochs=1"]
    longer = [*arguments[:-1], "training.epochs=2"]
    for name in ("two", "one"):
        train(2, tmp_path / name, arguments)
    train(2, tmp_path / "two", [*longer, "--resume"])
    printed = train(1, tmp_path / "one", [*longer, "--resume"])
    assert "The batches stay those that were planned for 2 parts, by 1 processes now" in printed
    assert distance(tmp_path / "two", tmp_path / "one") < 1e-5


SIX_EPOCHS = ["data.batch_duration_s=5", "training.epochs=6", "training.save_every_s=0.1"]


@pytest.fixture(scope="module")
def whole(smoke_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The last state of a run of two processes that nothing stopped."""
    run_dir = tmp_path_factory.mktemp("distributed") / "whole"
    train(2, run_dir, [*smoke_overrides, *PLAIN, *SIX_EPOCHS])
    return load_file(run_dir / "state.safetensors")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_of_two_processes_resumes_after_a_signal(
    number: signal.Signals, whole: dict[str, torch.Tensor], smoke_overrides: list[str], tmp_path: Path
) -> None:
    """torchrun passes SIGTERM on to its processes, which agree on the step after which they stop; SIGKILL hits one."""
    arguments = [*smoke_overrides, *PLAIN, *SIX_EPOCHS]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = command(2, tmp_path / "cut", arguments)
    process = subprocess.Popen(started, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "cut" / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    if number == signal.SIGKILL:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
    else:
        process.terminate()
    assert process.wait(timeout=120) != 0
    train(2, tmp_path / "cut", [*arguments, "--resume"])
    cut = load_file(tmp_path / "cut" / "state.safetensors")
    assert max(float((whole[name] - cut[name]).abs().max()) for name in whole) < 1e-6
