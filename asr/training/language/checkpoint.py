"""Language models on disk, as those of acoustic models: weights in safetensors, all else in its metadata."""

from pathlib import Path

import torch

from asr.errors import ModelError
from asr.models.description import LanguageDescription, language_from_metadata
from asr.network.language import LanguageModel
from asr.network.torch_model import TorchLanguageModel
from asr.recipe.files import language_recipe_from_tree
from asr.recipe.recipe import LanguageRecipe
from asr.text import Tokenizer
from asr.training.checkpoint import find, read_weights


def build(recipe: LanguageRecipe, tokenizer: Tokenizer) -> TorchLanguageModel:
    """The recipe's network with the initial weights that its seed gives."""
    torch.manual_seed(recipe.seed)
    network = LanguageModel(recipe.language, tokenizer.size)
    description = LanguageDescription(
        name=recipe.name,
        tokenizer=tokenizer,
        about=recipe.about,
        licence=recipe.licence,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        recipe=recipe.model_dump(mode="json"),
    )
    return TorchLanguageModel(network, description)


def load(path: Path) -> TorchLanguageModel:
    """Read a checkpoint, or the best one of a run folder.

    Raises:
        ModelError: nothing there, damaged, or not a language model made by `asr train`.
    """
    file = find(path)
    metadata, weights = read_weights(file)
    description = language_from_metadata(metadata, f"'{file}'")
    model = build(language_recipe_from_tree(dict(description.recipe), f"in '{file}'"), description.tokenizer)
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"Checkpoint '{file}' does not fit its own recipe ({reason}): restore it.") from None
    return TorchLanguageModel(model.network, description)
