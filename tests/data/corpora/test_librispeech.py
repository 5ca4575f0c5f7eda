"""LibriSpeech: a small tree in the official layout, malformed variants, downloads, and real speech."""

import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import soundfile
from corpus_files import RATE, audio_bytes, put

from asr.data.corpora import Corpus, librispeech
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.training.data import librispeech_download

REAL = Path(__file__).parents[3] / "../shared/data/librispeech-train-clean-5.jsonl"


def put_chapter(part: Path, speaker: str, chapter: str, *texts: str) -> None:
    """A chapter as in the archives; the utterances last 0.1 s, 0.2 s, ..."""
    stem = part / speaker / chapter / f"{speaker}-{chapter}"
    put(stem.with_name(f"{stem.name}.trans.txt"), "".join(f"{stem.name}-{i:04} {t}\n" for i, t in enumerate(texts)))
    for number in range(len(texts)):
        put(stem.with_name(f"{stem.name}-{number:04}.flac"), audio_bytes((number + 1) / 10, "FLAC"))


@pytest.fixture
def source(tmp_path) -> Path:
    """The folder LibriSpeech with three chapters in two parts, and the files next to the parts."""
    folder = tmp_path / "LibriSpeech"
    put_chapter(folder / "train-clean-5", "19", "198", "NORTHANGER ABBEY", "THIS LITTLE WORK WAS FINISHED IN")
    put_chapter(folder / "train-clean-5", "19", "227", "CHAPTER TWO")
    put_chapter(folder / "dev-clean-2", "84", "121123", "GO DO YOU HEAR")
    put(folder / "SPEAKERS.TXT", "; about the readers\n")
    put(folder / "train-clean-5" / ".completed", "")
    return folder


def test_librispeech_official_layout(source):
    train, dev = source / "train-clean-5" / "19", source / "dev-clean-2" / "84" / "121123"
    one, two = train / "198" / "19-198-0000.flac", train / "198" / "19-198-0001.flac"
    three, four = train / "227" / "19-227-0000.flac", dev / "84-121123-0000.flac"
    assert librispeech.read(source) == Corpus(
        [
            Utterance("84-121123-0000", four, 0.1, "GO DO YOU HEAR", 0.0, "84", "dev-clean-2"),
            Utterance("19-198-0000", one, 0.1, "NORTHANGER ABBEY", 0.0, "19", "train-clean-5"),
            Utterance("19-198-0001", two, 0.2, "THIS LITTLE WORK WAS FINISHED IN", 0.0, "19", "train-clean-5"),
            Utterance("19-227-0000", three, 0.1, "CHAPTER TWO", 0.0, "19", "train-clean-5"),
        ],
        notes=[],
    )


def test_librispeech_from_the_folder_above_and_from_a_relative_path(source, monkeypatch):
    corpus = librispeech.read(source)
    assert librispeech.read(source.parent) == corpus
    monkeypatch.chdir(source)
    assert librispeech.read(Path()) == corpus


def test_librispeech_audio_without_a_transcript_is_noted(source):
    extra = put(source / "dev-clean-2" / "84" / "121123" / "84-121123-0007.flac", b"never opened")
    alone = put(source / "dev-clean-2" / "84" / "99" / "84-99-0000.flac", b"never opened")
    corpus = librispeech.read(source)
    assert len(corpus.utterances) == 4
    assert corpus.notes == [f"Skipped audio files without a transcript in a .trans.txt: {extra}, {alone}."]


@pytest.mark.parametrize("below", ["train-clean-5", "train-clean-5/19", "none"])
def test_librispeech_of_another_layout(source, below):
    message = f"{source / below} has no part of LibriSpeech, no PART/SPEAKER/CHAPTER/*.trans.txt; give the folder that"
    with pytest.raises(DataError, match=re.escape(message)):
        librispeech.read(source / below)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("84-121123-0001", ', line 2: "84-121123-0001" is not an id followed by a transcript.'),
        ("", ', line 2: "" is not an id followed by a transcript.'),
        ("84-121123-0000 AGAIN", ', line 2: the id "84-121123-0000" is already used in '),
        ("\udce9", ", line 2: this is not UTF-8 text; save the file as UTF-8."),
    ],
)
def test_librispeech_broken_lines(source, line, message):
    path = source / "dev-clean-2" / "84" / "121123" / "84-121123.trans.txt"
    path.write_bytes(path.read_bytes() + f"{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=re.escape(f"{path}{message}")):
        librispeech.read(source)


def test_librispeech_transcript_without_audio(source):
    flac = source / "dev-clean-2" / "84" / "121123" / "84-121123-0000.flac"
    flac.unlink()
    corpus = librispeech.read(source)
    assert "84-121123-0000" not in [utterance.id for utterance in corpus.utterances]
    assert list(corpus.unusable) == ["84-121123-0000"]
    assert f"'{flac}' does not exist" in corpus.unusable["84-121123-0000"]


def test_files_that_macos_puts_beside_others_are_skipped(source):
    expected = librispeech.read(source)
    chapter = source / "dev-clean-2" / "84" / "121123"
    for name in ("._84-121123.trans.txt", "._84-121123-0000.flac"):
        (chapter / name).write_bytes(b"\x00\x05\x16\x07 Mac OS X")
    assert librispeech.read(source) == expected


def test_librispeech_part_whose_name_is_not_a_valid_split(source):
    (source / "dev-clean-2").rename(source / "dev clean")
    with pytest.raises(DataError, match=r'84-121123\.trans\.txt: the split "dev clean" must be a plain file name'):
        librispeech.read(source)


# Fetching


@pytest.fixture
def downloads(monkeypatch) -> list[tuple[Path, str]]:
    """The calls of lhotse's download function, which is replaced."""
    import lhotse.recipes.librispeech as lhotse

    calls = []
    monkeypatch.setattr(lhotse, "download_librispeech", lambda *args, base_url: calls.append((*args, base_url)))
    assert set(librispeech.PARTS) == {*lhotse.LIBRISPEECH, *lhotse.MINI_LIBRISPEECH}
    return calls


def test_only_missing_parts_are_downloaded(source, downloads):
    librispeech_download.download(source.parent, ["train-clean-5", "dev-clean-2"])
    assert downloads == []
    librispeech_download.download(source.parent, ["dev-clean-2", "dev-clean", "train-clean-100"])
    url = "https://www.openslr.org/resources"
    assert downloads == [(source.parent, "dev-clean", url), (source.parent, "train-clean-100", url)]


def test_a_folder_named_librispeech_is_the_target_itself(source, downloads, monkeypatch):
    librispeech_download.download(source, ["dev-clean-2", "test-clean"])
    monkeypatch.chdir(source)
    librispeech_download.download(Path(), ["test-other"])
    assert [call[:2] for call in downloads] == [(source.parent, "test-clean"), (source.parent, "test-other")]


def test_parts_without_the_folder_librispeech_are_not_missing(source, downloads):
    librispeech_download.download(source.rename(source.with_name("corpora")), ["dev-clean-2"])
    assert downloads == []


def test_an_interrupted_download_is_resumed(source, downloads):
    for part in ("train-clean-5", "dev-clean-2", "dev-other"):
        put(source.parent / f"{part}.tar.gz", b"half")
    librispeech_download.download(source.parent, ["train-clean-5", "dev-clean-2", "dev-other"])
    # train-clean-5 has the mark of a part that was unpacked to its end.
    assert [part for _, part, _ in downloads] == ["dev-clean-2", "dev-other"]


@pytest.mark.parametrize(
    "error", [URLError("no route"), ConnectionResetError("reset"), tarfile.ReadError("x"), EOFError("y")]
)
def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch, error):
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("lhotse.recipes.librispeech.download_librispeech", fail)
    message = (
        f"dev-clean-2 cannot be downloaded to {tmp_path} ({error}); run the command again to resume, or delete "
        f"{tmp_path}/dev-clean-2.tar.gz to start again."
    )
    with pytest.raises(DataError, match=rf"^{re.escape(message)}$"):
        librispeech_download.download(tmp_path, ["dev-clean-2"])


def test_lhotse_is_not_needed_without_a_download(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse.recipes.librispeech", None)
    librispeech_download.download(source, ["dev-clean-2"])
    with pytest.raises(ModuleNotFoundError):
        librispeech_download.download(source, ["dev-clean"])


def test_what_lhotse_unpacks_is_read(tmp_path, source, monkeypatch):
    """lhotse itself, with an existing archive and a fake server that has nothing more to send."""
    with tarfile.open(tmp_path / "train-clean-5.tar.gz", "w:gz") as archive:
        archive.add(
            source / "train-clean-5",
            "LibriSpeech/train-clean-5",
            filter=lambda m: None if m.name.endswith(".completed") else m,
        )
    monkeypatch.setattr("lhotse.recipes.librispeech.resumable_download", lambda *_args, **_options: None)
    monkeypatch.setattr(tarfile.TarFile, "extraction_filter", staticmethod(tarfile.data_filter), raising=False)
    expected = [(u.id, u.text, u.duration) for u in librispeech.read(source).utterances if u.split == "train-clean-5"]
    target = tmp_path / "new"
    target.mkdir()
    (tmp_path / "train-clean-5.tar.gz").rename(target / "train-clean-5.tar.gz")
    librispeech_download.download(target, ["train-clean-5"])
    assert [(u.id, u.text, u.duration) for u in librispeech.read(target).utterances] == expected
    assert (target / "LibriSpeech" / "train-clean-5" / ".completed").exists()


# Real speech


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Twenty utterances of two speakers in three chapters."""
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not here")
    found = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    chapters = {"1088-134315": 7, "1088-134318": 7, "118-47824": 6}
    return [row for row in found if int(row["id"][-4:]) < chapters.get(row["id"][:-5], 0)]


def test_real_speech_in_the_official_layout(tmp_path, rows):
    with tarfile.open(REAL.with_suffix(".tar")) as archive:
        members = {member.name: member for member in archive}
        for row in rows:
            speaker, chapter, _ = row["id"].split("-")
            folder = tmp_path / "LibriSpeech" / "train-clean-5" / speaker / chapter
            folder.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(members[row["audio"]])
            assert content is not None
            samples, rate = soundfile.read(io.BytesIO(content.read()), dtype="float32")
            soundfile.write(folder / f"{row['id']}.flac", np.clip(samples, -1, 1), rate, subtype="PCM_16")
            with (folder / f"{speaker}-{chapter}.trans.txt").open("a") as file:
                file.write(f"{row['id']} {row['text']}\n")
    utterances = librispeech.read(tmp_path).utterances
    assert len(rows) == 20
    assert [(u.id, u.text, u.speaker, u.split) for u in utterances] == [
        (row["id"], row["text"], row["speaker"], "train-clean-5") for row in rows
    ]
    assert [u.duration for u in utterances] == [pytest.approx(row["duration"], abs=1e-3) for row in rows]
    assert all(soundfile.info(u.audio_filepath).samplerate == RATE for u in utterances)

    from lhotse.recipes.librispeech import prepare_librispeech

    there: Any = prepare_librispeech(tmp_path / "LibriSpeech")["train-clean-5"]["supervisions"]
    assert sorted((u.id, u.text, u.speaker, u.duration) for u in utterances) == sorted(
        (each.id, each.text, each.speaker, each.duration) for each in there
    )


def test_genders_come_from_the_table_of_speakers(source):
    speakers = [utterance.speaker for utterance in librispeech.read(source).utterances]
    put(
        source / "LibriSpeech" / "SPEAKERS.TXT",
        f";ID |SEX| ...\n{speakers[0]}   | F | train-clean-100 | 25.19 | A. Reader\n?\n",
    )
    genders = {utterance.speaker: utterance.gender for utterance in librispeech.read(source).utterances}
    assert genders == dict.fromkeys(speakers) | {speakers[0]: "female"}
