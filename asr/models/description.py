"""What a model file says of itself: the metadata of an `.onnx` file, written by export and read by everything else."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from asr.errors import AsrError, DataError, ModelError
from asr.models.decoding_settings import Settings
from asr.text import Tokenizer, tokenizer_from_json

FORMAT_VERSION = 2
"""Raised when an older program could no longer run a newer file correctly."""


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """What the files of all kinds of models say."""

    name: str
    tokenizer: Tokenizer
    about: str = ""
    licence: str = ""
    parameters: int = 0
    made_with: str = ""
    """Version of asr that trained the model."""
    created: str = ""
    """Date of the weights."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """What the training measured on its dev part."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The resolved recipe."""

    kind: ClassVar[str]

    def to_metadata(self) -> dict[str, str]:
        """As the strings that an ONNX or safetensors file holds."""
        return {
            "format_version": str(FORMAT_VERSION),
            "kind": self.kind,
            "name": self.name,
            "tokenizer": self.tokenizer.to_json(),
            "about": self.about,
            "licence": self.licence,
            "parameters": str(self.parameters),
            "made_with": self.made_with,
            "created": self.created,
            "scores": json.dumps(self.scores, ensure_ascii=False),
            "recipe": json.dumps(self.recipe, ensure_ascii=False),
        }


@dataclass(frozen=True, kw_only=True)
class LanguageDescription(ModelDescription):
    """What the file of a language model says."""

    kind: ClassVar[str] = "language model"


@dataclass(frozen=True, kw_only=True)
class AcousticDescription(ModelDescription):
    """What the file of an acoustic model says: everything a program needs to use it, and a person to judge it."""

    sample_rate: int
    """Samples per second of the waveform that goes in."""
    frame_shift_s: float
    """Seconds from one row of log-probs to the next."""

    precision: str = "float"
    """How its weights are kept: "float", or "int8" (`asr export --int8`)."""
    decoding: Settings = field(default_factory=Settings)
    """How its log-probs are turned into text."""
    language_model: str = field(default="", repr=False)
    """A packed n-gram model in base64, which belongs to `decoding`; empty for none."""

    kind: ClassVar[str] = "acoustic model"

    def to_metadata(self) -> dict[str, str]:
        """As the strings that an ONNX or safetensors file holds."""
        own = {"sample_rate": str(self.sample_rate), "frame_shift_s": repr(self.frame_shift_s)}
        if self.precision != "float":
            own["precision"] = self.precision
        if self.decoding != Settings():
            own["decoding"] = json.dumps(self.decoding.to_dict(), ensure_ascii=False)
        if self.language_model:
            own["language_model"] = self.language_model
        return super().to_metadata() | own


def from_metadata(metadata: Mapping[str, str], where: str) -> AcousticDescription:
    """Read an acoustic model's. Raises ModelError when the file is another's, damaged, or newer than this program."""
    common = _common(metadata, where, AcousticDescription.kind)
    try:
        sample_rate, frame_shift_s = int(metadata["sample_rate"]), float(metadata["frame_shift_s"])
    except (KeyError, ValueError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({error}): export it again.") from None
    if not (sample_rate > 0 and 0 < frame_shift_s < math.inf):
        raise ModelError(f"Model {where} has damaged metadata (a value out of range): export it again.")
    try:
        decoding = Settings.from_dict(json.loads(metadata.get("decoding", "{}")))
    except (ValueError, AttributeError, AsrError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({error}): tune or export it again.") from None
    return AcousticDescription(
        **common,
        sample_rate=sample_rate,
        frame_shift_s=frame_shift_s,
        precision=metadata.get("precision", "float"),
        decoding=decoding,
        language_model=metadata.get("language_model", ""),
    )


def language_from_metadata(metadata: Mapping[str, str], where: str) -> LanguageDescription:
    """The same for a language model."""
    return LanguageDescription(**_common(metadata, where, LanguageDescription.kind))


def _common(metadata: Mapping[str, str], where: str, kind: str) -> dict[str, Any]:
    """The fields that all kinds of models have."""
    version = metadata.get("format_version", "")
    if not version.isdecimal():
        raise ModelError(f"Model {where} says nothing of an asr format version: give a file made by `asr export`.")
    if int(version) > FORMAT_VERSION:
        raise ModelError(
            f"Model {where} has format version {version}, and this version of asr reads up to {FORMAT_VERSION}: "
            "upgrade asr."
        )
    found = metadata.get("kind", AcousticDescription.kind)  # the first files had no kind
    if found != kind:
        raise ModelError(f"Model {where} is of the kind `{found}`, and here one of the kind `{kind}` is needed.")
    try:
        fields = {
            "name": metadata["name"],
            "tokenizer": tokenizer_from_json(metadata["tokenizer"]),
            "about": metadata["about"],
            "licence": metadata["licence"],
            "parameters": int(metadata["parameters"]),
            "made_with": metadata["made_with"],
            "created": metadata["created"],
            "scores": json.loads(metadata["scores"]),
            "recipe": json.loads(metadata["recipe"]),
        }
    except ModelError as error:
        raise ModelError(f"Model {where}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, DataError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({error}): export it again.") from None
    if not (isinstance(fields["recipe"], dict) and isinstance(fields["scores"], dict)):
        raise ModelError(f"Model {where} has damaged metadata (a value out of range): export it again.")
    return fields
