"""Weights on disk: one safetensors file that describes itself with the same metadata as an exported model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from asr.errors import ModelError
from asr.export import weights as onnx_weights
from asr.files import replacing
from asr.models.description import AcousticDescription, ModelDescription, from_metadata
from asr.network.acoustic import AcousticModel
from asr.network.torch_model import TorchModel
from asr.recipe.files import recipe_from_tree
from asr.recipe.recipe import Recipe
from asr.text import Tokenizer

BEST, LAST = "best.safetensors", "last.safetensors"
"""The weights that were best on the dev part, and those of the latest evaluation, in the run folder."""


def build(recipe: Recipe, tokenizer: Tokenizer) -> TorchModel:
    """The recipe's network with the initial weights that its seed gives."""
    torch.manual_seed(recipe.seed)
    network = AcousticModel(recipe.model, tokenizer.size)
    description = AcousticDescription(
        name=recipe.name,
        sample_rate=recipe.model.features.sample_rate,
        frame_shift_s=recipe.model.frame_shift_s,
        tokenizer=tokenizer,
        phones=recipe.model.phones,
        about=recipe.about,
        licence=recipe.licence,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        recipe=recipe.model_dump(mode="json"),
    )
    return TorchModel(network, description)


def initialise(model: TorchModel, path: Path) -> list[str]:
    """Give `model` the weights of a checkpoint of the same network, for fine-tuning.

    The head over tokens is left as it is where the checkpoint's tokens differ, for its rows would mean other
    characters, and so is the head over phones where the phones differ or the checkpoint has none.

    Returns:
        the names of the weights that were left as they were.

    Raises:
        ModelError: the checkpoint cannot be read, or its network has another shape.
    """
    source = load(path)
    weights = source.network.state_dict()
    heads: list[str] = []
    if source.description.tokenizer != model.description.tokenizer:
        heads.append("head.")
    if source.description.phones != model.description.phones:
        heads.append("phone_head.")
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith(tuple(heads))}
    own = model.network.state_dict()
    for name, tensor in weights.items():
        if name not in own or own[name].shape != tensor.shape:
            theirs, ours = tuple(tensor.shape), tuple(own[name].shape) if name in own else "none"
            raise ModelError(
                f"Checkpoint '{path}' has another network than the recipe ({name}: {theirs} against {ours}): copy the "
                "`model` section of its recipe, `--init` cannot change the network's shape."
            )
    missing = [name for name in own if name not in weights and not name.startswith(tuple(heads))]
    if missing:
        raise ModelError(f"Checkpoint '{path}' has a smaller network than the recipe, it lacks {missing[0]}.")
    model.network.load_state_dict(own | weights)
    return [name for name in own if name not in weights]


def save(
    path: Path,
    network: nn.Module,
    description: ModelDescription,
    *,
    made_with: str,
    created: str,
    scores: Mapping[str, Any],
) -> None:
    """Write the weights of a model of any kind and what describes them, atomically."""
    described = replace(description, made_with=made_with, created=created, scores=scores)
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as file:
        file.write(to_bytes(weights, metadata=described.to_metadata()))


def load(path: Path, shifts: int | None = None) -> TorchModel:
    """Read a checkpoint, the best one of a run folder, or the weights of an exported `.onnx` file.

    Args:
        path: of the checkpoint.
        shifts: instead of `model.shifts` in its recipe.

    Raises:
        ModelError: nothing there, damaged, or not made by `asr train` or `asr export`.
        RecipeError: `shifts` does not suit the recipe.
    """
    file = find(path)
    metadata, weights = onnx_weights.read(file) if file.suffix == ".onnx" else read_weights(file)
    description = from_metadata(metadata, f"'{file}'")
    if shifts is not None:
        network = {**description.recipe["model"], "shifts": shifts}
        description = replace(description, recipe={**description.recipe, "model": network})
    model = build(recipe_from_tree(dict(description.recipe), f"in '{file}'"), description.tokenizer)
    try:
        constants = {
            name: part for name, part in model.network.state_dict().items() if name.startswith("features.mel.")
        }
        model.network.load_state_dict(constants | weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"Checkpoint '{file}' does not fit its own recipe ({reason}): restore it.") from None
    return TorchModel(model.network, description)


def kind(path: Path) -> str:
    """What kind of model a checkpoint or a run folder holds, by its description. Raises ModelError."""
    file = find(path)
    if file.suffix == ".onnx":
        return AcousticDescription.kind  # `load` reads no other
    metadata, _ = read_weights(file)
    return metadata.get("kind", AcousticDescription.kind)


def find(path: Path) -> Path:
    """The file: `path` itself, or the best checkpoint in it. Raises ModelError."""
    file = path / BEST if path.is_dir() else path
    if not file.is_file():
        raise ModelError(
            f"Checkpoint '{file}' is not there: give a run folder in which an epoch has ended, or a file such as "
            f"{LAST} in it."
        )
    return file


def read_weights(file: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and weights of a safetensors file."""
    try:
        with safe_open(file, framework="pt") as reader:
            return reader.metadata() or {}, {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"Checkpoint '{file}' is not a whole safetensors file ({error}): restore it.") from None
