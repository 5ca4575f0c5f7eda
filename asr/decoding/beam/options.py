"""Options of the beam search: pruning, and weights of everything except the acoustic model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from asr.errors import AsrError


@dataclass(frozen=True, slots=True)
class BeamOptions:
    """Pruning limits and score weights. Log-probabilities and scores are natural logarithms."""

    width: int = 100
    """Number of prefixes kept after each frame."""
    threshold: float = 12.0
    """A prefix is pruned when its score is this far below the best; inf prunes none."""
    tokens: int = 40
    """Number of tokens by which prefixes are extended in a frame: the likeliest."""
    token_threshold: float = -7.0
    """A prefix is not extended by a token below this log-probability; -inf allows all."""
    lm_weight: float = 0.5
    """Weight of the language model's log-probabilities."""
    word_bonus: float = 1.0
    """Added to the score for each word if there is a language model, which favours few words."""
    unknown_score: float = -5.0
    """Added to the score for each word outside the vocabulary, along with `lm_weight` times the log-probability of its
    letters under a uniform distribution, without which a weak model would gain by joining words. The letters of a hot
    word cost nothing."""
    closed: bool = False
    """Restrict the output to words of the vocabulary."""
    recombine: bool = True
    """With a language model, recombine prefixes with the same LM state, unfinished word and last token: only the best
    stays in the beam, which leaves room for others. N-best lists contain the recombined ones, too."""

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
        for name, (is_valid, rule) in ranges.items():
            if not is_valid:
                raise AsrError(f"The beam search's `{name}` (={getattr(self, name)}) must be {rule}.")
