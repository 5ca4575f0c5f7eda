"""Model metadata round-trips, and invalid metadata is refused."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.models.description import (
    FORMAT_VERSION,
    AcousticDescription,
    LanguageDescription,
    from_metadata,
    language_from_metadata,
)
from asr.text import CharTokenizer, SubwordTokenizer

printable = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")))
"""Text without control characters, which metadata must not contain."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
trees = st.dictionaries(st.text(), json_values, max_size=4)
alphabets = st.sets(st.sampled_from("abcdefgéñßαβγабвनमस你好世界'-"), min_size=1).map(
    lambda cs: " " + "".join(sorted(cs))
)
descriptions = st.builds(
    AcousticDescription,
    name=printable,
    sample_rate=st.integers(1_000, 192_000),
    frame_shift_s=st.floats(1e-3, 1),
    tokenizer=alphabets.map(CharTokenizer)
    | st.builds(
        SubwordTokenizer, alphabet=alphabets, pieces=st.lists(printable.filter(bool)).map(tuple), model=st.binary()
    ),
    about=printable,
    licence=printable,
    lowest_level_db=st.floats(-100, 0),
    phones=st.just(()) | st.lists(st.sampled_from(["AA", "B", "ə", "ts"]), min_size=2, unique=True).map(tuple),
    parameters=st.integers(0, 10**12),
    made_with=printable,
    created=printable,
    scores=trees,
    recipe=trees,
)
EXAMPLE = AcousticDescription(
    name="toy",
    sample_rate=16_000,
    frame_shift_s=0.04,
    tokenizer=CharTokenizer(" ab"),
    scores={"dev": {"wer": 0.1}},
    recipe={"name": "toy"},
    created="2026-01-02",
)


@settings(deadline=None)
@given(descriptions)
def test_a_description_round_trips(description: AcousticDescription) -> None:
    metadata = description.to_metadata()
    assert all(isinstance(value, str) for pair in metadata.items() for value in pair)
    assert from_metadata(metadata, "in the test") == description


def test_keys_of_other_programs_are_ignored() -> None:
    assert from_metadata(EXAMPLE.to_metadata() | {"producer": "somebody"}, "in the test") == EXAMPLE


def test_an_older_file_keeps_the_level_of_its_training() -> None:
    metadata = EXAMPLE.to_metadata()
    assert float(metadata.pop("lowest_level_db")) == -18
    assert from_metadata(metadata, "in the test").lowest_level_db == -27


def test_a_newer_format_is_refused() -> None:
    metadata = EXAMPLE.to_metadata() | {"format_version": str(FORMAT_VERSION + 1)}
    for missing in ("name", "tokenizer"):  # a newer format may have renamed anything, so the version is checked first
        del metadata[missing]
    with pytest.raises(ModelError) as caught:
        from_metadata(metadata, "'new.onnx'")
    assert str(caught.value) == (
        f"Model 'new.onnx' has format version {FORMAT_VERSION + 1}, but this version of asr only reads up to "
        f"{FORMAT_VERSION}: upgrade asr."
    )


@pytest.mark.parametrize("metadata", [{}, {"author": "somebody"}, {"format_version": ""}, {"format_version": "new"}])
def test_a_file_of_another_program_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(
        ModelError, match=r"Model 'x\.onnx' has no asr format version in its metadata: give a file written by"
    ):
        from_metadata(metadata, "'x.onnx'")


OPTIONAL = {"phones", "lowest_level_db", "precision", "decoding", "language_model", "lexicon"}  # not in every file


@pytest.mark.parametrize(
    "field",
    [field for field in dataclasses.fields(AcousticDescription) if field.name not in OPTIONAL],
    ids=lambda field: field.name,
)
def test_no_field_may_be_missing(field: dataclasses.Field) -> None:
    metadata = EXAMPLE.to_metadata()
    del metadata[field.name]
    with pytest.raises(ModelError, match=rf"Model 'x\.onnx' has damaged metadata \(`{field.name}` is missing\)"):
        from_metadata(metadata, "'x.onnx'")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate", "fast"),
        ("sample_rate", "16000.5"),
        ("frame_shift_s", "40 ms"),
        ("parameters", ""),
        ("scores", "{"),
        ("recipe", '{"a": 1} b'),
        ("tokenizer", "characters"),
        ("tokenizer", '{"type": "characters"}'),
        ("tokenizer", "[]"),
        ("tokenizer", "null"),
        ("tokenizer", '{"type": "characters", "alphabet": 3}'),
        ("tokenizer", '{"type": "characters", "alphabet": "ab"}'),
        ("tokenizer", '{"type": "subwords", "alphabet": " a", "pieces": ["a"], "model": "a"}'),
        ("sample_rate", "0"),
        ("sample_rate", "-16000"),
        ("frame_shift_s", "nan"),
        ("frame_shift_s", "inf"),
        ("frame_shift_s", "0.0"),
        ("lowest_level_db", "quiet"),
        ("lowest_level_db", "nan"),
        ("lowest_level_db", "6.0"),
        ("phones", "AA B"),
        ("phones", '{"AA": 1, "B": 2}'),
        ("phones", "[]"),
        ("phones", '["AA"]'),
        ("phones", '["AA", 2]'),
        ("phones", '["AA", "AA"]'),
        ("phones", '["AA", "a b"]'),
        ("phones", '["AA", ""]'),
        ("recipe", "3"),
        ("scores", "[]"),
    ],
)
def test_a_damaged_value_is_refused(key: str, value: str) -> None:
    with pytest.raises(ModelError, match=r"Model 'x\.onnx' has damaged metadata .*: export it again"):
        from_metadata(EXAMPLE.to_metadata() | {key: value}, "'x.onnx'")


def test_an_unknown_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="tokenizer is of type 'sentencepiece'"):
        from_metadata(EXAMPLE.to_metadata() | {"tokenizer": '{"type": "sentencepiece"}'}, "'x.onnx'")


def test_a_language_model_is_not_an_acoustic_one() -> None:
    language = LanguageDescription(name="words", tokenizer=CharTokenizer(" ab"), scores={"dev": 1.5})
    assert language_from_metadata(language.to_metadata(), "in the test") == language
    with pytest.raises(ModelError, match="'x' is of the kind `language model`, but a model of the kind `acoustic"):
        from_metadata(language.to_metadata(), "'x'")
    with pytest.raises(ModelError, match="of the kind `acoustic model`, but a model of the kind `language model`"):
        language_from_metadata(EXAMPLE.to_metadata(), "'x'")


def test_a_file_without_a_kind_is_an_acoustic_model() -> None:
    metadata = {key: value for key, value in EXAMPLE.to_metadata().items() if key != "kind"}
    assert from_metadata(metadata, "in the test") == EXAMPLE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate", "1" + "0" * 300),
        ("sample_rate", "1000000000"),
        ("frame_shift_s", "1e-30"),
        ("parameters", "9" * 400),
        ("name", "a\x1b]0;owned\x07"),
        ("licence", "x" * 1_000_000),
        ("recipe", '{"a":' + "[" * 500 + "]" * 500 + "}"),
        ("recipe", "[" * 100_000 + "]" * 100_000),
        ("scores", '{"evaluations": 5}'),
        ("scores", '{"evaluations": [{}]}'),
        ("decoding", "5"),
        ("decoding", '{"beam": 1.5}'),
        ("decoding", '{"beam": true}'),
        ("decoding", '{"beam": 1000000000}'),
        ("decoding", '{"temperature": 1' + "0" * 400 + "}"),
        ("tokenizer", '{"type": "characters", "alphabet": " a\\u001b"}'),
        ("tokenizer", '{"type": "subwords", "alphabet": " a", "pieces": [5], "model": ""}'),
        ("tokenizer", '{"type": "subwords", "alphabet": " a", "pieces": ["a\\nb"], "model": ""}'),
        ("language_model", "\u00e9"),
    ],
)
def test_hostile_metadata_is_one_sentence(key: str, value: str) -> None:
    with pytest.raises(ModelError) as caught:
        from_metadata(EXAMPLE.to_metadata() | {key: value}, "'x.onnx'")
    assert len(str(caught.value)) < 400
    assert "damaged" in str(caught.value)


def test_only_a_file_with_phones_needs_a_new_version() -> None:
    with_phones = dataclasses.replace(EXAMPLE, phones=("AA", "B", "K"))
    assert (EXAMPLE.columns, with_phones.columns) == (4, 4 + 5)
    assert EXAMPLE.to_metadata()["format_version"] == "2"
    assert "phones" not in EXAMPLE.to_metadata()
    assert with_phones.to_metadata() == EXAMPLE.to_metadata() | {
        "format_version": "3",
        "phones": '["AA", "B", "K"]',
    }


def test_a_prior_of_other_columns_is_refused() -> None:
    tuned = dataclasses.replace(EXAMPLE.decoding, log_prior=(-1.0,) * EXAMPLE.columns)
    described = dataclasses.replace(EXAMPLE, decoding=tuned)
    assert from_metadata(described.to_metadata(), "x") == described
    with pytest.raises(ModelError, match=f"has a prior of {EXAMPLE.columns} columns instead of {EXAMPLE.columns + 4}"):
        from_metadata(dataclasses.replace(described, phones=("AA", "B")).to_metadata(), "x")
