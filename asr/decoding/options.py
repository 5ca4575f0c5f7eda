"""The user's decoding options, shared by the command line, `asr.load`, workers and reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asr.errors import AsrError

BOOST = 12.0
"""Default boost of a hot word, added to the score of a hypothesis."""


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """Options that override a model's own decoding settings."""

    beam: int | None = None
    """Beam width; 0 decodes greedily. None: the model's tuned width; if it is 0 but another option needs a search, the
    default width."""
    lm: Path | None = None
    """A language model instead of the model's own: an n-gram model, ARPA or packed, or an LSTM's `.onnx`."""
    no_lm: bool = False
    """Use no language model in the search, not even the model's own."""
    rescore: Path | None = None
    """An LSTM language model that rescores the n-best list."""
    hot_words: Mapping[str, float] = field(default_factory=dict)
    """Word -> boost."""
    min_confidence: float | None = None
    """Segments whose mean word confidence is lower are skipped; None: the model's tuned value."""

    def __post_init__(self) -> None:
        """Raises AsrError when a number is out of its range or the options contradict each other."""
        if self.beam is not None and self.beam < 0:
            raise AsrError(f"The beam width (={self.beam}) must be 0 or more: give 0 to decode greedily.")
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise AsrError(f"The minimum confidence (={self.min_confidence:g}) must be between 0 and 1.")
        if self.lm is not None and self.no_lm:
            raise AsrError("A language model cannot be both given (lm) and disabled (no_lm): choose one of the two.")
        if self.beam == 0 and self.need_search:
            raise AsrError(
                "Greedy decoding (a beam of 0) supports no language model and no hot words: give a beam of 1 or more."
            )

    @property
    def need_search(self) -> bool:
        """Whether an option is set that greedy decoding does not support."""
        return self.lm is not None or self.rescore is not None or bool(self.hot_words)

    def command_line(self) -> list[str]:
        """The equivalent command-line arguments."""
        arguments = [] if self.beam is None else ["--beam", str(self.beam)]
        arguments += [] if self.lm is None else ["--lm", str(self.lm)]
        arguments += ["--no-lm"] if self.no_lm else []
        arguments += [] if self.rescore is None else ["--rescore", str(self.rescore)]
        if self.min_confidence is not None:
            arguments += ["--min-confidence", f"{self.min_confidence:g}"]
        return arguments + [
            argument for word, boost in self.hot_words.items() for argument in ("--hot-word", f"{word}={boost:g}")
        ]
