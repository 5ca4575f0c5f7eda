"""A run that was killed, stopped or out of disk goes on and ends with the weights of the run that never stopped."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from asr.cli import main
from asr.training import loop, run_folder, state

ROOT = Path(__file__).resolve().parents[2]
# Every part that holds state: moments, a moving average, an intermediate head, dropout, masking, speed and gain.
EVERYTHING = [
    "training.epochs=3",
    "training.save_every_s=1e-9",
    "model.context={layers: 2, hidden: 16, dropout: 0.2}",
    "objective={intermediate: [1], consistency: 0.2}",
    "optimiser.ema=0.9",
    "augmentation={speeds: [0.9, 1.0, 1.1], masking: {time_width: 5, frequency_width: 5}}",
    "data.curriculum=true",
    "training.lstm_gradient=own",  # a trial could choose otherwise for another run
    "training.log_every_steps=5",
]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it."""


def kill() -> None:
    raise Killed


@pytest.fixture(scope="module")
def command(smoke_overrides: list[str]) -> list[str]:
    return ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, *EVERYTHING]


def run(command: list[str], run_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(main, [*command, "--run-dir", str(run_dir), *options])


@pytest.fixture(scope="module")
def uninterrupted(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    result = run(command, run_dir)
    assert result.exit_code == 0, result.output
    return run_dir


def in_step(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], object]) -> None:
    """Do something once, at the beginning of a given optimiser step of the process."""
    usual, steps = loop.Trainer.step, iter(range(10**6))

    def step(self, batches, rate):
        if next(steps) == number:
            action()
        return usual(self, batches, rate)

    monkeypatch.setattr(loop.Trainer, "step", step)


def assert_same_run(one: Path, other: Path) -> None:
    for file in ("state.safetensors", "best.safetensors", "last.safetensors"):
        torch.testing.assert_close(load_file(one / file), load_file(other / file), rtol=0, atol=0)
    figures = [
        [{k: v for k, v in json.loads(line).items() if k not in ("elapsed_s", "audio_s_per_s")} for line in lines]
        for lines in ((path / "metrics.jsonl").read_text().splitlines() for path in (one, other))
    ]
    assert figures[0] == figures[1]
    assert [line["epoch"] for line in figures[0] if "dev_wer" in line] == [1, 2, 3]
    last_step = max(line["step"] for line in figures[0])
    assert [line["step"] for line in figures[0] if "gradient_norm" in line] == list(range(5, last_step + 1, 5))


@pytest.mark.parametrize("at", [1, 10, 11, 12, 13, 30])
def test_killed_anywhere(
    at: int, command: list[str], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        in_step(patch, at, kill)
        with pytest.raises(Killed):
            run(command, tmp_path / "run")
    result = run(command, tmp_path / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert "Resumed in epoch" in result.output
    assert_same_run(tmp_path / "run", uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_by_a_signal(
    number: signal.Signals, command: list[str], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without timed saves, so that the state can only come from the signal."""
    command = [*command, "training.save_every_s=1e9"]
    before = signal.getsignal(signal.SIGINT)  # what is started in the background of a shell ignores it
    with monkeypatch.context() as patch:
        in_step(patch, 20, lambda: signal.raise_signal(number))
        result = run(command, tmp_path / "run")
    assert result.exit_code == 1
    assert f"Stopped by {number.name} in epoch 2, after step 21" in result.output
    assert "--resume" in result.output
    assert signal.getsignal(signal.SIGINT) is before
    result = run(command, tmp_path / "run", "--resume")
    assert "Resumed in epoch 2, after step 21." in result.output
    torch.testing.assert_close(
        load_file(tmp_path / "run" / "state.safetensors"),
        load_file(uninterrupted / "state.safetensors"),
        rtol=0,
        atol=0,
    )


def test_a_full_disk_keeps_the_last_good_state(
    command: list[str], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = state.to_bytes, iter(range(10**6))

    def full(*args, **kwargs):
        if next(calls) == 17:
            raise OSError(28, "No space left on device")
        return usual(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(state, "to_bytes", full)
        result = run(command, tmp_path / "run")
    assert result.exit_code == 1
    assert "cannot be written (No space left on device); the last good state is kept" in result.output
    assert [path.name for path in (tmp_path / "run").glob(".*")] == [".lock"]  # and no half-written file
    assert run(command, tmp_path / "run", "--resume").exit_code == 0
    assert_same_run(tmp_path / "run", uninterrupted)


def test_a_disk_full_from_the_start_leaves_no_run(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(state, "to_bytes", full)
        result = run(command, tmp_path / "run")
    assert "cannot be written (No space left on device); no run was created" in result.output
    assert "--resume" not in result.output
    assert run(command, tmp_path / "run").exit_code == 0


def test_a_finished_run_resumes_to_its_own_result(uninterrupted: Path, command: list[str]) -> None:
    before = (uninterrupted / "state.safetensors").read_bytes()
    result = run(command, uninterrupted, "--resume")
    assert result.exit_code == 0
    assert "Best on the dev set: epoch" in result.output
    assert (uninterrupted / "state.safetensors").read_bytes() == before


def test_resuming_another_recipe_names_the_difference(uninterrupted: Path, command: list[str]) -> None:
    result = run([*command, "seed=9", "optimiser.learning_rate=1e-4"], uninterrupted, "--resume")
    assert result.exit_code == 1
    assert "it differs in seed, optimiser.learning_rate" in result.output


def test_resuming_nothing(command: list[str], tmp_path: Path) -> None:
    result = run(command, tmp_path / "none", "--resume")
    assert result.exit_code == 1
    assert "holds no run to resume" in result.output


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"", lambda content: b"\x80\x04."])
def test_a_damaged_state_is_one_sentence(
    damage: Callable[[bytes], bytes], uninterrupted: Path, command: list[str], tmp_path: Path
) -> None:
    for file in ("recipe.yaml", "tokenizer.json", "metrics.jsonl", "utterances.jsonl"):
        (tmp_path / file).write_bytes((uninterrupted / file).read_bytes())
    (tmp_path / "state.safetensors").write_bytes(damage((uninterrupted / "state.safetensors").read_bytes()))
    result = run(command, tmp_path, "--resume")
    assert result.exit_code == 1
    assert "cannot be resumed" in result.output


def test_killed_before_the_first_step(
    command: list[str], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is no run until its recipe stands in it, so the run simply starts again."""

    def kill(recipe) -> str:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "recipe_to_yaml", kill)
        with pytest.raises(Killed):
            run(command, tmp_path / "run")
    assert run(command, tmp_path / "run").exit_code == 0
    assert_same_run(tmp_path / "run", uninterrupted)


def test_rows_that_were_removed_mended_or_added_do_not_forbid_to_resume(
    smoke_corpus: Path, smoke_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made from the ids that the run began with; what has changed is said."""
    manifest = tmp_path / "train.jsonl"
    rows = [json.loads(line) for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    for row in rows:
        row["audio_filepath"] = str(smoke_corpus / row["audio_filepath"])

    def write(changed: list[dict[str, object]]) -> None:
        manifest.write_text("".join(json.dumps(row) + "\n" for row in changed))

    write(rows[:-1])
    recipe = str(ROOT / "recipes" / "smoke.yaml")
    command = ["train", recipe, f"data.train=[{manifest}]", smoke_overrides[1], "training.epochs=2"]
    command += ["training.save_every_s=1e-9"]
    with monkeypatch.context() as patch:
        in_step(patch, 5, kill)
        with pytest.raises(Killed):
            run(command, tmp_path / "run")
    write([*rows[2:40], rows[40] | {"text": "ab"}, *rows[41:]])
    result = run(command, tmp_path / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert f"2 utterances are gone or cannot be trained on any more and are skipped (first: '{rows[0]['id']}')" in (
        result.output
    )
    assert (
        f"1 utterances have another duration or transcript, which is used from now on (first: '{rows[40]['id']}')"
        in (result.output)
    )
    assert f"1 utterances are new and not trained on in this run (first: '{rows[-1]['id']}')" in result.output
    assert "not to the same weights" in result.output
    assert "Resumed in epoch 1, after step 5." in result.output
    again = run(command, tmp_path / "run", "--resume")
    assert again.exit_code == 0 and "The manifests have changed" in again.output


def test_a_finished_run_can_be_made_longer_and_not_shorter(smoke_overrides: list[str], tmp_path: Path) -> None:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides]
    assert run([*command, "training.epochs=1"], tmp_path / "run").exit_code == 0
    longer = run([*command, "training.epochs=2"], tmp_path / "run", "--resume")
    assert longer.exit_code == 0, longer.output
    assert "The run is made longer: 1 -> 2 epochs" in longer.output
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if "dev_wer" in line] == [1, 2]
    assert "epochs: 2" in (tmp_path / "run" / "recipe.yaml").read_text()
    shorter = run([*command, "training.epochs=1"], tmp_path / "run", "--resume")
    assert shorter.exit_code == 1
    assert "can be made longer, not shorter: `training.epochs` was 2 and is now 1" in shorter.output


def test_keys_that_change_nothing_may_change(uninterrupted: Path, command: list[str]) -> None:
    result = run([*command, "data.cache_gib=0", "training.save_every_s=77"], uninterrupted, "--resume")
    assert result.exit_code == 0, result.output


def test_the_mean_of_the_last_epochs_survives_a_kill(
    smoke_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides]
    command += ["training.epochs=4", "optimiser.average_epochs=2", "training.lstm_gradient=own"]
    usual, ends = loop.Trainer._end_epoch, []

    def end_epoch(self, trained):
        ends.append({name: weight.clone() for name, weight in self.task.network.state_dict().items()})
        usual(self, trained)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "_end_epoch", end_epoch)
        assert run(command, tmp_path / "whole").exit_code == 0
    whole = load_file(tmp_path / "whole" / "state.safetensors")
    for name, last in ends[3].items():
        torch.testing.assert_close(whole[f"average.module.{name}"], (ends[2][name] + last) / 2)
    with monkeypatch.context() as patch:
        in_step(patch, 40, kill)  # of 48, so in the last epoch
        with pytest.raises(Killed):
            run(command, tmp_path / "cut")
    assert run(command, tmp_path / "cut", "--resume").exit_code == 0
    cut = load_file(tmp_path / "cut" / "state.safetensors")
    assert all(torch.equal(cut[name], tensor) for name, tensor in whole.items())


def test_the_mean_of_a_run_made_longer_is_of_its_last_epochs(
    smoke_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides]
    command += ["optimiser.average_epochs=2", "training.lstm_gradient=own"]
    assert run([*command, "training.epochs=2"], tmp_path / "run").exit_code == 0
    usual, ends = loop.Trainer._end_epoch, []

    def end_epoch(self, trained):
        ends.append({name: weight.clone() for name, weight in self.task.network.state_dict().items()})
        usual(self, trained)

    monkeypatch.setattr(loop.Trainer, "_end_epoch", end_epoch)
    assert run([*command, "training.epochs=5"], tmp_path / "run", "--resume").exit_code == 0
    state = load_file(tmp_path / "run" / "state.safetensors")
    for name, last in ends[2].items():
        torch.testing.assert_close(state[f"average.module.{name}"], (ends[1][name] + last) / 2)


def test_a_folder_in_use_is_refused(
    command: list[str], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second training of the same folder, started while the first one is in a step."""
    refused = []

    def second() -> None:
        beside = [sys.executable, "-m", "asr", *command, "--run-dir", str(tmp_path / "run")]
        for options in ([], ["--resume"]):
            refused.append(subprocess.run([*beside, *options], capture_output=True, text=True, check=False))

    in_step(monkeypatch, 3, second)
    assert run(command, tmp_path / "run").exit_code == 0
    assert [done.returncode for done in refused] == [1, 1]
    assert "holds a run already" in refused[0].stderr
    assert "is in use by another training" in refused[1].stderr
    assert_same_run(tmp_path / "run", uninterrupted)
