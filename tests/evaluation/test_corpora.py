"""Manifests evaluated together: their names, and ids that stay apart."""

from pathlib import Path

import pytest

from asr.errors import DataError
from asr.evaluation import corpora

ROW = '{"id": "%s", "audio_filepath": "a.wav", "duration": 1, "text": "a"}\n'


def manifest(path: Path, *ids: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(ROW % each for each in ids))
    return path


def test_a_corpus_is_called_by_its_folder_and_file(tmp_path: Path) -> None:
    paths = [manifest(tmp_path / "an4" / "test.jsonl", "1"), manifest(tmp_path / "other" / "test.jsonl", "2")]
    assert [each.name for each in corpora.read(paths)] == ["an4/test", "other/test"]


def test_corpora_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    paths = [manifest(tmp_path / top / "an4" / "test.jsonl", top) for top in ("old", "new")]
    assert [each.name for each in corpora.read(paths)] == [str(path) for path in paths]


def test_only_an_id_that_two_manifests_have_gets_its_corpus_in_front(tmp_path: Path) -> None:
    first, second = manifest(tmp_path / "c" / "a.jsonl", "1", "2"), manifest(tmp_path / "c" / "b.jsonl", "2", "3")
    read = corpora.read([first, second])
    assert [[utterance.id for utterance in each.utterances] for each in read] == [["1", "c/a/2"], ["c/b/2", "3"]]


def test_a_manifest_given_twice_would_count_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = manifest(tmp_path / "a.jsonl", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^a\.jsonl is given twice, but each utterance counts once: leave one out\.$"):
        corpora.read([path, Path("a.jsonl")])
