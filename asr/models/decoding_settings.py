"""Default decoding settings of a model, as found by `asr tune` and stored in the model file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from asr.errors import AsrError
from asr.models import metadata as checks

MAX_BEAM = 10_000
"""Widest beam, as on the command line."""

OLD_NAMES = {"least_confidence": "min_confidence"}
"""Names in files of format version 1 -> current names."""


@dataclass(frozen=True, kw_only=True)
class Rescoring:
    """Weights for rescoring the n-best list of a search with a second language model."""

    weight: float
    """Weight of the second language model's log-probability."""
    lm_weight: float
    """Weight of the first language model when rescoring."""
    word_bonus: float
    """Score bonus per word when rescoring."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Decoding settings; the defaults are greedy decoding. Log-probabilities are natural logarithms."""

    beam: int = 0
    """Beam width: number of prefixes to keep after each frame; 0 decodes greedily."""
    lm_weight: float = 0.5
    """Weight of the language model's log-probabilities."""
    word_bonus: float = 1.0
    """Score bonus per word."""
    rescoring: Rescoring | None = None
    """None if the model was not tuned with a second language model."""
    temperature: float = 1.0
    """Softmax temperature for word confidence: log-probs are divided by it (Guo et al. 2017)."""
    min_confidence: float = 0.0
    """Stretches of speech in which the mean word confidence is lower are dropped as music, noise, or a language that
    the model does not know. 0 keeps everything."""
    log_prior: tuple[float, ...] = ()
    """Is subtracted from the log-probs before a search with a language model: one number for each of their columns, or
    none. In proportion to how often the model says each token on the dev set."""
    lm_size: tuple[int, ...] = ()
    """Size of the language model used in tuning: number of n-grams per order, or of LSTM parameters."""
    tuned: Mapping[str, Any] = field(default_factory=dict)
    """Data and results of the tuning."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to a JSON-compatible dict."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Settings":
        """Parse the output of `to_dict`. Raises AsrError if a name or a value is invalid."""
        fields: dict[str, Any] = {OLD_NAMES.get(name, name): value for name, value in values.items()}
        try:
            rescoring = fields.pop("rescoring", None)
            fields["lm_size"] = tuple(fields.get("lm_size", ()))
            fields["log_prior"] = tuple(fields.get("log_prior", ()))
            settings = Settings(**fields, rescoring=Rescoring(**rescoring) if rescoring else None)
            checks.integer(settings.beam, "beam", 0, MAX_BEAM)
            checks.real(settings.temperature, "temperature", 1e-3, 1e3)
            checks.real(settings.min_confidence, "min_confidence", 0.0, 1.0)
            for key in ("lm_weight", "word_bonus"):
                checks.real(getattr(settings, key), key, -1e6, 1e6)
            for key, value in (rescoring or {}).items():
                checks.real(value, key, -1e6, 1e6)
            for value in settings.log_prior:
                checks.real(value, "log_prior", -1e3, 1e3)
            for count in settings.lm_size:
                checks.integer(count, "lm_size", 0, 10**12)
        except (TypeError, ValueError) as error:
            raise AsrError(f"the decoding settings are damaged: {error}") from None
        return settings
