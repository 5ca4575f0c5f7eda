"""Statistics of a manifest."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr.data.manifest import Utterance


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of utterances; texts are not normalised."""

    utterances: int
    duration_s: float
    """Total duration."""
    shortest_s: float
    median_s: float
    longest_s: float
    speakers: int
    """Number of distinct speakers; 0 if unknown."""
    words: int
    """Number of words, separated by white space."""
    distinct_words: int
    characters: int
    """Number of characters, spaces included."""
    characters_per_second: float
    """Total characters divided by total duration."""
    alphabet: dict[str, int]
    """Character -> number of occurrences, the most frequent first."""


def summarise(utterances: Sequence[Utterance]) -> Statistics:
    """Compute the statistics of at least one utterance; the audio files are not opened."""
    durations = [utterance.duration for utterance in utterances]
    words = Counter(word for utterance in utterances for word in utterance.text.split())
    alphabet = Counter(character for utterance in utterances for character in utterance.text)
    return Statistics(
        utterances=len(utterances),
        duration_s=math.fsum(durations),
        shortest_s=min(durations),
        median_s=statistics.median(durations),
        longest_s=max(durations),
        speakers=len({utterance.speaker for utterance in utterances} - {None}),
        words=words.total(),
        distinct_words=len(words),
        characters=alphabet.total(),
        characters_per_second=alphabet.total() / math.fsum(durations),
        alphabet=dict(sorted(alphabet.items(), key=lambda item: (-item[1], item[0]))),
    )
