"""How the user wants texts to be found: the options of the command line, `asr.load`, workers and reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asr.errors import AsrError

BOOST = 12.0
"""What a hot word adds to the score of a text where no boost is given."""


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """What overrides a model's own decoding settings."""

    beam: int | None = None
    """Prefixes that are kept; 0 decodes greedily; None: as the model was tuned, else as many as a search needs if
    something below asks for one, else 0."""
    lm: Path | None = None
    """A language model instead of the model's own: an n-gram model, ARPA or packed, or an LSTM's `.onnx`."""
    no_lm: bool = False
    """Use no language model in the search, not even the model's own."""
    rescore: Path | None = None
    """An LSTM language model that chooses among the best texts."""
    hot_words: Mapping[str, float] = field(default_factory=dict)
    """Word -> boost."""
    min_confidence: float | None = None
    """Of the words of a stretch that is not left out; None: as the model was tuned."""

    def __post_init__(self) -> None:
        """Raises AsrError when a number is out of its range or the options contradict each other."""
        if self.beam is not None and self.beam < 0:
            raise AsrError(
                f"A beam of {self.beam} prefixes cannot be searched: give 1 or more, or 0 to decode greedily."
            )
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise AsrError(
                f"The least confidence (={self.min_confidence:g}) must be from 0 to 1, for words have no other."
            )
        if self.lm is not None and self.no_lm:
            raise AsrError("A language model is given and forbidden (lm, no_lm): choose one of the two.")
        if self.beam == 0 and self.need_search:
            raise AsrError(
                "Greedy decoding (a beam of 0) uses no language model and no hot words: give a beam of 1 or more."
            )

    @property
    def need_search(self) -> bool:
        """Whether something is asked for that greedy decoding cannot do."""
        return self.lm is not None or self.rescore is not None or bool(self.hot_words)

    def command_line(self) -> list[str]:
        """The options as they would be written on a command line."""
        arguments = [] if self.beam is None else ["--beam", str(self.beam)]
        arguments += [] if self.lm is None else ["--lm", str(self.lm)]
        arguments += ["--no-lm"] if self.no_lm else []
        arguments += [] if self.rescore is None else ["--rescore", str(self.rescore)]
        if self.min_confidence is not None:
            arguments += ["--min-confidence", f"{self.min_confidence:g}"]
        return arguments + [
            part for word, boost in self.hot_words.items() for part in ("--hot-word", f"{word}={boost:g}")
        ]
