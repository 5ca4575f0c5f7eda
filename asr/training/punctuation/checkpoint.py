"""Punctuation models on disk, as those of acoustic models: weights in safetensors, all else in its metadata."""

from pathlib import Path

import torch

from asr.errors import ModelError
from asr.models.description import PunctuationDescription, punctuation_from_metadata
from asr.network.punctuation import PunctuationModel
from asr.network.torch_model import TorchPunctuationModel
from asr.recipe.files import punctuation_recipe_from_tree
from asr.recipe.recipe import PunctuationRecipe
from asr.text import Tokenizer
from asr.training.checkpoint import find, read_weights


def build(recipe: PunctuationRecipe, tokenizer: Tokenizer) -> TorchPunctuationModel:
    """The recipe's network with the initial weights that its seed gives."""
    torch.manual_seed(recipe.seed)
    network = PunctuationModel(recipe.punctuation)
    description = PunctuationDescription(
        name=recipe.name,
        tokenizer=tokenizer,
        about=recipe.about,
        licence=recipe.licence,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        recipe=recipe.model_dump(mode="json"),
    )
    return TorchPunctuationModel(network, description)


def load(path: Path) -> TorchPunctuationModel:
    """Read a checkpoint, or the best one of a run folder.

    Raises:
        ModelError: nothing there, damaged, or not a punctuation model made by `asr train`.
    """
    file = find(path)
    metadata, weights = read_weights(file)
    description = punctuation_from_metadata(metadata, f"'{file}'")
    model = build(punctuation_recipe_from_tree(dict(description.recipe), f"in '{file}'"), description.tokenizer)
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"Checkpoint '{file}' does not fit its own recipe ({reason}): restore it.") from None
    return TorchPunctuationModel(model.network, description)
