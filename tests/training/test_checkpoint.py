"""Fine-tuning: a run that starts from a checkpoint has its weights, and a new head only where the tokens differ."""

from pathlib import Path

import onnx
import pytest
import torch
from click.testing import CliRunner, Result

from asr.cli import main
from asr.export.quantise import MAX_WEIGHT
from asr.training import checkpoint

ROOT = Path(__file__).resolve().parents[2]


def run(smoke_overrides: list[str], run_dir: Path, *more: str) -> Result:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, "training.epochs=1"]
    return CliRunner().invoke(main, [*command, *more, "--run-dir", str(run_dir)])


def test_the_first_epoch_is_as_good_as_the_checkpoint(
    smoke_run: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    slow = "optimiser.learning_rate=1e-9"
    result = run(smoke_overrides, tmp_path / "tuned", "--init", str(smoke_run), slow)
    assert result.exit_code == 0, result.output
    assert "newly initialised: nothing" in result.output
    before, after = (checkpoint.load(path) for path in (smoke_run, tmp_path / "tuned"))
    torch.testing.assert_close(before.network.state_dict(), after.network.state_dict(), rtol=0, atol=1e-6)
    assert after.description.scores["dev"]["wer"]["rate"] == 0
    assert after.description.recipe["init"] == str(smoke_run)
    scratch = run(smoke_overrides, tmp_path / "scratch", slow)
    assert scratch.exit_code == 0
    assert checkpoint.load(tmp_path / "scratch").description.scores["dev"]["wer"]["rate"] > 0.9


def test_another_alphabet_gets_a_new_head_on_the_old_body(
    smoke_run: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    more = ["--init", str(smoke_run), "text.alphabet=' fedcba'", "optimiser.learning_rate=1e-9"]
    result = run(smoke_overrides, tmp_path / "tuned", *more)
    assert result.exit_code == 0, result.output
    assert "newly initialised: head.weight, head.bias" in result.output
    before, after = (checkpoint.load(path).network.state_dict() for path in (smoke_run, tmp_path / "tuned"))
    same = {name for name in before if torch.allclose(before[name], after[name], rtol=0, atol=1e-6)}
    assert set(before) - same == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.context.hidden=32", "has another network than the recipe"),
        ("model.context.layers=2", "has a smaller network than the recipe"),
    ],
)
def test_another_network_is_refused(
    override: str, message: str, smoke_run: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    result = run(smoke_overrides, tmp_path / "tuned", "--init", str(smoke_run), override)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "tuned" / "recipe.yaml").exists()


def test_a_checkpoint_that_is_not_there(smoke_overrides: list[str], tmp_path: Path) -> None:
    result = run(smoke_overrides, tmp_path / "tuned", "--init", str(tmp_path / "nothing"))
    assert result.exit_code == 1
    assert "is not there" in result.output


def test_an_exported_file_gives_back_its_weights(smoke_run: Path, tmp_path: Path) -> None:
    exported = tmp_path / "smoke.onnx"
    result = CliRunner().invoke(main, ["export", str(smoke_run), str(exported)])
    assert result.exit_code == 0, result.output
    before, after = checkpoint.load(smoke_run), checkpoint.load(exported)
    assert after.description == before.description
    torch.testing.assert_close(after.network.state_dict(), before.network.state_dict(), rtol=1e-6, atol=0)


def test_a_file_in_int8_gives_back_its_weights_but_for_the_rounding(smoke_run: Path, tmp_path: Path) -> None:
    exported = tmp_path / "smoke.onnx"
    result = CliRunner().invoke(main, ["export", str(smoke_run), str(exported), "--int8"])
    assert result.exit_code == 0, result.output
    before, after = checkpoint.load(smoke_run), checkpoint.load(exported)
    assert after.description == before.description
    found = after.network.state_dict()
    for name, weights in before.network.state_dict().items():
        if "weight_ih" not in name and "weight_hh" not in name:
            torch.testing.assert_close(found[name], weights, rtol=1e-6, atol=0)
            continue
        step = weights.abs().amax(dim=1, keepdim=True) / MAX_WEIGHT
        in_steps = found[name] / step
        torch.testing.assert_close(in_steps, in_steps.round(), rtol=0, atol=1e-3)
        assert in_steps.abs().max() <= MAX_WEIGHT + 1e-3, name
        assert (in_steps - weights / step).square().mean().sqrt() < 1, name  # a weight may make up for others' errors


def test_a_shipped_model_is_known_by_name(smoke_overrides: list[str], tmp_path: Path) -> None:
    result = run(smoke_overrides, tmp_path / "tuned", "--init", "an4")
    assert result.exit_code == 1
    assert "an4.onnx' has another network than the recipe (" in result.output  # so it was found and read


def test_a_file_that_is_not_a_model_is_one_sentence(smoke_overrides: list[str], tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes((ROOT / "asr" / "models" / "an4.onnx").read_bytes()[:1000])
    result = run(smoke_overrides, tmp_path / "tuned", "--init", str(tmp_path / "cut.onnx"))
    assert result.exit_code == 1
    assert "cut.onnx' is not a valid .onnx file: restore it." in result.output


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_file_without_a_layer_is_one_sentence(
    version: str, smoke_run: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    """Version 2 names the weights, version 1 is read by the order of the nodes."""
    path = tmp_path / "other.onnx"
    assert CliRunner().invoke(main, ["export", str(smoke_run), str(path)]).exit_code == 0
    model = onnx.load(path)
    for node in [node for node in model.graph.node if node.op_type == "LSTM"]:
        model.graph.node.remove(node)
    for weight in [weight for weight in model.graph.initializer if weight.name == "context.layers.0.R"]:
        model.graph.initializer.remove(weight)
    (entry,) = [entry for entry in model.metadata_props if entry.key == "format_version"]
    entry.value = version
    onnx.save(model, path)
    result = run(smoke_overrides, tmp_path / "tuned", "--init", str(path))
    assert result.exit_code == 1
    assert "cannot be fine-tuned because its weights are not in the form that `asr export` writes" in result.output


@pytest.mark.parametrize("options", [[], ["--int8"]])
def test_files_of_version_1_whose_weights_have_no_names_are_read(
    options: list[str], smoke_run: Path, tmp_path: Path
) -> None:
    path, old = tmp_path / "new.onnx", tmp_path / "old.onnx"
    assert CliRunner().invoke(main, ["export", str(smoke_run), str(path), *options]).exit_code == 0
    model = onnx.load(path)
    names = {weight.name: f"weight_{index}" for index, weight in enumerate(model.graph.initializer)}
    assert {"context.layers.0.W", "head.bias", "features.mean"} <= names.keys()
    for weight in model.graph.initializer:
        weight.name = names[weight.name]
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
    (entry,) = [entry for entry in model.metadata_props if entry.key == "format_version"]
    assert entry.value == "2"
    entry.value = "1"
    onnx.save(model, old)
    by_name, by_order = (checkpoint.load(file).network.state_dict() for file in (path, old))
    torch.testing.assert_close(by_name, by_order, rtol=0, atol=0)
