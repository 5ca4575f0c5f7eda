"""Where the errors are: a score in parts (a speaker, a corpus, a range of durations), and the words that go wrong."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from asr.scoring.alignment import Kind, Pair
from asr.scoring.wer import Counts, Score, Utterance

DURATION_EDGES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Where one range of durations ends and the next begins: doublings, for durations spread over orders of magnitude."""
RATE_EDGES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
"""The same for speaking rates, in reference words a second; read English lies mostly between 2 and 3.5."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a score's utterances, with their sums."""

    name: str
    """Of the speaker or corpus, or the range as people write it."""
    score: Score
    low: float | None = None
    """Of a range: the values from this one on; None has no lower end."""
    high: float | None = None
    """Of a range: the values below this one; None has no upper end."""


@dataclass(frozen=True, slots=True)
class WordError:
    """One way in which a word went wrong, and how often."""

    kind: Kind
    reference: str | None
    hypothesis: str | None
    count: int
    utterances: int
    """In how many utterances."""
    said: int
    """How often the reference has the word, right or wrong; 0 for an insertion."""


def by_name(score: Score, names: Sequence[str | None]) -> tuple[Part, ...]:
    """One part for each name, in order of the names; utterances whose name is None are in no part.

    Shape:
        names: one for each utterance of the score.
    """
    members: dict[str, list[Utterance]] = defaultdict(list)
    for name, utterance in zip(names, score.utterances, strict=True):
        if name is not None:
            members[name].append(utterance)
    return tuple(Part(name, _subset(score, members[name])) for name in sorted(members))


def by_range(score: Score, values: Sequence[float], edges: Sequence[float]) -> tuple[Part, ...]:
    """One part for each range that holds an utterance, in ascending order.

    A value on an edge belongs to the range that begins there. What is below the first edge or from the last one on has
    a range of its own.

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
    """All substitutions, deletions and insertions, each distinct one once, the most frequent first."""
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
    """How well some words are found."""

    said: int
    """How often the references have one of them."""
    found: int
    """How often it was recognised there."""
    false: int
    """How often one of them was recognised where it was not said."""


def recall(score: Score, words: Collection[str]) -> Recall:
    """Count some words over all utterances, by the alignment of each."""
    pairs = [pair for utterance in score.utterances for pair in utterance.pairs]
    hits = sum(pair.kind == "hit" and pair.reference in words for pair in pairs)
    heard = sum(pair.hypothesis in words for pair in pairs)
    return Recall(sum(pair.reference in words for pair in pairs), hits, heard - hits)


def _subset(score: Score, utterances: Sequence[Utterance]) -> Score:
    words = sum((utterance.words for utterance in utterances), Counts())
    characters = sum((utterance.characters for utterance in utterances), Counts())
    return replace(score, utterances=tuple(utterances), words=words, characters=characters)


def _range_name(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"{low:g} and more" if high is None else f"{low:g} to {high:g}"
