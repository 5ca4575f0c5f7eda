"""Statistics: all values by hand for a small manifest, and properties that hold for any manifest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.data.manifest import Utterance
from asr.data.statistics import Statistics, summarise


def utterance(number: int, duration: float, text: str, speaker: str | None = None) -> Utterance:
    return Utterance(str(number), Path("/a.wav"), duration, text, speaker=speaker)


def test_all_values():
    utterances = [
        utterance(1, 4.0, "The cat,  the hat", "anna"),
        utterance(2, 1.0, "", None),
        utterance(3, 0.5, "the cat", "ben"),
        utterance(4, 2.5, "É", "anna"),
    ]
    assert summarise(utterances) == Statistics(
        utterances=4,
        duration_s=8.0,
        shortest_s=0.5,
        median_s=1.75,
        longest_s=4.0,
        speakers=2,
        words=7,  # the The cat, the hat the cat É
        distinct_words=6,
        characters=25,
        characters_per_second=25 / 8,
        alphabet={" ": 5, "t": 5, "a": 3, "e": 3, "h": 4, "c": 2, ",": 1, "T": 1, "É": 1},
    )


def test_the_alphabet_is_sorted_by_frequency():
    assert list(summarise([utterance(1, 1.0, "bbb a cc aa")]).alphabet) == [" ", "a", "b", "c"]


@given(st.lists(st.tuples(st.floats(0.01, 1e4), st.text()), min_size=1, max_size=8), st.integers(0, 7))
def test_statistics_of_parts_add_up(drawn, cut):
    utterances = [utterance(number, *values) for number, values in enumerate(drawn)]
    total = summarise(utterances)
    parts = [summarise(part) for part in (utterances[:cut], utterances[cut:]) if part]
    assert total.duration_s == pytest.approx(sum(part.duration_s for part in parts))
    assert total.words == sum(part.words for part in parts)
    assert total.characters == sum(part.characters for part in parts) == sum(total.alphabet.values())
    assert max(part.distinct_words for part in parts) <= total.distinct_words
    assert total.distinct_words <= sum(part.distinct_words for part in parts)
    assert total.shortest_s <= total.median_s <= total.longest_s == max(part.longest_s for part in parts)
