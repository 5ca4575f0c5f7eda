"""Word and character error rates with their counts, per utterance and pooled.

Texts are compared unchanged: no case folding, no punctuation removal. Words are separated by white space; characters
are those of the words joined by single spaces, so a space counts as a character. Word errors are counted in an
alignment by a named rule (asr.scoring.alignment); character errors are always the fewest edits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from asr.scoring.alignment import Pair, Rule, align, chunks


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of reference tokens that were hit, substituted and deleted, and of tokens that were inserted."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Number of edits that turn the reference into the hypothesis."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Number of tokens in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float | None:
        """`errors / reference`, which may exceed 1; None without reference tokens."""
        return self.errors / self.reference if self.reference else None

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `rate` (a fraction or null), `errors`, its three parts, and `reference`."""
        return {
            "rate": self.rate,
            "errors": self.errors,
            "substitutions": self.substitutions,
            "deletions": self.deletions,
            "insertions": self.insertions,
            "reference": self.reference,
        }


@dataclass(frozen=True, slots=True)
class Utterance:
    """A reference and its hypothesis, both with single spaces, and their differences."""

    id: str
    speaker: str | None
    reference: str
    hypothesis: str
    words: Counts
    characters: Counts
    pairs: tuple[Pair, ...]
    """The alignment of the words, which `words` counts."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the fields by name; a pair is an array `[kind, reference word, hypothesis word]`."""
        return {
            "id": self.id,
            "speaker": self.speaker,
            "reference": self.reference,
            "hypothesis": self.hypothesis,
            "words": self.words.to_dict(),
            "characters": self.characters.to_dict(),
            "pairs": [list(pair) for pair in self.pairs],
        }


@dataclass(frozen=True, slots=True)
class Score:
    """All utterances and their pooled counts."""

    utterances: tuple[Utterance, ...]
    words: Counts
    characters: Counts
    rule: Rule
    """The rule by which words are aligned."""

    @property
    def sentence_errors(self) -> int:
        """Number of utterances with at least one word error."""
        return sum(utterance.words.errors > 0 for utterance in self.utterances)


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    speakers: Sequence[str | None] | None = None,
    rule: Rule = "fewest",
) -> Score:
    """Compare each hypothesis with its reference.

    The ids are "1", "2", ... unless given. For an empty reference, all words of the hypothesis are insertions.

    Raises:
        DataError: an utterance is too long for the rule `sclite`.
        ValueError: the sequences differ in length, or there are no utterances.
    """
    if not references:
        raise ValueError("There are no utterances to score.")
    utterances = tuple(
        _utterance(id_, speaker, reference.split(), hypothesis.split(), rule)
        for id_, speaker, reference, hypothesis in zip(
            [str(number) for number in range(1, len(references) + 1)] if ids is None else ids,
            repeat(None, len(references)) if speakers is None else speakers,
            references,
            hypotheses,
            strict=True,
        )
    )
    return Score(
        utterances,
        sum((utterance.words for utterance in utterances), Counts()),
        sum((utterance.characters for utterance in utterances), Counts()),
        rule,
    )


def _utterance(id_: str, speaker: str | None, reference: list[str], hypothesis: list[str], rule: Rule) -> Utterance:
    pairs = align(reference, hypothesis, rule)
    kinds = Counter(pair.kind for pair in pairs)
    words = Counts(kinds["hit"], kinds["substitution"], kinds["deletion"], kinds["insertion"])
    texts = " ".join(reference), " ".join(hypothesis)
    return Utterance(id_, speaker, *texts, words, _characters(*texts), pairs)


def _characters(reference: str, hypothesis: str) -> Counts:
    sizes = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
    for chunk in chunks(reference, hypothesis):
        sizes[chunk.type] += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
    return Counts(*sizes.values())
