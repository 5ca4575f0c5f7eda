"""A folder of recordings with transcripts: pairs, speakers, and errors."""

from pathlib import Path

import pytest
from corpus_files import audio_bytes, put

from asr.data.corpora import folder, hold_out_share
from asr.data.manifest import Utterance
from asr.errors import DataError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    here = tmp_path / "recordings"
    put(here / "hello.wav", audio_bytes(1.0))
    put(here / "hello.txt", "\ufeffHello,\nworld!\n")
    put(here / "anna" / "take.1.flac", audio_bytes(2.0, "FLAC"))
    put(here / "anna" / "take.1.TXT", "Good morning")
    put(here / "anna" / "late" / "two.aiff", audio_bytes(1.5, "AIFF"))
    put(here / "anna" / "late" / "two.txt", "Zwölf")
    put(here / ".trash" / "old.txt", "gone")
    return here


def test_pairs_speakers_and_ids(source: Path) -> None:
    corpus = folder.read(source)
    assert corpus.notes == []
    assert corpus.utterances == [
        Utterance("anna/late/two", source / "anna/late/two.aiff", 1.5, "Zwölf", 0.0, "anna", "all"),
        Utterance("anna/take.1", source / "anna/take.1.flac", 2.0, "Good morning", 0.0, "anna", "all"),
        Utterance("hello", source / "hello.wav", 1.0, "Hello, world!", 0.0, None, "all"),
    ]


def test_files_without_a_partner_are_noted(source: Path) -> None:
    put(source / "lonely.txt", "Nobody speaks")
    put(source / "alone.wav", audio_bytes(1.0))
    first, second = folder.read(source).notes
    assert first == f"Skipped texts without an audio file: {source / 'lonely.txt'}."
    assert second == f"Skipped audio files without a .txt file: {source / 'alone.wav'}."


def test_two_files_of_one_name_are_refused(source: Path) -> None:
    put(source / "hello.mp3", b"")
    with pytest.raises(DataError, match=r"hello\.txt \(hello\.mp3, hello\.wav\); keep one of each"):
        folder.read(source)


def test_an_empty_text_is_refused(source: Path) -> None:
    put(source / "hello.txt", " \n")
    with pytest.raises(DataError, match=r"hello\.txt is empty; write the transcript of hello\.wav into it"):
        folder.read(source)


def test_a_text_that_is_not_utf_8_is_refused(source: Path) -> None:
    put(source / "hello.txt", "Zwölf".encode("latin-1"))
    with pytest.raises(DataError, match=r"hello\.txt: this is not UTF-8 text"):
        folder.read(source)


def test_a_folder_without_a_pair(tmp_path: Path) -> None:
    put(tmp_path / "a.wav", audio_bytes(1.0))
    with pytest.raises(DataError, match=r"has no audio file with a text of the same name; a\.wav needs a\.txt"):
        folder.read(tmp_path)
    with pytest.raises(DataError, match=r"a\.wav is not a folder"):
        folder.read(tmp_path / "a.wav")


def some(count: int) -> list[Utterance]:
    return [Utterance(f"u{number}", Path("a.wav"), 1.0, "a", 0.0, None, "all") for number in range(count)]


@pytest.mark.parametrize(("count", "share", "dev"), [(100, 0.1, 10), (3, 0.1, 1), (2, 0.5, 1), (5, 0.5, 2)])
def test_a_share_is_held_out(count: int, share: float, dev: int) -> None:
    utterances = hold_out_share(some(count), share)
    assert [u.id for u in utterances] == [u.id for u in some(count)]
    assert sum(u.split == "dev" for u in utterances) == dev
    assert sum(u.split == "train" for u in utterances) == count - dev


def test_the_lots_follow_the_seed_and_not_the_neighbours() -> None:
    def dev(utterances: list[Utterance], seed: int) -> set[str]:
        return {u.id for u in hold_out_share(utterances, 0.3, seed) if u.split == "dev"}

    assert dev(some(50), 1) == dev(some(50)[::-1], 1)
    assert dev(some(50), 1) != dev(some(50), 2)


def test_one_utterance_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="1 utterance cannot be split"):
        hold_out_share(some(1), 0.1)


@pytest.mark.parametrize("suffix", ["TextGrid", "json", "srt", "lab", "md", "partial.srt"])
def test_annotations_beside_the_audio_are_skipped(source: Path, suffix: str) -> None:
    expected = folder.read(source)
    put(source / f"hello.{suffix}", "notes")
    corpus = folder.read(source)
    assert corpus.utterances == expected.utterances
    assert corpus.notes == [f"Skipped files that are neither audio nor .txt: {source / f'hello.{suffix}'}."]
