"""Small models of every kind of cell, with random weights, large enough for a wrong gate to show."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from asr import audio
from asr.cells import CellKind
from asr.export.acoustic import build_graph
from asr.export.quantise import calibrate, quantise
from asr.inspect.inspection import Inspection, inspect
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchModel
from asr.recipe.files import recipe_from_tree
from asr.text import CharTokenizer
from asr.training import checkpoint
from asr.transcription.transcriber import Transcriber

KINDS: tuple[CellKind, ...] = get_args(CellKind)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def make(kind: CellKind, phones: Sequence[str] = (), shifts: int = 1) -> TorchModel:
    model = {
        "features": {"bands": 23},
        "frontend": {"channels": 3},
        "context": {"cell": kind, "layers": 2, "hidden": 12},
        "phones": phones,
        "shifts": shifts,
    }
    tree = {"name": f"toy-{kind}", "data": {"train": ["x.jsonl"], "dev": ["x.jsonl"]}, "model": model}
    if phones:
        tree["objective"] = {"pronunciations": "dictionary.txt"}
    recipe = recipe_from_tree(tree, "in the test")
    built = checkpoint.build(recipe, CharTokenizer(recipe.text.alphabet))
    torch.manual_seed(3)
    for parameter in built.network.parameters():
        nn.init.normal_(parameter, std=0.5)
    built.network.features.mean.normal_(-5, 1)
    built.network.features.std.uniform_(1, 3)
    return built


@pytest.fixture(scope="session", params=KINDS)
def toy(request: pytest.FixtureRequest) -> TorchModel:
    return make(request.param)


@pytest.fixture(scope="session")
def toy_with_phones() -> TorchModel:
    return make("lstm", ("AA", "B", "K"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Callable[..., Path]:
    """Export a toy, in float or in int8."""
    folder, files = tmp_path_factory.mktemp("toys"), {}

    def export(model: TorchModel, *, int8: bool = False) -> Path:
        kind = f"{model.network.config.context.cell}{len(model.description.phones)}"
        if (kind, int8) not in files:
            graph = build_graph(model.network.eval(), model.description.to_metadata())
            path = files[kind, int8] = folder / f"{kind}-{int8}.onnx"
            if int8:
                graph = quantise(graph, calibrate(model.network.context, lambda w: model.log_probs([w]), [speech]))
            onnx.save(graph, path)
        return files[kind, int8]

    return export


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """1.8 s of speech."""
    return audio.load(EXAMPLES / "enter.wav", 16_000)


@pytest.fixture(scope="session")
def inspected(exported: Callable[..., Path], speech: np.ndarray) -> Callable[..., Inspection]:
    """What a toy does with the speech, decoded greedily."""
    found: dict[str, Inspection] = {}

    def of(model: TorchModel) -> Inspection:
        kind = model.network.config.context.cell
        if kind not in found:
            path = exported(model)
            found[kind] = inspect(path, Transcriber(OnnxModel(path, threads=1)), speech)
        return found[kind]

    return of
