"""Find the numbers in spoken words, and write them in digits: `rules` says how."""

from collections.abc import Sequence
from dataclasses import dataclass

from asr.readable.rules import RULES


@dataclass(frozen=True, slots=True)
class Span:
    """The words from `first` to before `last`, and the one word as which they are written."""

    first: int
    last: int
    text: str


def find(words: Sequence[str]) -> list[Span]:
    """Find what is written otherwise than in words, from the left to the right; the spans do not overlap.

    Args:
        words: of one sentence, or of a part of it between two marks, in lower case.
    """
    spans: list[Span] = []
    at = 0
    while at < len(words):
        written = next((found for rule in RULES if (found := rule(words, at))), None)
        if written is None:
            at += 1
            continue
        for text, count in written.parts():
            if [text] != list(words[at : at + count]):
                spans.append(Span(at, at + count, text))
            at += count
    return spans


def write(text: str) -> str:
    """Write the numbers of a text in lower case without punctuation: "twenty five dollars" -> "$25"."""
    words = text.split()
    parts, at = [], 0
    for span in find(words):
        parts += [*words[at : span.first], span.text]
        at = span.last
    return " ".join([*parts, *words[at:]])
