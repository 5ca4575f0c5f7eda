"""A table gives back the utterances that it was made of."""

import pickle
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.data.manifest import Utterance
from asr.data.table import UtteranceTable

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
utterances = st.lists(
    st.builds(
        Utterance,
        id=st.text(max_size=5),
        audio_filepath=st.builds(lambda *parts: Path("/", *parts), names, names),
        duration=st.floats(0.01, 100),
        text=st.text(st.characters(exclude_categories=())),
        offset=st.floats(0, 100),
        speaker=st.none() | st.sampled_from(["ann", "bob"]),
        split=st.none() | st.just("train"),
        gender=st.none() | st.just("female"),
        age=st.none() | st.just("20-29"),
        accent=st.none() | st.text(min_size=1, max_size=3),
    ),
    max_size=8,
)


@given(utterances, st.data())
def test_rows_slices_and_parts(given_: list[Utterance], data: st.DataObject) -> None:
    table = UtteranceTable(given_)
    assert list(table) == given_
    assert [table[index] for index in range(len(table))] == given_
    assert list(table[1::2]) == given_[1::2]
    places = data.draw(st.lists(st.integers(0, len(given_) - 1))) if given_ else []
    part, expected = table.at(places), [given_[place] for place in places]
    assert list(part) == expected
    assert list(part[::-1]) == expected[::-1]
    assert list(part.ids) == [utterance.id for utterance in expected]
    assert list(part.texts) == [utterance.text for utterance in expected]
    np.testing.assert_array_equal(part.durations_s, [utterance.duration for utterance in expected])
    assert part.num_speakers == len({utterance.speaker for utterance in expected} - {None})
    assert list(pickle.loads(pickle.dumps(part))) == expected
