"""The smoke recipe learns its corpus to the last letter, and leaves a run folder that a person can work with."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner

from asr.cli import main
from asr.recipe.files import differences, load_recipe
from asr.training import checkpoint, precision

ROOT = Path(__file__).resolve().parents[2]


def metrics(run: Path) -> list[dict[str, float]]:
    """The lines of the evaluations."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "dev_wer" in line]


def test_the_smoke_recipe_reaches_wer_0(smoke_run: Path) -> None:
    epochs = metrics(smoke_run)
    assert [epoch["epoch"] for epoch in epochs] == list(range(1, 17))
    assert min(epoch["dev_wer"] for epoch in epochs) == 0
    assert epochs[0]["loss"] > 10 * epochs[-1]["loss"]


def test_the_checkpoint_is_the_best_epoch(smoke_run: Path, smoke_corpus: Path) -> None:
    epochs = metrics(smoke_run)
    best = min(epochs, key=lambda epoch: (epoch["dev_wer"], epoch["dev_cer"], epoch["epoch"]))
    model = checkpoint.load(smoke_run)
    assert model.description.scores["dev"]["epoch"] == best["epoch"]
    result = CliRunner().invoke(main, ["evaluate", str(smoke_run), str(smoke_corpus / "dev.jsonl"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["summary"]["words"]["rate"] == best["dev_wer"]


def test_the_run_folder_holds_the_resolved_recipe_and_versions(smoke_run: Path, smoke_overrides: list[str]) -> None:
    asked = load_recipe(ROOT / "recipes" / "smoke.yaml", smoke_overrides)
    assert load_recipe(smoke_run / "recipe.yaml") == asked
    assert "clip_norm" in yaml.safe_load((smoke_run / "recipe.yaml").read_text())["optimiser"]  # defaults written out
    assert json.loads((smoke_run / "versions.json").read_text())["torch"] == torch.__version__.split("+")[0]
    assert list((smoke_run / "tensorboard").glob("events.out.tfevents.*"))
    assert (smoke_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_auto_is_settled_by_what_the_machine_is_fast_at(smoke_overrides: list[str], tmp_path: Path) -> None:
    recipe, run_dir = ROOT / "recipes" / "smoke.yaml", tmp_path / "run"
    options = [*smoke_overrides, "training.epochs=1", "training.precision=auto", "training.lstm_gradient=auto"]
    command = ["train", str(recipe), *options, "--run-dir", str(run_dir)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    chosen = precision.choose("auto", "cpu")
    assert f"precision   {chosen.name}: {chosen.reason}" in result.output
    settled = differences(load_recipe(recipe, options), load_recipe(run_dir / "recipe.yaml"))
    assert settled.keys() == {"training.precision", "training.lstm_gradient"}
    assert settled["training.precision"] == ("auto", chosen.name)
    gradient = settled["training.lstm_gradient"][1]
    assert f"gradient    {gradient}: 3 batches took " in result.output
    resumed = CliRunner().invoke(main, [*command, "--resume"])
    assert resumed.exit_code == 0, resumed.output
    assert f"gradient    {gradient}, as the recipe says" in resumed.output


def test_the_display_has_a_line_an_epoch_and_the_next_command(smoke_run: Path) -> None:
    printed = (smoke_run / "printed.txt").read_text()
    assert "120 utterances" in printed
    assert "16/16" in printed
    assert printed.count("hypothesis") == 16
    assert f"Next: asr export {smoke_run} smoke.onnx" in printed


def test_a_run_folder_is_never_overwritten(smoke_run: Path, smoke_overrides: list[str]) -> None:
    before = (smoke_run / "metrics.jsonl").read_bytes()
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, "--run-dir", str(smoke_run)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "holds a run already" in result.output
    assert (smoke_run / "metrics.jsonl").read_bytes() == before


def test_the_same_seed_gives_the_same_weights(smoke_overrides: list[str], tmp_path: Path) -> None:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, "training.epochs=2"]
    command += ["training.lstm_gradient=own"]
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        result = CliRunner().invoke(main, [*command, f"seed={seed}", "--run-dir", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    one, two, three = (checkpoint.load(tmp_path / name).network.state_dict() for name in ("one", "two", "three"))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert not torch.equal(one["head.weight"], three["head.weight"])


def test_a_too_short_utterance_is_named_and_skipped(smoke_corpus: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    for row in rows:
        row["audio_filepath"] = str(smoke_corpus / row["audio_filepath"])
    rows[3]["text"] = "abcdef " * 30
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    overrides = [f"data.train=[{tmp_path}/train.jsonl]", f"data.dev=[{smoke_corpus}/dev.jsonl]", "training.epochs=1"]
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *overrides, "--run-dir", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert f"Skipped: '{rows[3]['id']}'" in result.output
    assert "119 utterances" in result.output


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"\x80\x04K\x01."), "not a whole safetensors file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1000]), "not a whole safetensors file"),
        (lambda path: path.unlink(), "is not there"),
    ],
)
def test_a_damaged_checkpoint_is_told_in_one_sentence(smoke_run: Path, tmp_path: Path, damage, message: str) -> None:
    copy = tmp_path / "best.safetensors"
    copy.write_bytes((smoke_run / "best.safetensors").read_bytes())
    damage(copy)
    result = CliRunner().invoke(main, ["export", str(copy), str(tmp_path / "x.onnx")])
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "x.onnx").exists()


def test_a_diverged_run_ends_with_a_sentence(smoke_overrides: list[str], tmp_path: Path) -> None:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, "optimiser.learning_rate=1e30"]
    result = CliRunner().invoke(main, [*command, "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert "Training diverged: 20 steps in a row" in result.output
    losses = [epoch["loss"] for epoch in metrics(tmp_path / "run")]
    assert all(not loss < 1 for loss in losses)  # a step that was skipped does not count as a loss of 0


def test_a_run_folder_that_cannot_be_made(smoke_overrides: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [
        "train",
        str(ROOT / "recipes" / "smoke.yaml"),
        *smoke_overrides,
        "--run-dir",
        str(tmp_path / "file" / "x"),
    ]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "cannot be created (Not a directory): choose another by --run-dir" in result.output


def test_a_dev_part_without_words_is_refused(smoke_corpus: Path, tmp_path: Path) -> None:
    row = json.loads((smoke_corpus / "dev.jsonl").read_text().splitlines()[0])
    row |= {"audio_filepath": str(smoke_corpus / row["audio_filepath"]), "text": "..."}
    (tmp_path / "dev.jsonl").write_text(json.dumps(row) + "\n")
    overrides = [f"data.train=[{smoke_corpus}/train.jsonl]", f"data.dev=[{tmp_path}/dev.jsonl]"]
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *overrides, "--run-dir", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "The dev manifests hold no word" in result.output


def test_an_empty_transcript_is_called_empty(smoke_corpus: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    for row in rows:
        row["audio_filepath"] = str(smoke_corpus / row["audio_filepath"])
    rows[5]["text"] = "?!"
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    overrides = [f"data.train=[{tmp_path}/train.jsonl]", f"data.dev=[{smoke_corpus}/dev.jsonl]", "training.epochs=1"]
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *overrides, "--run-dir", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert f"Skipped: '{rows[5]['id']}'" in result.output
    assert "has no text" in result.output
