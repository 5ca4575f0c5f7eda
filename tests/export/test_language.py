"""A language model's graph against its network: at once, in chunks, in batches, and as scores of texts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from asr.cli import main
from asr.errors import DataError, ModelError
from asr.export import cells, language
from asr.lm.lstm import OnnxLanguageModel
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchLanguageModel
from asr.recipe.recipe import LanguageRecipe
from asr.text import CharTokenizer
from asr.training import checkpoint
from asr.training.language import checkpoint as language_checkpoint

TOKENIZER = CharTokenizer(" abc")
TREE = {
    "name": "toy",
    "data": {"train": ["a.txt"], "dev": ["b.txt"]},
    "text": {"alphabet": " abc"},
    "language": {"embedding": 6, "layers": 2, "hidden": 7, "dropout": 0.5},
}
TEXTS = ["ab c", "", "cccc abab", "b"]


@pytest.fixture(scope="module")
def model() -> TorchLanguageModel:
    model = language_checkpoint.build(LanguageRecipe.model_validate(TREE), TOKENIZER)
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model


@pytest.fixture(scope="module")
def exported(model: TorchLanguageModel, tmp_path_factory: pytest.TempPathFactory) -> OnnxLanguageModel:
    path = tmp_path_factory.mktemp("model") / "toy.onnx"
    assert language.export(model, path, TEXTS) < 1e-5
    return OnnxLanguageModel(path)


@torch.no_grad()
def torch_log_probs(model: TorchLanguageModel, tokens: list[int]) -> np.ndarray:
    return model.network.eval()(torch.tensor([tokens]), model.network.start(1))[0][0].numpy()


def test_chunks_and_batches(model: TorchLanguageModel, exported: OnnxLanguageModel) -> None:
    rows = [[0, 2, 1, 4, 3], [0, 3, 3, 1, 2]]
    state = exported.start(2)
    chunks = []
    for chunk in (slice(0, 2), slice(2, 3), slice(3, 5)):
        log_probs, state = exported.log_probs(np.array([row[chunk] for row in rows]), state)
        chunks.append(log_probs)
    for row, log_probs in zip(rows, np.concatenate(chunks, axis=1), strict=True):
        np.testing.assert_allclose(log_probs, torch_log_probs(model, row), rtol=0, atol=1e-5)


def test_a_score_is_the_sum_over_all_tokens_and_the_end(model: TorchLanguageModel, exported: OnnxLanguageModel) -> None:
    for text, score in zip(TEXTS, exported.score(TEXTS), strict=True):
        tokens = [0, *TOKENIZER.encode(text), 0]
        log_probs = torch_log_probs(model, tokens[:-1])
        assert score == pytest.approx(sum(float(row[next_]) for row, next_ in zip(log_probs, tokens[1:], strict=True)))


def test_a_text_outside_the_alphabet_has_no_score(exported: OnnxLanguageModel) -> None:
    with pytest.raises(DataError, match="alphabet"):
        exported.score(["abc", "xyz"])


def test_the_file_describes_itself(model: TorchLanguageModel, exported: OnnxLanguageModel) -> None:
    assert exported.description == model.description


def test_a_file_that_differs_is_not_written(
    model: TorchLanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = cells.onnx_weights

    def wrong(layer):
        weights = original(layer)
        return weights | {"B": weights["B"] + 0.1}

    monkeypatch.setattr(cells, "onnx_weights", wrong)
    with pytest.raises(ModelError, match=r"its log-probs differ from torch's by .* on 4 sentences"):
        language.export(model, tmp_path / "toy.onnx", TEXTS)
    assert not list(tmp_path.iterdir())


def test_acoustic_and_language_models_are_not_interchangeable(
    model: TorchLanguageModel, smoke_model: Path, tmp_path: Path
) -> None:
    language.export(model, tmp_path / "toy.onnx", TEXTS)
    with pytest.raises(ModelError, match="is of the kind `language model`, but a model of the kind `acoustic model`"):
        OnnxModel(tmp_path / "toy.onnx")
    with pytest.raises(ModelError, match="is of the kind `acoustic model`, but a model of the kind `language model`"):
        OnnxLanguageModel(smoke_model)


def test_the_command_exports_a_checkpoint(model: TorchLanguageModel, tmp_path: Path) -> None:
    metadata = {"made_with": "0", "created": "2000-01-01", "scores": {"dev": {"bits_per_character": 2.0}}}
    checkpoint.save(tmp_path / "toy.safetensors", model.network, model.description, **metadata)
    result = CliRunner().invoke(main, ["export", str(tmp_path / "toy.safetensors"), str(tmp_path / "toy.onnx")])
    assert result.exit_code == 0, result.output
    assert "largest difference between its log-probs and torch's: " in result.output
    assert OnnxLanguageModel(tmp_path / "toy.onnx").description.scores == metadata["scores"]
    shown = CliRunner().invoke(main, ["info", str(tmp_path / "toy.onnx")])
    assert (shown.exit_code, "toy" in shown.output) == (0, True), shown.output
