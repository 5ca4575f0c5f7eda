"""Every cell as a node of ONNX, in float and int8: equal to torch, alone and in batches, and read back."""

from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from asr.cells import CellKind
from asr.export import language, weights
from asr.export.acoustic import build_graph
from asr.export.quantise import calibrate, quantise, to_int8, to_int8_for
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchModel
from asr.recipe.files import recipe_from_tree
from asr.recipe.recipe import LanguageRecipe
from asr.text import CharTokenizer
from asr.training import checkpoint
from asr.training.language import checkpoint as language_checkpoint

KINDS: tuple[CellKind, ...] = get_args(CellKind)
WAVEFORMS = [
    (np.random.default_rng(seed).normal(size=size) * 0.1).astype(np.float32)
    for seed, size in enumerate((9_000, 20_000, 14_000))
]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> TorchModel:
    """Random weights, large enough for a wrong gate to show."""
    model = {
        "features": {"bands": 23},
        "frontend": {"channels": 3},
        "context": {"cell": request.param, "layers": 2, "hidden": 12},
    }
    tree = {"name": "toy", "data": {"train": ["x.jsonl"], "dev": ["x.jsonl"]}, "model": model}
    recipe = recipe_from_tree(tree, "in the test")
    built = checkpoint.build(recipe, CharTokenizer(recipe.text.alphabet))
    torch.manual_seed(0)
    for parameter in built.network.parameters():
        nn.init.normal_(parameter, std=0.4)
    built.network.features.mean.normal_(-5, 1)
    built.network.features.std.uniform_(1, 3)
    return built


def exported(model: TorchModel, path: Path, *, int8: bool = False) -> OnnxModel:
    graph = build_graph(model.network.eval(), model.description.to_metadata())
    if int8:
        calibrations = calibrate(model.network.context, lambda wave: model.log_probs([wave]), WAVEFORMS)
        graph = quantise(graph, calibrations)
    onnx.save(graph, path)
    return OnnxModel(path, threads=1)


def test_a_float_graph_equals_torch_alone_and_in_a_batch(model: TorchModel, tmp_path: Path) -> None:
    opened = exported(model, tmp_path / "m.onnx")
    for expected, batched, waveform in zip(
        model.log_probs(WAVEFORMS), opened.log_probs(WAVEFORMS), WAVEFORMS, strict=True
    ):
        np.testing.assert_allclose(batched, expected, rtol=0, atol=1e-4)
        np.testing.assert_allclose(opened.log_probs([waveform])[0], expected, rtol=0, atol=1e-4)


def test_int8_is_close_and_does_not_depend_on_the_batch(model: TorchModel, tmp_path: Path) -> None:
    opened = exported(model, tmp_path / "m.onnx", int8=True)
    is_gru = model.network.config.context.cell == "gru"
    assert opened.description.precision == ("int8-weights" if is_gru else "int8")
    expected = model.log_probs(WAVEFORMS)
    together = opened.log_probs(WAVEFORMS)
    difference = np.concatenate([a - b for a, b in zip(expected, together, strict=True)])
    assert 1e-4 < np.sqrt(np.mean(difference**2)) < 0.1
    for batched, waveform in zip(together, WAVEFORMS, strict=True):
        np.testing.assert_allclose(opened.log_probs([waveform])[0], batched, rtol=0, atol=2e-5)


@pytest.mark.parametrize("int8", [False, True])
def test_weights_are_read_back(model: TorchModel, tmp_path: Path, int8: bool) -> None:
    path = tmp_path / "m.onnx"
    exported(model, path, int8=int8)
    _, read_back = weights.read(path)
    recipe = checkpoint.build(
        recipe_from_tree(dict(model.description.recipe), "in the test"), model.description.tokenizer
    )
    recipe.network.load_state_dict(read_back, strict=False)
    parameters = dict(recipe.network.named_parameters())
    assert parameters.keys() <= read_back.keys()
    calibrations = calibrate(model.network.context, lambda wave: model.log_probs([wave]), WAVEFORMS)
    for name, expected in model.network.named_parameters():
        if int8 and "weight_" in name:
            layer = calibrations[int(name.split(".")[2])]
            products = layer.inputs if "weight_ih" in name else layer.outputs[int(".back." in name)]
            is_gru = model.network.config.context.cell == "gru"  # rounded to the nearest
            rows = expected.detach().numpy()
            quantised, scales = to_int8(rows) if is_gru else to_int8_for(rows, products)
            np.testing.assert_allclose(parameters[name].detach(), quantised * scales[:, None], rtol=0, atol=1e-6)
        else:
            torch.testing.assert_close(parameters[name], expected, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_language_model_of_every_cell_equals_torch(kind: CellKind, tmp_path: Path) -> None:
    tree = {
        "name": "toy",
        "data": {"train": ["a.txt"], "dev": ["b.txt"]},
        "text": {"alphabet": " abc"},
        "language": {"cell": kind, "embedding": 6, "layers": 2, "hidden": 7},
    }
    model = language_checkpoint.build(LanguageRecipe.model_validate(tree), CharTokenizer(" abc"))
    for parameter in model.network.parameters():
        nn.init.normal_(parameter, std=0.7)
    path = tmp_path / "lm.onnx"
    assert language.export(model, path, ["ab c", "", "cccc abab", "b"]) < 1e-5
    opened = language.OnnxLanguageModel(path)
    whole, end = opened.log_probs(np.array([[0, 1, 2, 3, 1]]), opened.start())
    first, state = opened.log_probs(np.array([[0, 1]]), opened.start())
    second, last = opened.log_probs(np.array([[2, 3, 1]]), state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)
    np.testing.assert_allclose(last, end, atol=1e-6)
