"""Read the weights of an exported file back as those of a network, so that a shipped model can be fine-tuned."""

from pathlib import Path

import torch
from torch import Tensor

from asr.errors import ModelError
from asr.models import graph
from asr.models.weights import network_weights

Weights = dict[str, Tensor]


def read(path: Path) -> tuple[dict[str, str], Weights]:
    """Read the metadata, and the weights under their names in an `AcousticModel`, without constants.

    Raises:
        ModelError: the file cannot be read, or was not written by `asr export`.
    """
    model = graph.read(path)
    metadata = {key: value for key, value in model.metadata.items() if key != "precision"}
    try:
        weights = network_weights(model)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"Model '{path}' cannot be fine-tuned because its weights are not in the form that `asr export` writes: "
            "start from the run folder or checkpoint that it was exported from."
        ) from error
    return metadata, {name: torch.from_numpy(array) for name, array in weights.items()}
