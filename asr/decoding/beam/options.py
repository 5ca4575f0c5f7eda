"""How much a beam search searches, and what counts beside the sound."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from asr.errors import AsrError


@dataclass(frozen=True, slots=True)
class BeamOptions:
    """How much is searched, and what counts beside the sound. Log-probabilities and scores are natural logarithms."""

    width: int = 100
    """Prefixes that are kept after each frame."""
    threshold: float = 12.0
    """A prefix is dropped when its score is this far below the best; inf drops none."""
    tokens: int = 40
    """Tokens by which a prefix may grow in a frame: the likeliest."""
    token_threshold: float = -7.0
    """A prefix does not grow by a token below this log-probability; -inf allows all."""
    lm_weight: float = 0.5
    """What the language model's log-probabilities are multiplied by."""
    word_bonus: float = 1.0
    """What each word adds to the score where there is a language model, which prefers few words."""
    unknown_score: float = -5.0
    """What a word outside the vocabulary adds to the score, beside `lm_weight` times the log-probability of its
    letters, each of which is as likely as any other. Without that, a weak model gains by writing words together. A hot
    word's letters are free."""
    closed: bool = False
    """Whether only words of the vocabulary may be written."""
    recombine: bool = True
    """Whether with a language model only the best is kept of the prefixes that no sound to come can tell apart, which
    leaves room for others. Lists of the best texts have the others, too."""

    def __post_init__(self) -> None:
        """Raises AsrError when a value is out of its range."""
        ranges: Mapping[str, tuple[bool, str]] = {
            "width": (self.width >= 1, "1 or more"),
            "threshold": (self.threshold > 0, "more than 0"),
            "tokens": (self.tokens >= 1, "1 or more"),
            "token_threshold": (self.token_threshold < 0, "less than 0"),
            "lm_weight": (0 <= self.lm_weight < math.inf, "0 or more"),
            "word_bonus": (math.isfinite(self.word_bonus), "a finite number"),
            "unknown_score": (math.isfinite(self.unknown_score), "a finite number"),
        }
        for name, (is_good, rule) in ranges.items():
            if not is_good:
                raise AsrError(f"The beam search's `{name}` (={getattr(self, name)}) must be {rule}.")
