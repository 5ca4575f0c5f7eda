"""Manifests evaluated together: names of corpora and unique ids."""

from pathlib import Path

import pytest

from asr.errors import DataError
from asr.evaluation import corpora

ROW = '{"id": "%s", "audio_filepath": "a.wav", "duration": 1, "text": "a"}\n'


def manifest(path: Path, *ids: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(ROW % name for name in ids))
    return path


def test_a_corpus_is_named_after_its_folder_and_file(tmp_path: Path) -> None:
    paths = [manifest(tmp_path / "an4" / "test.jsonl", "1"), manifest(tmp_path / "other" / "test.jsonl", "2")]
    assert [corpus.name for corpus in corpora.read(paths)] == ["an4/test", "other/test"]


def test_corpora_of_the_same_name_are_named_by_their_paths(tmp_path: Path) -> None:
    paths = [manifest(tmp_path / top / "an4" / "test.jsonl", top) for top in ("old", "new")]
    assert [corpus.name for corpus in corpora.read(paths)] == [str(path) for path in paths]


def test_only_ids_that_occur_in_two_manifests_get_a_prefix(tmp_path: Path) -> None:
    first, second = manifest(tmp_path / "c" / "a.jsonl", "1", "2"), manifest(tmp_path / "c" / "b.jsonl", "2", "3")
    read = corpora.read([first, second])
    assert [[utterance.id for utterance in corpus.utterances] for corpus in read] == [["1", "c/a/2"], ["c/b/2", "3"]]


def test_a_manifest_given_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = manifest(tmp_path / "a.jsonl", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=r"^a\.jsonl is given twice, but each utterance must count once: give it once\.$"
    ):
        corpora.read([path, Path("a.jsonl")])
