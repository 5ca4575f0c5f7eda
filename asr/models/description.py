"""The metadata of a model file, written by export and read by everything else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from asr.audio.rates import MAX_RATE, MIN_RATE
from asr.errors import AsrError, DataError, ModelError
from asr.models import metadata as checks
from asr.models.decoding_settings import Settings
from asr.text import FIRST_PHONE, Tokenizer, tokenizer_from_json

MAX_DIGITS = 9
"""Of a format version."""

FORMAT_VERSION = 3
"""Newest format. It is incremented when older versions of asr could no longer run newer files correctly."""
FORMAT_VERSION_WITHOUT_PHONES = 2
"""Format of files without a head over phones, which older versions can run."""
MAX_PHONES = 1000

LOWEST_LEVEL_DB = -18.0
"""Level to which quieter audio is brought before a model that is trained now hears it, in dB relative to full scale."""
OLD_LOWEST_LEVEL_DB = -27.0
"""That of models whose file does not state it."""


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """Metadata of all kinds of models."""

    name: str
    tokenizer: Tokenizer
    about: str = ""
    licence: str = ""
    parameters: int = 0
    made_with: str = ""
    """Version of asr that trained the model."""
    created: str = ""
    """Date on which the weights were created."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Scores on the dev set, measured during training."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The resolved recipe."""

    kind: ClassVar[str]

    def to_metadata(self) -> dict[str, str]:
        """Convert to the strings that ONNX and safetensors files store."""
        return {
            "format_version": str(FORMAT_VERSION_WITHOUT_PHONES),
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
    """Metadata of a language model."""

    kind: ClassVar[str] = "language model"


@dataclass(frozen=True, kw_only=True)
class PunctuationDescription(ModelDescription):
    """Metadata of a punctuation model, whose tokenizer is the alphabet of its words."""

    kind: ClassVar[str] = "punctuation model"


@dataclass(frozen=True, kw_only=True)
class AcousticDescription(ModelDescription):
    """Metadata of an acoustic model: everything needed to run and to assess it."""

    sample_rate: int
    """Sample rate of the input waveform in Hz."""
    frame_shift_s: float
    """Time in seconds between rows of log-probs."""

    phones: tuple[str, ...] = ()
    """Names of the phones of a second head; empty for none."""
    lowest_level_db: float = LOWEST_LEVEL_DB
    """Level to which quieter audio is brought before the model hears it, as in its training; see `level_db`."""
    precision: str = "float"
    """Precision of the weights: "float", or "int8" (`asr export --int8`)."""
    decoding: Settings = field(default_factory=Settings)
    """Default settings for decoding its log-probs."""
    language_model: str = field(default="", repr=False)
    """The packed n-gram model to use with `decoding`, in base64; empty for none."""
    lexicon: str = field(default="", repr=False)
    """The packed pronunciations of its words, for a search over phones, in base64; empty for none."""

    kind: ClassVar[str] = "acoustic model"

    @property
    def columns(self) -> int:
        """Columns of the log-probs: the tokens, and with phones then their blank, the word boundary and the phones."""
        return self.tokenizer.size + (FIRST_PHONE + len(self.phones) if self.phones else 0)

    def to_metadata(self) -> dict[str, str]:
        """Convert to the strings that ONNX and safetensors files store."""
        fields = {
            "sample_rate": str(self.sample_rate),
            "frame_shift_s": repr(self.frame_shift_s),
            "lowest_level_db": repr(self.lowest_level_db),
        }
        if self.phones:
            fields["format_version"] = str(FORMAT_VERSION)
            fields["phones"] = json.dumps(self.phones, ensure_ascii=False)
        if self.precision != "float":
            fields["precision"] = self.precision
        if self.decoding != Settings():
            fields["decoding"] = json.dumps(self.decoding.to_dict(), ensure_ascii=False)
        if self.language_model:
            fields["language_model"] = self.language_model
        if self.lexicon:
            fields["lexicon"] = self.lexicon
        return super().to_metadata() | fields


def from_metadata(metadata: Mapping[str, str], where: str) -> AcousticDescription:
    """Parse the metadata of an acoustic model. Raises ModelError if it is foreign, damaged, or too new."""
    common = _common(metadata, where, AcousticDescription.kind)
    try:
        sample_rate = checks.integer(metadata["sample_rate"], "sample_rate", MIN_RATE, MAX_RATE)
        frame_shift_s = checks.real(metadata["frame_shift_s"], "frame_shift_s", 0.001, 1.0)
        lowest_level_db = checks.real(metadata.get("lowest_level_db", OLD_LOWEST_LEVEL_DB), "lowest_level_db", -100, 0)
        phones = _phones(metadata["phones"]) if "phones" in metadata else ()
        precision = checks.string(metadata.get("precision", "float"), "precision", 100)
        decoding = Settings.from_dict(checks.parse_object(metadata.get("decoding", "{}"), "decoding"))
    except (KeyError, ValueError, AsrError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({checks.reason_of(error)}): export it again.") from None
    language_model, lexicon = metadata.get("language_model", ""), metadata.get("lexicon", "")
    if not (language_model + lexicon).isascii():
        raise ModelError(f"Model {where} has a damaged language model, which is not base64: tune it again.")
    description = AcousticDescription(
        **common,
        sample_rate=sample_rate,
        frame_shift_s=frame_shift_s,
        phones=phones,
        lowest_level_db=lowest_level_db,
        precision=precision,
        decoding=decoding,
        language_model=language_model,
        lexicon=lexicon,
    )
    if len(decoding.log_prior) not in {0, description.columns}:
        raise ModelError(
            f"Model {where} has a prior of {len(decoding.log_prior)} columns instead of {description.columns}: tune it "
            "again."
        )
    return description


def _phones(text: str) -> tuple[str, ...]:
    """Parse the names of the phones. Raises ValueError."""
    names = checks.parse_json(text)
    if not isinstance(names, list) or not 1 < len(names) <= MAX_PHONES:
        raise ValueError(f"`phones` is not a list of 2 to {MAX_PHONES:,} names")
    phones = tuple(map(checks.token, names))
    if len(set(phones)) < len(phones) or any(name.split() != [name] for name in phones):
        raise ValueError("`phones` must be different names without white space")
    return phones


def language_from_metadata(metadata: Mapping[str, str], where: str) -> LanguageDescription:
    """Parse the metadata of a language model. Raises ModelError like `from_metadata`."""
    return LanguageDescription(**_common(metadata, where, LanguageDescription.kind))


def punctuation_from_metadata(metadata: Mapping[str, str], where: str) -> PunctuationDescription:
    """Parse the metadata of a punctuation model. Raises ModelError like `from_metadata`."""
    return PunctuationDescription(**_common(metadata, where, PunctuationDescription.kind))


def _common(metadata: Mapping[str, str], where: str, kind: str) -> dict[str, Any]:
    """Parse the fields that all kinds of models share."""
    version = metadata.get("format_version", "")
    if not (version.isascii() and version.isdecimal()):
        raise ModelError(
            f"Model {where} has no asr format version in its metadata: give a file written by `asr export`."
        )
    if len(version) > MAX_DIGITS or int(version) > FORMAT_VERSION:
        raise ModelError(
            f"Model {where} has format version {version[:20]}, but this version of asr only reads up to "
            f"{FORMAT_VERSION}: "
            "upgrade asr."
        )
    actual_kind = metadata.get("kind", AcousticDescription.kind)  # the first files had no kind
    if actual_kind != kind:
        raise ModelError(
            f"Model {where} is of the kind `{actual_kind[:40]}`, but a model of the kind `{kind}` is needed."
        )
    try:
        texts = {key: checks.string(metadata[key], key) for key in ("name", "about", "licence", "made_with", "created")}
        scores = checks.parse_object(metadata["scores"], "scores")
        checks.evaluations(scores)
        return {
            **texts,
            "tokenizer": tokenizer_from_json(metadata["tokenizer"]),
            "parameters": checks.integer(metadata["parameters"], "parameters", 0, 10**12),
            "scores": scores,
            "recipe": checks.parse_object(metadata["recipe"], "recipe"),
        }
    except ModelError as error:
        raise ModelError(f"Model {where}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, DataError) as error:
        raise ModelError(f"Model {where} has damaged metadata ({checks.reason_of(error)}): export it again.") from None
