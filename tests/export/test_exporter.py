"""The exported graph agrees with torch, uses only standard operators, and is not written if it differs."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from asr.cli import main
from asr.data.manifest import Utterance, read
from asr.errors import ModelError
from asr.export import exporter
from asr.export.acoustic import build_graph, fourier_kernel
from asr.models.session import OnnxModel
from asr.recipe.files import recipe_from_tree
from asr.recipe.recipe import Recipe
from asr.text import CharTokenizer
from asr.training import checkpoint


def recipe(**model) -> Recipe:
    data = {"train": ["x.jsonl"], "dev": ["x.jsonl"]}
    return recipe_from_tree({"name": "toy", "data": data, "model": model}, "in the test")


def random_model(recipe: Recipe, seed: int) -> checkpoint.TorchModel:
    """Random weights and statistics, including the norms', so that nothing is an identity."""
    model = checkpoint.build(recipe, CharTokenizer(recipe.text.alphabet))
    torch.manual_seed(seed)
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.network.features.mean.normal_(-5, 1)
    model.network.features.std.uniform_(1, 3)
    return model


@pytest.mark.parametrize(("time_reduction", "shifts"), [(2, 1), (4, 1), (8, 1), (2, 2), (4, 2), (8, 8)])
@pytest.mark.parametrize("layers", [1, 3])
def test_random_weights_give_torchs_log_probs(time_reduction: int, shifts: int, layers: int, tmp_path: Path) -> None:
    model = random_model(
        recipe(
            features={"bands": 23, "window_ms": 20},
            frontend={"channels": 3, "time_reduction": time_reduction},
            context={"layers": layers, "hidden": 12},
            shifts=shifts,
        ),
        seed=time_reduction,
    )
    path = tmp_path / "toy.onnx"
    onnx.save(build_graph(model.network.eval(), model.description.to_metadata()), path)
    exported = OnnxModel(path, threads=1)
    random = np.random.default_rng(0)
    waveforms = [(random.normal(size=size) * 0.1).astype(np.float32) for size in (1, 319, 320, 321, 3000, 20_001)]
    for batches in ([w] for w in waveforms), [waveforms], [waveforms[::-1]]:
        for batch in batches:
            for actual, expected in zip(exported.log_probs(batch), model.log_probs(batch), strict=True):
                np.testing.assert_allclose(actual, expected, atol=2e-4)


def test_samples_beyond_the_lengths_are_ignored(tmp_path: Path) -> None:
    """A caller in another language may not initialise them."""
    model = random_model(recipe(frontend={"channels": 3}, context={"layers": 1, "hidden": 8}), seed=1)
    path = tmp_path / "toy.onnx"
    onnx.save(build_graph(model.network.eval(), model.description.to_metadata()), path)
    session = onnxruntime.InferenceSession(path)
    waveform = np.random.default_rng(0).normal(size=(2, 9000)).astype(np.float32)
    waveform[1, 5000:] = np.nan
    lengths = np.array([9000, 100])
    clean = waveform.copy()
    clean[1, 100:] = 0
    outputs = [session.run(None, {"waveform": w, "lengths": lengths}) for w in (waveform, clean)]
    (a, frames), (b, _) = [[np.asarray(array) for array in pair] for pair in outputs]
    np.testing.assert_allclose(a[1, : frames[1]], b[1, : frames[1]], atol=1e-6)


def test_the_kernel_is_the_fourier_transform() -> None:
    random = np.random.default_rng(3)
    window, signal = random.uniform(size=50), random.normal(size=50)
    spectrum = np.fft.rfft(window * signal)
    product = fourier_kernel(window)[:, 0] @ signal
    np.testing.assert_allclose(product, np.concatenate([spectrum.real, spectrum.imag]), atol=1e-12)


def test_only_standard_operators_and_no_external_data(smoke_model: Path) -> None:
    model = onnx.load(smoke_model)
    assert {node.domain for node in model.graph.node} == {""}
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert [node.op_type for node in model.graph.node].count("LSTM") == 1
    assert {i.name for i in model.graph.input} == {"waveform", "lengths"}
    assert {o.name for o in model.graph.output} == {"log_probs", "output_lengths"}


def test_the_file_describes_itself(smoke_model: Path, smoke_run: Path) -> None:
    torch_side, onnx_side = checkpoint.load(smoke_run).description, OnnxModel(smoke_model).description
    assert onnx_side == torch_side
    assert onnx_side.recipe["optimiser"]["learning_rate"] == 1e-2
    result = CliRunner().invoke(main, ["info", str(smoke_model), "--json"])
    facts = json.loads(result.stdout)
    assert facts["tokenizer"] == {"type": "characters", "alphabet": " abcdef"}
    assert facts["parameters"] == sum(p.numel() for p in checkpoint.load(smoke_run).network.parameters())
    assert "shows that training works" in CliRunner().invoke(main, ["info", str(smoke_model)]).stdout


def test_exported_model_and_checkpoint_give_the_same_words(
    smoke_model: Path, smoke_run: Path, smoke_corpus: Path
) -> None:
    reports = [
        CliRunner().invoke(main, ["evaluate", str(model), str(smoke_corpus / "train.jsonl"), "--json"])
        for model in (smoke_model, smoke_run)
    ]
    onnx_side, torch_side = (json.loads(result.stdout) for result in reports)
    utterances = [
        [(u["id"], u["hypothesis"], u["pairs"]) for u in side["utterances"]] for side in (onnx_side, torch_side)
    ]
    assert utterances[0] == utterances[1]
    assert onnx_side["summary"]["words"]["reference"] > 200


def test_a_graph_that_differs_is_not_written(
    smoke_run: Path, smoke_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(network, metadata):
        with torch.no_grad():
            network.head.bias[3] += 0.01
        graph = build_graph(network, metadata)
        with torch.no_grad():
            network.head.bias[3] -= 0.01
        return graph

    monkeypatch.setattr(exporter, "build_graph", wrong)
    model, speech = checkpoint.load(smoke_run), read(smoke_corpus / "dev.jsonl")
    with pytest.raises(ModelError, match=r"differ from torch's by 0\.01.*nothing was written"):
        exporter.export(model, tmp_path / "x.onnx", speech)
    assert list(tmp_path.iterdir()) == []


def test_a_nan_in_the_weights_is_not_written(smoke_run: Path, smoke_corpus: Path, tmp_path: Path) -> None:
    model = checkpoint.load(smoke_run)
    with torch.no_grad():
        model.network.head.bias[0] = float("nan")
    with pytest.raises(ModelError, match="nothing was written"):
        exporter.export(model, tmp_path / "x.onnx", read(smoke_corpus / "dev.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_models_with_different_numbers_of_frames_differ_infinitely(smoke_run: Path, smoke_corpus: Path) -> None:
    speech: list[Utterance] = read(smoke_corpus / "dev.jsonl")[:2]
    model = checkpoint.load(smoke_run)

    @dataclasses.dataclass
    class Shorter:
        description = model.description

        def log_probs(self, waveforms):
            return [rows[:-1] for rows in model.log_probs(waveforms)]

    assert exporter.largest_difference(model, Shorter(), speech) == float("inf")


@pytest.mark.parametrize("int8", [False, True])
def test_a_head_over_phones_is_exported_and_read_back(int8: bool, smoke_corpus: Path, tmp_path: Path) -> None:
    tree = {
        "name": "toy",
        "data": {"train": ["x.jsonl"], "dev": ["x.jsonl"]},
        "model": {"frontend": {"channels": 3}, "context": {"layers": 2, "hidden": 12}, "phones": ["AA", "B", "K"]},
        "objective": {"pronunciations": "dictionary.txt"},
    }
    model = random_model(recipe_from_tree(tree, "in the test"), seed=1)
    speech = read(smoke_corpus / "dev.jsonl")[:5]
    path = tmp_path / "toy.onnx"
    difference = exporter.export(model, path, speech, int8=int8)
    assert difference < (exporter.INT8_TOLERANCE if int8 else 2e-4)
    exported = OnnxModel(path, threads=1)
    assert exported.description.phones == ("AA", "B", "K")
    (log_probs,) = exported.log_probs([np.zeros(16_000, np.float32)])
    tokens = exported.description.tokenizer.size
    assert log_probs.shape[1] == exported.description.columns == tokens + 5
    for group in (log_probs[:, :tokens], log_probs[:, tokens:]):
        np.testing.assert_allclose(np.exp(group).sum(axis=1), 1, atol=1e-5)
    again = checkpoint.load(path)
    assert again.description == model.description
    for name in ("weight", "bias"):
        expected = model.network.state_dict()[f"phone_head.{name}"]
        torch.testing.assert_close(again.network.state_dict()[f"phone_head.{name}"], expected, rtol=0, atol=0)


def test_a_file_without_the_columns_of_its_phones_is_refused(tmp_path: Path) -> None:
    model = random_model(recipe(frontend={"channels": 3}, context={"layers": 1, "hidden": 8}), seed=1)
    described = dataclasses.replace(model.description, phones=("AA", "B"))
    path = tmp_path / "toy.onnx"
    onnx.save(build_graph(model.network.eval(), described.to_metadata()), path)
    with pytest.raises(ModelError, match="has no output log_probs for its 29 tokens and 2 phones: export it again"):
        OnnxModel(path)
