"""Breakdown of the errors: scores by speaker, corpus or range of durations, and the most frequent word errors."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from asr.scoring.alignment import Kind, Pair
from asr.scoring.wer import Counts, Score, Utterance

DURATION_EDGES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Edges of the duration ranges; powers of two, because durations spread over orders of magnitude."""
RATE_EDGES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
"""Edges of the speaking rates, in reference words per second; read English is mostly between 2 and 3.5."""


@dataclass(frozen=True, slots=True)
class Part:
    """The score of a subset of the utterances."""

    name: str
    """Speaker, corpus, or human-readable range."""
    score: Score
    low: float | None = None
    """Lower end of a range, inclusive; None if unbounded."""
    high: float | None = None
    """Upper end of a range, exclusive; None if unbounded."""


@dataclass(frozen=True, slots=True)
class WordError:
    """A word error and its frequency."""

    kind: Kind
    reference: str | None
    hypothesis: str | None
    count: int
    utterances: int
    """Number of utterances with this error."""
    said: int
    """Number of occurrences of the reference word, right or wrong; 0 for an insertion."""


def by_name(score: Score, names: Sequence[str | None]) -> tuple[Part, ...]:
    """Split a score by name, sorted; utterances whose name is None are skipped.

    Shape:
        names: one for each utterance of the score.
    """
    members: dict[str, list[Utterance]] = defaultdict(list)
    for name, utterance in zip(names, score.utterances, strict=True):
        if name is not None:
            members[name].append(utterance)
    return tuple(Part(name, _subset(score, members[name])) for name in sorted(members))


def by_range(score: Score, values: Sequence[float], edges: Sequence[float]) -> tuple[Part, ...]:
    """Split a score by ranges of a value, in ascending order; empty ranges are omitted.

    A value on an edge belongs to the range that begins there. Values below the first edge and from the last one on have
    ranges of their own.

    Shape:
        values: one for each utterance of the score; edges: ascending.
    """
    members: dict[int, list[Utterance]] = defaultdict(list)
    for value, utterance in zip(values, score.utterances, strict=True):
        members[bisect_right(edges, value)].append(utterance)
    ranges = list(pairwise([None, *edges, None]))
    return tuple(
        Part(_range_name(*ranges[place]), _subset(score, members[place]), *ranges[place]) for place in sorted(members)
    )


def word_errors(score: Score) -> tuple[WordError, ...]:
    """The distinct substitutions, deletions and insertions, most frequent first."""
    counts: Counter[Pair] = Counter()
    utterances: Counter[Pair] = Counter()
    said: Counter[str | None] = Counter()
    for utterance in score.utterances:
        wrong = [pair for pair in utterance.pairs if pair.kind != "hit"]
        counts.update(wrong)
        utterances.update(set(wrong))
        said.update(pair.reference for pair in utterance.pairs if pair.reference is not None)
    by_count = sorted(counts.items(), key=lambda item: (-item[1], [text or "" for text in item[0]]))
    return tuple(WordError(*pair, count, utterances[pair], said[pair.reference]) for pair, count in by_count)


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall and false alarms of a set of words."""

    said: int
    """Number of occurrences in the references."""
    found: int
    """Number of these that were recognised."""
    false: int
    """Number of false alarms: occurrences in the hypotheses that are not hits."""


def recall(score: Score, words: Collection[str]) -> Recall:
    """Count a set of words in the alignments of all utterances."""
    pairs = [pair for utterance in score.utterances for pair in utterance.pairs]
    hits = sum(pair.kind == "hit" and pair.reference in words for pair in pairs)
    recognised = sum(pair.hypothesis in words for pair in pairs)
    return Recall(sum(pair.reference in words for pair in pairs), hits, recognised - hits)


def _subset(score: Score, utterances: Sequence[Utterance]) -> Score:
    words = sum((utterance.words for utterance in utterances), Counts())
    characters = sum((utterance.characters for utterance in utterances), Counts())
    return replace(score, utterances=tuple(utterances), words=words, characters=characters)


def _range_name(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"{low:g} and more" if high is None else f"{low:g} to {high:g}"
