"""Recordings from files, folders, lists and manifests, with names for their outputs."""

import json
import time
from pathlib import Path

import pytest

from asr.bulk.recordings import Recording, collect
from asr.errors import DataError


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    for name in ("b/2.wav", "a.opus", "b/1.wav", "b/notes.txt"):
        (tmp_path / "calls" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "calls" / name).write_bytes(b"")
    return tmp_path / "calls"


@pytest.fixture
def bucket() -> str:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra bulk")
    bucket = f"memory://{time.time_ns()}"
    system = fsspec.filesystem("memory")
    system.pipe({f"{bucket}/{name}": b"" for name in ("calls/b/2.wav", "calls/a.opus", "calls/notes.txt")})
    return bucket


def write_rows(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_folder_is_sorted_and_paths_are_absolute(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(calls.parent)
    found, problems = collect(["calls"])
    assert found == [Recording(name, f"{calls}/{name}{suffix}") for name, suffix in
                     (("a", ".opus"), ("b/1", ".wav"), ("b/2", ".wav"))]  # fmt: skip
    assert problems == []


def test_what_is_missing_is_reported_and_the_rest_is_found(calls: Path) -> None:
    found, problems = collect([str(calls / "a.opus"), str(calls / "no.wav")])
    assert [one.name for one in found] == ["a"]
    assert problems == [f"'{calls / 'no.wav'}' does not exist: give the path of an audio file."]


def test_a_folder_a_pattern_and_a_file_in_a_store(bucket: str) -> None:
    found, _ = collect([f"{bucket}/calls"])
    root = bucket.replace("memory://", "memory:///")
    assert found == [Recording("a", f"{root}/calls/a.opus"), Recording("b/2", f"{root}/calls/b/2.wav")]
    assert [one.name for one in collect([f"{bucket}/calls/*/*.wav"])[0]] == ["b/2"]
    assert collect([f"{bucket}/calls/x.wav"])[0] == [Recording("x", f"{bucket}/calls/x.wav")]
    assert collect([f"{bucket}/none"])[0] == [Recording("none", f"{bucket}/none")]
    assert collect([f"{bucket}/none/*.wav"]) == ([], [f"'{bucket}/none/*.wav' has no audio or video files: check the "
                                                      "address."])  # fmt: skip


def test_a_list_of_paths_and_urls(calls: Path, bucket: str, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"{calls}/b/1.wav\n{bucket}/calls/x/1.wav\n{calls}/a.opus\n{bucket}/calls/y/1.wav\n")
    found, problems = collect([], str(listed))
    assert {one.name: one.source for one in found} == {
        "b/1": f"{calls}/b/1.wav",
        "a": f"{calls}/a.opus",
        "x/1": f"{bucket}/calls/x/1.wav",
        "y/1": f"{bucket}/calls/y/1.wav",
    }
    assert problems == []


def test_a_manifest_has_segments_where_it_has_offsets(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "m.jsonl",
        {"id": "one", "audio_filepath": "x.wav", "offset": 0.0, "duration": 1.5, "text": "HI"},
        {"audio_filepath": "s3://bucket/y.wav", "duration": 3},
        {"audio_filepath": "/data/z.wav", "offset": 2, "duration": 1},
    )
    assert collect([path])[0] == [
        Recording("one", f"{tmp_path}/x.wav", 0.0, 1.5),
        Recording("s3://bucket/y", "s3://bucket/y.wav"),
        Recording("data/z@2.0", "/data/z.wav", 2.0, 1.0),
    ]


def test_a_manifest_in_a_store_is_relative_to_its_folder(bucket: str) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe({f"{bucket}/m.jsonl": b'{"audio_filepath": "calls/a.opus"}\n'})
    assert collect([f"{bucket}/m.jsonl"])[0] == [Recording("calls/a", f"{bucket}/calls/a.opus")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "../up", "audio_filepath": "x.wav"}, r"The id '\.\./up' of .* cannot name a file below a folder"),
        ({"id": "/etc/x", "audio_filepath": "x.wav"}, "The id '/etc/x' of .* must be relative"),
        ({"audio_filepath": "x.wav", "offset": 1}, r'line 1: a row with "offset" needs "duration"'),
        ({"audio": "x.wav"}, r'line 1: the key "audio_filepath" is missing'),
    ],
)
def test_rows_that_cannot_be_used(row: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        collect([write_rows(tmp_path / "m.jsonl", row)])


def test_ids_are_unique_in_all_inputs_together(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"")
    path = write_rows(tmp_path / "m.jsonl", {"id": "x", "audio_filepath": "other.wav"})
    with pytest.raises(DataError, match=r'the id "x" is already used'):
        collect([str(tmp_path / "x.wav"), path])


def test_standard_input_is_refused() -> None:
    with pytest.raises(DataError, match="cannot contain standard input"):
        collect(["-"])
