"""What a model file says of itself: the metadata of an `.onnx` file, written by export and read by everything else."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asr.errors import DataError, ModelError
from asr.text import Tokenizer, tokenizer_from_json

FORMAT_VERSION = 1
"""Raised when an older program could no longer run a newer file correctly."""


@dataclass(frozen=True)
class Description:
    """Everything a program needs to use a model, and a person to judge it."""

    name: str
    sample_rate: int
    """Samples per second of the waveform that goes in."""
    frame_shift_s: float
    """Seconds from one row of log-probs to the next."""
    tokenizer: Tokenizer
    about: str = ""
    licence: str = ""
    parameters: int = 0
    made_with: str = ""
    """Version of asr that trained the model."""
    created: str = ""
    """Date of the weights."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """What the training measured on its dev manifests."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The resolved recipe."""

    def to_metadata(self) -> dict[str, str]:
        """As the strings that an ONNX file holds."""
        return {
            "format_version": str(FORMAT_VERSION),
            "name": self.name,
            "sample_rate": str(self.sample_rate),
            "frame_shift_s": repr(self.frame_shift_s),
            "tokenizer": self.tokenizer.to_json(),
            "about": self.about,
            "licence": self.licence,
            "parameters": str(self.parameters),
            "made_with": self.made_with,
            "created": self.created,
            "scores": json.dumps(self.scores, ensure_ascii=False),
            "recipe": json.dumps(self.recipe, ensure_ascii=False),
        }


def from_metadata(metadata: Mapping[str, str], where: str) -> Description:
    """Read it back. Raises ModelError when the file is not ours, damaged, or newer than this program."""
    version = metadata.get("format_version", "")
    if not version.isdecimal():
        raise ModelError(f"Model {where} says nothing of an asr format version: give a file made by `asr export`.")
    if int(version) > FORMAT_VERSION:
        raise ModelError(
            f"Model {where} has format version {version}, and this version of asr reads up to {FORMAT_VERSION}: "
            "upgrade asr."
        )
    try:
        description = Description(
            name=metadata["name"],
            sample_rate=int(metadata["sample_rate"]),
            frame_shift_s=float(metadata["frame_shift_s"]),
            tokenizer=tokenizer_from_json(metadata["tokenizer"]),
            about=metadata["about"],
            licence=metadata["licence"],
            parameters=int(metadata["parameters"]),
            made_with=metadata["made_with"],
            created=metadata["created"],
            scores=json.loads(metadata["scores"]),
            recipe=json.loads(metadata["recipe"]),
        )
    except ModelError as error:
        raise ModelError(f"Model {where}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, DataError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({error}): export it again.") from None
    numbers_are_good = description.sample_rate > 0 and 0 < description.frame_shift_s < math.inf
    if not (numbers_are_good and isinstance(description.recipe, dict) and isinstance(description.scores, dict)):
        raise ModelError(f"Model {where} has damaged metadata (a value out of range): export it again.")
    return description
