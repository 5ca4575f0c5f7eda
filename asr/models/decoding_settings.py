"""How a model's log-probs become text unless the user says otherwise: what `asr tune` finds and a model keeps."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from asr.errors import AsrError


OLD_NAMES = {"least_confidence": "min_confidence"}
"""Names in files of format version 1 -> names now."""


@dataclass(frozen=True, kw_only=True)
class Rescoring:
    """How the best texts of a search are put in order once more, with a second language model beside the first."""

    weight: float
    """What the second model's log-probability of a text is multiplied by."""
    lm_weight: float
    """The first language model's weight then."""
    word_bonus: float
    """What each word adds then."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Without tuning: greedy decoding. Log-probabilities are natural logarithms."""

    beam: int = 0
    """Prefixes that the beam search keeps after each frame; 0 decodes greedily."""
    lm_weight: float = 0.5
    """What the language model's log-probabilities are multiplied by."""
    word_bonus: float = 1.0
    """What each word adds to the score of a text."""
    rescoring: Rescoring | None = None
    """None where no second language model was tuned for."""
    temperature: float = 1.0
    """What log-probs are divided by before a word's confidence is read off them (Guo et al. 2017)."""
    min_confidence: float = 0.0
    """A stretch of speech in which the words' mean confidence is lower says nothing: it is music, noise, or a language
    that the model does not know. 0 lets everything be said."""
    lm_size: tuple[int, ...] = ()
    """Of the language model that the weights were tuned with: its n-grams of each order, or an LSTM's parameters."""
    tuned: Mapping[str, Any] = field(default_factory=dict)
    """On what they were tuned, and what came out."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @staticmethod
    def from_dict(found: Mapping[str, Any]) -> "Settings":
        """Read back what `to_dict` gave. Raises AsrError when a name or a value is wrong."""
        fields: dict[str, Any] = {OLD_NAMES.get(name, name): value for name, value in found.items()}
        try:
            again = fields.pop("rescoring", None)
            fields["lm_size"] = tuple(fields.get("lm_size", ()))
            settings = Settings(**fields, rescoring=Rescoring(**again) if again else None)
            numbers = [settings.lm_weight, settings.word_bonus, settings.temperature, *(again or {}).values()]
            is_good = all(map(math.isfinite, numbers)) and settings.temperature > 0 and settings.beam >= 0
            is_good = is_good and 0 <= settings.min_confidence <= 1
        except TypeError as error:
            raise AsrError(f"the settings of the decoding are damaged ({error})") from None
        if not is_good:
            raise AsrError("the settings of the decoding are damaged (a value out of range)")
        return settings
