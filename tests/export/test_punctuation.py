"""A punctuation model's graph against its network: float and int8, alone and among other texts."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from asr.errors import ModelError
from asr.export import punctuation
from asr.export.punctuation import build_graph, export
from asr.models.description import punctuation_from_metadata
from asr.network.torch_model import TorchPunctuationModel
from asr.readable.pieces import MAX_PIECES, as_rows, pieces
from asr.readable.punctuator import Punctuator
from asr.recipe.recipe import PunctuationRecipe
from asr.text import CharTokenizer
from asr.training.punctuation import checkpoint

TREE = {
    "name": "toy",
    "data": {"train": ["a.txt"], "dev": ["b.txt"]},
    "punctuation": {"rows": 50, "embedding": 6, "channels": 5, "context": {"layers": 2, "hidden": 7, "dropout": 0.3}},
}
TEXTS = [["one"], ["it", "is", "a", "captain"], ["responsibilities", "of", "many", "people", "at", "sea"] * 5]


@pytest.fixture(scope="module")
def model() -> TorchPunctuationModel:
    recipe = PunctuationRecipe.model_validate(TREE)
    model = checkpoint.build(recipe, CharTokenizer(recipe.text.alphabet))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.normal_(std=0.5)
        model.network.embedding.weight[0] = model.network.pauses.weight[0] = 0
    return model


def test_float_graph_equals_torch(model: TorchPunctuationModel, tmp_path: Path) -> None:
    assert export(model, tmp_path / "toy.onnx", TEXTS) < 1e-5
    opened = Punctuator(tmp_path / "toy.onnx")
    assert opened.description == punctuation_from_metadata(model.description.to_metadata(), "here")
    marks, cases = opened.log_probs(TEXTS[1], [0, 1, 2, 3])
    np.testing.assert_allclose(np.exp(marks).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.exp(cases).sum(axis=1), 1, atol=1e-5)
    other, _ = opened.log_probs(TEXTS[1], [0, 1, 5, 3])
    assert not np.allclose(marks, other)


def test_int8_graph_is_near(model: TorchPunctuationModel, tmp_path: Path) -> None:
    assert 1e-5 < export(model, tmp_path / "int8.onnx", TEXTS, int8=True) < 0.1
    types = {weight.name: weight.data_type for weight in onnx.load(tmp_path / "int8.onnx").graph.initializer}
    assert types["embedding.weight"] == onnx.TensorProto.INT8


def test_a_text_gets_the_same_labels_in_a_batch(model: TorchPunctuationModel) -> None:
    network = model.network.eval()
    batch = np.zeros((len(TEXTS), 30, MAX_PIECES), dtype=np.int64)
    lengths = [len(text) for text in TEXTS]
    for row, text in zip(batch, TEXTS, strict=True):
        row[: len(text)] = as_rows(text, 50)
    with torch.no_grad():
        together, _ = network(torch.from_numpy(batch), torch.zeros(3, 30, dtype=torch.long), torch.tensor(lengths))
        for text, labels in zip(TEXTS, together, strict=True):
            rows = torch.from_numpy(as_rows(text, 50))[None]
            alone, _ = network(rows, torch.zeros(1, len(text), dtype=torch.long), torch.tensor([len(text)]))
            torch.testing.assert_close(labels[: len(text)], alone[0])


def test_a_model_that_differs_is_not_written(
    model: TorchPunctuationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(punctuation, "TOLERANCE", 0.0)
    with pytest.raises(ModelError, match="nothing was written"):
        export(model, tmp_path / "toy.onnx", TEXTS)
    assert not (tmp_path / "toy.onnx").exists()


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with pytest.raises(ModelError, match="kind `punctuation model` is needed"):
        Punctuator(root / "asr" / "models" / "an4.onnx")


def test_pieces() -> None:
    assert len(pieces("it", 1000)) == 3  # itself, <it and it>
    assert pieces("aaaa", 1000) == pieces("aaaa", 1000)
    assert len(pieces("a" * 40, 1000)) < len(pieces("responsibilities", 100_000)) <= MAX_PIECES
    assert all(1 <= row < 7 for word in ("captain", "sea") for row in pieces(word, 7))


def test_graph_has_named_weights(model: TorchPunctuationModel) -> None:
    graph = build_graph(model.network.eval(), model.description.to_metadata())
    names = {weight.name for weight in graph.graph.initializer}
    assert {"embedding.weight", "conv.weight", "context.layers.1.W", "marks.head.weight", "cases.head.bias"} <= names
