"""Manifests: round trips, NeMo's manifests, and errors that name the line of a malformed row."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import DataError

GOOD = {"audio_filepath": "a.wav", "duration": 1.5, "text": "HELLO"}


def write_lines(path: Path, *rows: object) -> Path:
    """A manifest of these rows; strings and bytes are written unchanged."""
    lines = [
        row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else json.dumps(row).encode()
        for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


# Round trip


names = st.text(min_size=1).filter(lambda name: "/" not in name and "\0" not in name)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


@st.composite
def utterance_lists(draw: st.DrawFn) -> list[tuple[list[str], Utterance]]:
    """Path components and utterance; the test puts the path below its own folder or below the root."""
    ids = draw(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
    return [
        (
            draw(st.lists(names, min_size=1, max_size=3)),
            Utterance(
                id=name,
                audio_filepath=Path(),
                duration=draw(positive),
                text=draw(st.text()),
                offset=draw(st.just(0.0) | positive),
                speaker=draw(st.none() | st.text(min_size=1)),
                split=draw(st.none() | st.text(min_size=1)),
            ),
        )
        for name in ids
    ]


@given(drawn=utterance_lists(), below=st.booleans())
@example(drawn=[([".."], Utterance("1", Path(), 5e-324, "\u2028\x85\r\n\x0b ß 你好"))], below=True)
def test_round_trip(tmp_path_factory, drawn, below):
    folder = tmp_path_factory.getbasetemp()
    top = folder if below else Path("/")
    utterances = [replace(utterance, audio_filepath=top.joinpath(*parts)) for parts, utterance in drawn]
    manifest.write(utterances, folder / "round_trip.jsonl")
    assert manifest.read(folder / "round_trip.jsonl") == utterances


def test_a_line_is_plain_json_with_a_relative_path(tmp_path):
    one = Utterance("a-1", tmp_path / "audio" / "a.opus", 2.5, "GRÜSS GOTT", 1.0, "anna", "train")
    two = Utterance("b", Path("/elsewhere/b.wav"), 3.0, "")
    manifest.write([one, two], tmp_path / "train.jsonl")
    assert (tmp_path / "train.jsonl").read_text(encoding="utf-8") == (
        '{"id": "a-1", "audio_filepath": "audio/a.opus", "offset": 1.0, "duration": 2.5, "text": "GRÜSS GOTT", '
        '"speaker": "anna", "split": "train"}\n'
        '{"id": "b", "audio_filepath": "/elsewhere/b.wav", "offset": 0.0, "duration": 3.0, "text": ""}\n'
    )


def test_a_folder_can_be_moved(tmp_path):
    (tmp_path / "old").mkdir()
    manifest.write([Utterance("a", tmp_path / "old" / "audio" / "a.wav", 1.0, "A")], tmp_path / "old" / "train.jsonl")
    (tmp_path / "old").rename(tmp_path / "new")
    assert manifest.read(tmp_path / "new" / "train.jsonl")[0].audio_filepath == tmp_path / "new" / "audio" / "a.wav"


def test_paths_are_relative_to_the_manifest_not_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    manifest.write([Utterance("a", Path("data/a.wav"), 1.0, "A")], "data/train.jsonl")
    assert json.loads(Path("data/train.jsonl").read_text())["audio_filepath"] == "a.wav"
    assert manifest.read("data/train.jsonl")[0].audio_filepath == tmp_path / "data" / "a.wav"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("old")
    latin_1_name = Path(b"/data/caf\xe9.wav".decode(errors="surrogateescape"))
    with pytest.raises(
        DataError, match=r"train\.jsonl cannot be written: '.*caf.udce9\.wav.*' cannot be encoded as UTF-8\."
    ):
        manifest.write([Utterance("a", Path("/a.wav"), 1.0, "A"), Utterance("b", latin_1_name, 1.0, "B")], path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_to_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"none/train\.jsonl cannot be written: No such file or directory\."):
        manifest.write([], tmp_path / "none" / "train.jsonl")


# What reads


def test_nemo_manifest_reads(tmp_path):
    path = write_lines(
        tmp_path / "nemo.jsonl",
        {"audio_filepath": "/data/spk1/0.wav", "duration": 3, "text": "one", "lang": "en", "speaker_id": 7},
        {"audio_filepath": "spk2/0.wav", "duration": 2.0, "text": "two", "offset": 12.5, "pred_text": "too"},
        {"audio_filepath": "spk2/0.wav", "duration": 2.0, "text": "three", "offset": 0, "speaker": None},
    )
    assert manifest.read(path) == [
        Utterance("/data/spk1/0", Path("/data/spk1/0.wav"), 3.0, "one"),
        Utterance("spk2/0@12.5", tmp_path / "spk2" / "0.wav", 2.0, "two", offset=12.5),
        Utterance("spk2/0", tmp_path / "spk2" / "0.wav", 2.0, "three"),
    ]


def test_default_ids_of_neighbouring_segments_differ():
    assert manifest.default_id("talk.wav", 1234.5678) != manifest.default_id("talk.wav", 1234.5679)


def test_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "", "  \r", "")
    assert [utterance.id for utterance in manifest.read(path)] == ["a"]


# What does not


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[" * 100_000, ": JSON is nested too deeply; a row is an object with simple values"),
        ("{'text': 1}", ", column 2: this is not JSON (Expecting property name enclosed in double quotes); each line"),
        (b'{"text": "\xe9"}', ": this is not UTF-8 text; save the file as UTF-8."),
        ([1], ": a row must be an object, {...}, not a list."),
        ("3", ": a row must be an object, {...}, not the number 3."),
        ("null", ": a row must be an object, {...}, not null."),
        (
            {"duration": 1, "text": ""},
            ': the key "audio_filepath" is missing; a row needs audio_filepath, duration, te',
        ),
        (
            {"audio": "a", "duration": 1, "text": ""},
            ': the key "audio_filepath" is missing (is "audio" a typo?);',
        ),
        ({**GOOD, "duration": None}, ': the key "duration" is missing; a row needs'),
        (
            {"audio_filepath": "a", "duration_s": 1, "text": ""},
            ': the key "duration" is missing (is "duration_s" a typo?)',
        ),
        ({**GOOD, "offest": 3}, ': the key "offest" is unknown; did you mean "offset"?'),
        ({**GOOD, "duration": "1.5"}, ': "duration" must be a number of seconds, not a string.'),
        ({**GOOD, "duration": True}, ': "duration" must be a number of seconds, not true or false.'),
        ({**GOOD, "duration": -1}, ': "duration" is -1; it must be a finite number of seconds, more than 0.'),
        ({**GOOD, "duration": 0}, ': "duration" is 0; it must be a finite number of seconds, more than 0.'),
        ({**GOOD, "duration": math.nan}, ': "duration" is nan; it must be a finite number of seconds, more than 0.'),
        ({**GOOD, "duration": 10**400}, ': "duration" is inf; it must be a finite number of seconds, more than 0.'),
        ({**GOOD, "offset": -0.5}, ': "offset" is -0.5; it must be a finite number of seconds, 0 or more.'),
        ({**GOOD, "text": ["HELLO"]}, ': "text" must be a string, not a list.'),
        ({**GOOD, "speaker": 1.5}, ': "speaker" must be a string, not the number 1.5.'),
        ({**GOOD, "speaker": True}, ': "speaker" must be a string, not true or false.'),
        ({**GOOD, "speaker": {}}, ': "speaker" must be a string, not an object.'),
        ({**GOOD, "audio_filepath": ""}, ': "audio_filepath" is empty; give it a value.'),
        ({**GOOD, "text": "\ud83d"}, ": \"text\" has an unpaired surrogate, '\\ud83d'; write complete characters."),
        ({**GOOD, "id": "first"}, ': the id "first" is already used in FILE, line 1; ids must be unique.'),
    ],
)
def test_an_error_names_file_and_line(tmp_path, row, message):
    path = write_lines(tmp_path / "m.jsonl", {**GOOD, "id": "first"}, "", row)
    with pytest.raises(DataError, match=re.escape(f"{path}, line 3" + message.replace("FILE", str(path)))):
        manifest.read(path)


def test_a_manifest_without_rows(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", "", "")
    with pytest.raises(DataError, match=r"m\.jsonl has no rows; at least one is needed\."):
        manifest.read(path)


def test_a_manifest_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"m\.jsonl cannot be read: No such file or directory\."):
        manifest.read(tmp_path / "m.jsonl")
    with pytest.raises(DataError, match=r"cannot be read: Is a directory\."):
        manifest.read(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from([*manifest.REQUIRED, *manifest.OPTIONAL, "ofset"])


@given(st.lists(st.binary() | st.dictionaries(keys, json_values) | json_values, max_size=3))
def test_any_malformed_content_is_a_data_error(tmp_path_factory, rows):
    path = write_lines(tmp_path_factory.getbasetemp() / "fuzz.jsonl", *rows)
    try:
        utterances = manifest.read(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        manifest.write(utterances, path)
        assert manifest.read(path) == utterances


def test_whole_numbers_as_ids_and_speakers_are_names(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", {**GOOD, "id": 7, "speaker": 12345678901234567890, "duration": 2})
    (utterance,) = manifest.read(path)
    assert (utterance.id, utterance.speaker, utterance.duration) == ("7", "12345678901234567890", 2.0)


def test_a_number_too_long_for_a_float_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "text": "A", "duration": 1' + 400 * "0" + "}\n")
    with pytest.raises(DataError, match='"duration" is inf; it must be a finite number'):
        manifest.read(path)
