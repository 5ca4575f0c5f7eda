"""How files, folders, patterns and lists are expanded to recordings, and how their outputs are named."""

from pathlib import Path

import pytest

from asr.errors import AsrError, DataError
from asr.transcription.inputs import Input, expand


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.wav", "b/c.MP3", "b/d/e.mkv", "b/notes.txt", "b/.hidden.wav", "twin.wav", "twin.flac"):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(recordings: list[Input]) -> dict[str, str]:
    return {recording.source: recording.name for recording in recordings}


def test_a_folder_expands_to_its_sorted_recordings_named_like_its_tree(tree: Path) -> None:
    assert list(names(expand(["calls"])).items()) == [
        ("calls/a.wav", "a"),
        ("calls/b/c.MP3", "b/c"),
        ("calls/b/d/e.mkv", "b/d/e"),
        ("calls/twin.flac", "twin.flac"),
        ("calls/twin.wav", "twin.wav"),
    ]


def test_files_patterns_and_standard_input(tree: Path) -> None:
    assert names(expand(["calls/b/notes.txt", "-"])) == {"calls/b/notes.txt": "notes", "-": "stdin"}
    assert names(expand(["calls/**/*.mkv", "calls/b/*.MP3"])) == {"calls/b/d/e.mkv": "b/d/e", "calls/b/c.MP3": "c"}
    assert names(expand(["calls/t*.flac"])) == {"calls/twin.flac": "twin"}


def test_missing_files_are_kept_to_be_reported(tree: Path) -> None:
    missing = ["no.wav", "empty", "calls/*.opus"]
    assert [recording.source for recording in expand(missing)] == missing


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree: Path) -> None:
    (tree / "[1].wav").write_bytes(b"")
    assert names(expand(["[1].wav"])) == {"[1].wav": "[1]"}


def test_a_recording_given_twice_is_listed_once(tree: Path) -> None:
    assert len(expand(["calls/a.wav", "calls", "calls/a.wav"])) == 5


def test_a_list_keeps_the_folders_in_which_its_paths_differ(tree: Path) -> None:
    (tree / "list.txt").write_text(f"calls/a.wav\n\n{tree}/calls/b/c.MP3\n")
    assert names(expand([], "list.txt")) == {"calls/a.wav": "a", f"{tree}/calls/b/c.MP3": "b/c"}
    for content, message in (("\n", "is empty"), (None, "cannot be read")):
        (tree / "list.txt").unlink(missing_ok=True)
        if content is not None:
            (tree / "list.txt").write_text(content)
        with pytest.raises(DataError, match=message):
            expand([], "list.txt")


def test_two_recordings_of_one_name_get_their_folders(tree: Path) -> None:
    (tree / "a.wav").write_bytes(b"")
    assert names(expand(["a.wav", "calls/a.wav"])) == {"a.wav": "a", "calls/a.wav": "calls/a"}


def test_names_that_remain_duplicates_are_refused(tree: Path) -> None:
    for name in ("q/a.wav", "r/a.wav", "inner/q/a.wav"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"")
    with pytest.raises(AsrError, match=r"'q/a\.wav' and 'inner/q/a\.wav' would both be written to 'q/a'"):
        expand(["q/a.wav", "r/a.wav", "inner"])


def test_a_list_may_begin_with_a_byte_order_mark(tree: Path) -> None:
    (tree / "list.txt").write_bytes(b"\xef\xbb\xbfcalls/a.wav\r\n")
    assert [recording.source for recording in expand([], "list.txt")] == ["calls/a.wav"]


def test_paths_that_are_too_long_are_named_in_short(tree: Path) -> None:
    (tree / "list.txt").write_text("x.wav\na" + "b" * 100_000 + "\n")
    _, second = expand([], str(tree / "list.txt"))
    assert "is no path: it has 100,001 characters" in second.problem and len(second.problem) < 150


def test_recordings_that_do_not_exist_take_no_name(tree: Path) -> None:
    """Nothing is written for them, so that they are no reason to refuse others."""
    recordings = expand(["x.wav", "./x.wav"])
    assert len(recordings) == 2 and all("does not exist" in recording.problem for recording in recordings)
