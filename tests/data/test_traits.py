"""Traits of speakers: one form for all corpora, and no errors."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.data import manifest, traits


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"gender": "F", "age": 25}, {"gender": "female", "age": "20-29"}),
        ({"gender": "male_masculine", "age": "fourties"}, {"gender": "male", "age": "40-49"}),
        ({"age": "teens", "accent": " England English "}, {"age": "10-19", "accent": "England English"}),
        ({"gender": "missing"}, {"gender": "missing"}),
        ({"gender": "Other", "age": "7"}, {"gender": "other", "age": "0-9"}),
        ({"gender": None, "age": float("nan"), "accent": ""}, {}),
        ({"gender": 1, "age": [20], "accent": {"is": "none"}}, {}),
    ],
)
def test_forms(row: dict[str, object], expected: dict[str, str]) -> None:
    assert traits.of(row) == expected


values = st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.fixed_dictionaries(dict.fromkeys(traits.TRAITS, values)))
def test_normalised_traits_do_not_change(row: dict[str, object]) -> None:
    assert traits.of(dict(traits.of(row))) == traits.of(row)


def test_a_manifest_stores_traits(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"audio_filepath": "a.wav", "duration": 1, "text": "a", "gender": "F", "age": 31}'
    )
    utterances = manifest.read(tmp_path / "a.jsonl")
    assert (utterances[0].gender, utterances[0].age, utterances[0].accent) == ("female", "30-39", None)
    manifest.write(utterances, tmp_path / "b.jsonl")
    assert manifest.read(tmp_path / "b.jsonl") == utterances
