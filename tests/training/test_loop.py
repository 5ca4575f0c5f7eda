"""What a run reports, how long it goes on, and by what its best weights are chosen."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from asr.cli import main
from asr.training import checkpoint, display
from asr.training.display import Display
from asr.training.state import Progress
from asr.training.task import Column

ROOT = Path(__file__).resolve().parents[2]


def train(overrides: list[str], run_dir: Path, *more: str) -> Result:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *overrides, *more, "--run-dir", str(run_dir)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return result


def lines(run_dir: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_steps_are_reported_and_evaluated_between_epochs_and_limited(
    smoke_overrides: list[str], tmp_path: Path
) -> None:
    options = ["training.epochs=9", "training.max_steps=30", "training.evaluate_every_steps=8"]
    train(smoke_overrides, tmp_path / "run", *options, "training.log_every_steps=7")
    found = lines(tmp_path / "run")
    logged = [line for line in found if "gradient_norm" in line]
    assert [line["step"] for line in logged] == [7, 14, 21, 28]
    assert all(line["step_loss"] > 0 and line["learning_rate"] > 0 for line in logged)
    evaluated = [line for line in found if "dev_wer" in line]
    steps_per_epoch = evaluated[1]["step"] if evaluated[1]["epoch"] == 1 else evaluated[0]["step"]
    ends = {steps_per_epoch, 2 * steps_per_epoch, 30}
    assert [line["step"] for line in evaluated] == sorted({8, 16, 24} | {end for end in ends if end <= 30})
    assert evaluated[-1]["learning_rate"] == pytest.approx(1e-4)  # a hundredth of the peak: the schedule is at its end
    assert checkpoint.load(tmp_path / "run" / "last.safetensors").description.scores["dev"]["step"] == 30


def test_a_run_limited_by_steps_can_be_made_longer(smoke_overrides: list[str], tmp_path: Path) -> None:
    train(smoke_overrides, tmp_path / "run", "training.epochs=3", "training.max_steps=5")
    train(smoke_overrides, tmp_path / "run", "training.epochs=3", "training.max_steps=9", "--resume")
    assert [line["step"] for line in lines(tmp_path / "run") if "dev_wer" in line] == [5, 9]


def test_best_and_last_weights_can_both_be_exported(smoke_run: Path, tmp_path: Path) -> None:
    for name in ("best", "last"):
        command = ["export", str(smoke_run / f"{name}.safetensors"), str(tmp_path / f"{name}.onnx")]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
    last = checkpoint.load(smoke_run / "last.safetensors").description.scores["dev"]
    assert last["epoch"] == 16


@pytest.mark.parametrize("best_by", ["cer", "wer_lm"])
def test_the_best_weights_are_chosen_by_what_the_recipe_says(
    best_by: str, smoke_overrides: list[str], smoke_corpus: Path, tmp_path: Path
) -> None:
    texts = [json.loads(line)["text"] for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    for command in (
        ["lm", "train", str(tmp_path / "texts.txt"), "--order", "2", "-o", str(tmp_path / "lm.arpa")],
        ["lm", "pack", str(tmp_path / "lm.arpa"), "-o", str(tmp_path / "lm.bin")],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
    options = [f"evaluation.best_by={best_by}", f"evaluation.lm={tmp_path}/lm.bin", "training.epochs=6"]
    train(smoke_overrides, tmp_path / "run", *options)
    evaluated = [line for line in lines(tmp_path / "run") if "dev_wer" in line]
    best = min(evaluated, key=lambda line: line[f"dev_{best_by}"])
    scores = checkpoint.load(tmp_path / "run").description.scores["dev"]
    assert scores["epoch"] == best["epoch"]
    assert scores.keys() >= {"wer", "cer", "wer_lm"}


def test_without_a_terminal_a_line_now_and_then_shows_life(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 25))
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, width=200)
    progress = Progress()
    with Display(
        console, 4, (Column("dev_wer", "dev WER %"),), Column("audio_s_per_s", "audio s/s", digits=0)
    ) as shown:
        for number in range(1, 8):
            progress.loss_sum += 2.0
            progress.batch_done(50.0, 1.0)
            shown.step(progress, number / 100)
    printed = out.getvalue().splitlines()
    assert len(printed) == 2, "every third step is a minute later"
    assert printed[0] == "    epoch 1/4, step 4, 4.0 %: loss 2.000, 50 audio s/s, about 0:40:00 left"
