"""What a manifest holds, in numbers."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from asr.data.manifest import Utterance


@dataclass(frozen=True, slots=True)
class Statistics:
    """Numbers about some utterances; texts are taken as they stand, not normalised."""

    utterances: int
    duration_s: float
    """In all."""
    shortest_s: float
    median_s: float
    longest_s: float
    speakers: int
    """Different names; 0 where nobody is named."""
    words: int
    """What white space separates."""
    distinct_words: int
    characters: int
    """Spaces are characters, too."""
    characters_per_second: float
    """Of all texts and all durations together."""
    alphabet: dict[str, int]
    """Character -> how often it occurs, the most frequent first."""


def summarise(utterances: Sequence[Utterance]) -> Statistics:
    """Count and measure at least one utterance; the sound files are not touched."""
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
