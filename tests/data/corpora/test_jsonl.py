"""JSONL corpora: audio files, tar archives that are unpacked safely and once, and malformed rows."""

import io
import json
import os
import random
import re
import tarfile
from pathlib import Path

import pytest
from corpus_files import audio_bytes, put

from asr.data.corpora import Corpus, jsonl
from asr.data.manifest import Utterance
from asr.errors import DataError


def make_tar(path: Path, *members: tuple[str, bytes], link: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uid = len(content), 1_000_000_000, 0, 12345
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return path


def make_jsonl(path: Path, *rows: dict) -> Path:
    return put(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_jsonl_of_audio_files(tmp_path):
    put(tmp_path / "src" / "long.wav", audio_bytes(1.0))
    source = make_jsonl(
        tmp_path / "src" / "rows.jsonl",
        {"audio": "long.wav", "text": "All of it.", "speaker": "anna", "split": "train", "licence": "CC0"},
        {"audio_filepath": "long.wav", "text": "the rest", "offset": 0.25, "id": "rest", "split": "dev-clean"},
        {"audio": str(tmp_path / "src" / "long.wav"), "text": "stated as 3 s", "duration": 3, "id": "trusted"},
    )
    path = tmp_path / "src" / "long.wav"
    assert jsonl.read(source, tmp_path / "out") == Corpus(
        [
            Utterance("long", path, 1.0, "All of it.", 0.0, "anna", "train"),
            Utterance("rest", path, 0.75, "the rest", 0.25, None, "dev-clean"),
            Utterance("trusted", path, 3.0, "stated as 3 s", 0.0, None, "all"),
        ],
        notes=[],
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tar", ["corpus.tar", "sub/corpus.tgz"])
def test_jsonl_unpacks_what_the_rows_name(tmp_path, tar):
    content = audio_bytes(0.5)
    make_tar(tmp_path / "src" / tar, ("./audio/a.wav", content), ("audio/b.wav", b"not named"), link="audio/c.wav")
    source = make_jsonl(tmp_path / "src" / "rows.jsonl", {"audio": "audio/a.wav", "tar": tar, "text": "A"})
    corpus = jsonl.read(source, tmp_path / "out")
    target = tmp_path / "out" / "audio" / tar.partition(".")[0] / "audio" / "a.wav"
    assert corpus.utterances == [Utterance("audio/a", target, 0.5, "A", split="all")]
    assert corpus.notes == [f"Skipped files of {tmp_path}/src/{tar} that no row names: audio/b.wav, audio/c.wav."]
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [target]
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o600 == 0o600


def test_jsonl_unpacks_a_file_again_only_if_size_or_time_differ(tmp_path):
    parts = [(f"{name}.wav", audio_bytes(0.5)) for name in "abc"]
    make_tar(tmp_path / "x.tar", *parts)
    source = make_jsonl(
        tmp_path / "rows.jsonl", *({"audio": name, "tar": "x.tar", "text": "", "duration": 0.5} for name, _ in parts)
    )
    out = tmp_path / "out"
    a, b, c = [utterance.audio_filepath for utterance in jsonl.read(source, out).utterances]
    same_time = (1_000_000_000, 1_000_000_000)
    for path, content, times in [
        (a, b"x" * len(parts[0][1]), same_time),
        (b, b"shorter", same_time),
        (c, b"x" * len(parts[2][1]), (1, 1)),
    ]:
        path.write_bytes(content)
        os.utime(path, times)
    jsonl.read(source, out)
    assert a.read_bytes() == b"x" * len(parts[0][1])
    assert b.read_bytes() == parts[1][1]
    assert c.read_bytes() == parts[2][1]


@pytest.mark.parametrize("name", ["../evil.wav", "audio/../../evil.wav", "/tmp/evil.wav", "."])
def test_jsonl_refuses_members_that_escape(tmp_path, name):
    make_tar(tmp_path / "src" / "x.tar", (name, audio_bytes(0.5)))
    source = make_jsonl(tmp_path / "src" / "rows.jsonl", {"audio": name, "tar": "x.tar", "text": "A", "id": "1"})
    message = f'rows.jsonl, line 1: "audio" is "{name}"; with a tar it must be a relative path without "..".'
    with pytest.raises(DataError, match=re.escape(message)):
        jsonl.read(source, tmp_path / "src" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["rows.jsonl", "src", "x.tar"]


def test_jsonl_refuses_links(tmp_path):
    make_tar(tmp_path / "x.tar", link="a.wav")
    source = make_jsonl(tmp_path / "rows.jsonl", {"audio": "a.wav", "tar": "x.tar", "text": "A"})
    with pytest.raises(DataError, match=r"x\.tar has links, devices or sparse files instead of audio files: a\.wav\."):
        jsonl.read(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("tar", "second_half"), [("x.tar", b""), ("x.tgz", b""), ("x.tgz", b"\xff" * 9_999)], ids=["tar", "tgz", "garbage"]
)
def test_jsonl_damaged_tar_leaves_no_half_file(tmp_path, tar, second_half):
    content = bytes(random.Random(0).choices(b"abcdefgh", k=400_000))
    path = make_tar(tmp_path / tar, ("a.wav", b"whole"), ("b.wav", content))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + second_half)
    source = make_jsonl(tmp_path / "rows.jsonl", {"audio": "b.wav", "tar": tar, "text": "B"})
    with pytest.raises(DataError, match=rf"{tar} cannot be unpacked: "):
        jsonl.read(source, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_jsonl_two_tars_of_one_name(tmp_path):
    rows = [{"audio": "a.wav", "tar": tar, "text": "A", "id": tar} for tar in ("x.tar", "x.tgz")]
    source = make_jsonl(tmp_path / "rows.jsonl", *rows)
    with pytest.raises(DataError, match=r"line 2: this would overwrite a\.wav of x\.tar when unpacked; rename"):
        jsonl.read(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "A"}, '.jsonl, line 1: the key "audio" is missing; a row needs audio, text.'),
        ({"audio": "a.wav", "texts": "A"}, '.jsonl, line 1: the key "text" is missing (is "texts" a typo?);'),
        ({"audio": "a.wav", "text": "A", "durations": 1}, '"durations" is unknown; did you mean "duration"?'),
        (
            {"audio": "a.wav", "text": "A", "duration": 0},
            '"duration" is 0; it must be a finite number of seconds, mo',
        ),
        (
            {"audio": "a.wav", "text": "A", "split": "../dev"},
            'the split "../dev" must be a plain file name of letters,',
        ),
        (
            {"audio": "a.wav", "text": "A", "split": ".dev"},
            'the split ".dev" must be a plain file name of letters, di',
        ),
        (
            {"audio": "b.wav", "text": "A"},
            "None of the 1 utterances can be used. The first: 'TMP/b.wav' does not exist",
        ),
        ({"audio": "b.wav", "tar": "y.tar", "text": "A"}, "rows.jsonl refers to missing archives: TMP/y.tar."),
        ({"audio": "b.wav", "tar": "x.tar", "text": "A"}, "x.tar lacks files that are named in the rows: b.wav."),
        ({"audio": "a.wav", "text": "A", "offset": 0.5}, "a.wav has no audio after 0.5 s, where the utterance"),
    ],
)
def test_jsonl_broken_rows(tmp_path, row, message):
    put(tmp_path / "a.wav", audio_bytes(0.5))
    make_tar(tmp_path / "x.tar", ("a.wav", b""))
    source = make_jsonl(tmp_path / "rows.jsonl", row)
    with pytest.raises(DataError, match=re.escape(message.replace("TMP", str(tmp_path)))):
        jsonl.read(source, tmp_path / "out")


def test_jsonl_ids_must_be_unique(tmp_path):
    row = {"audio": "a.wav", "text": "A"}
    source = make_jsonl(tmp_path / "rows.jsonl", row, row)
    with pytest.raises(
        DataError, match=r'rows\.jsonl, line 2: the id "a" is already used in .*rows\.jsonl, line 1; ids must'
    ):
        jsonl.read(source, tmp_path / "out")


@pytest.mark.parametrize("name", ["train", "dev"])
def test_jsonl_never_overwrites_its_source(tmp_path, name):
    source = make_jsonl(tmp_path / f"{name}.jsonl", {"audio": "a.wav", "text": "A", "split": "train"})
    with pytest.raises(DataError, match=rf"{name}\.jsonl would be overwritten by the manifest of that name; choose an"):
        jsonl.read(source, tmp_path / "none" / "..")
