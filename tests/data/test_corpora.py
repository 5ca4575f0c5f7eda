"""Corpora: a small AN4 in its official layout, JSONL with and without tars, held-out speakers, and the real AN4."""

import io
import json
import os
import random
import re
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr import audio
from asr.data import corpora, manifest
from asr.data.corpora import Corpus
from asr.data.manifest import Utterance
from asr.errors import DataError

REAL_AN4 = Path(__file__).parents[2] / "../shared/data/an4.jsonl"
RATE = 16_000


def tone(duration_s: float) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * RATE)) / RATE)


def sound_bytes(duration_s: float, kind: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(duration_s), RATE, format=kind, subtype="PCM_16")
    return buffer.getvalue()


def sphere_bytes(duration_s: float) -> bytes:
    """NIST SPHERE by hand: a header of 1024 characters, then big-endian samples."""
    samples = (tone(duration_s) * 32767).astype(">i2")
    fields = f"""NIST_1A
   1024
channel_count -i 1
sample_rate -i {RATE}
sample_n_bytes -i 2
sample_byte_format -s2 10
sample_sig_bits -i 16
sample_coding -s3 pcm
sample_count -i {len(samples)}
end_head
"""
    return fields.ljust(1024).encode() + samples.tobytes()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# AN4


@pytest.fixture
def an4(tmp_path) -> Path:
    source = tmp_path / "an4"
    put(
        source / "etc" / "an4_train.transcription",
        "<s> TWENTY SIX </s> (cen7-fash-b)\n<s> G O </s> (an1-mblw-b)\n<s> </s> (an2-mblw-b)\n",
    )
    put(source / "etc" / "an4_test.transcription", "YES (an9-mjwl-b)\n")
    put(source / "wav" / "an4_clstk" / "fash" / "cen7-fash-b.wav", sound_bytes(0.25))
    put(source / "wav" / "an4_clstk" / "mblw" / "an1-mblw-b.sph", sphere_bytes(0.5))
    put(source / "wav" / "an4_clstk" / "mblw" / "an2-mblw-b.FLAC", sound_bytes(0.75, "FLAC"))
    put(source / "wav" / "an4test_clstk" / "mjwl" / "an9-mjwl-b.SPH", sphere_bytes(1.0))
    return source


def test_an4_official_layout(an4):
    train, test = an4 / "wav" / "an4_clstk", an4 / "wav" / "an4test_clstk"
    assert corpora.an4(an4) == Corpus(
        [
            Utterance("cen7-fash-b", train / "fash" / "cen7-fash-b.wav", 0.25, "TWENTY SIX", 0.0, "fash", "train"),
            Utterance("an1-mblw-b", train / "mblw" / "an1-mblw-b.sph", 0.5, "G O", 0.0, "mblw", "train"),
            Utterance("an2-mblw-b", train / "mblw" / "an2-mblw-b.FLAC", 0.75, "", 0.0, "mblw", "train"),
            Utterance("an9-mjwl-b", test / "mjwl" / "an9-mjwl-b.SPH", 1.0, "YES", 0.0, "mjwl", "test"),
        ],
        notes=[],
    )


def test_an4_paths_are_absolute_from_a_relative_source(an4, monkeypatch):
    monkeypatch.chdir(an4.parent)
    assert corpora.an4(Path("an4")).utterances == corpora.an4(an4).utterances


def test_an4_takes_one_of_two_forms_of_a_recording(an4):
    converted = put(an4 / "wav" / "an4_clstk" / "mblw" / "an1-mblw-b.wav", sound_bytes(0.5))
    assert corpora.an4(an4).utterances[1].audio_filepath == converted


def test_an4_transcripts_without_sound_are_named(an4):
    with (an4 / "etc" / "an4_test.transcription").open("a") as file:
        file.writelines(f"NO (an{number}-mjwl-b)\n" for number in (1, 2, 3, 4))
    put(an4 / "wav" / "an4test_clstk" / "mjwl" / "an1-mjwl-b.raw", b"")
    message = (
        f"{an4}/etc/an4_test.transcription has transcripts without a sound file (.wav, .flac, .sph) below "
        f"{an4}/wav/an4test_clstk: an1-mjwl-b, an2-mjwl-b, an3-mjwl-b ... (4 in all); "
        "add the files or take out the lines."
    )
    with pytest.raises(DataError, match=re.escape(message)):
        corpora.an4(an4)


def test_an4_sound_without_a_transcript_is_noted(an4):
    extra = put(an4 / "wav" / "an4test_clstk" / "mjwl" / "an8-mjwl-b.wav", b"never opened")
    corpus = corpora.an4(an4)
    assert len(corpus.utterances) == 4
    assert corpus.notes == [f"Left out, for {an4}/etc/an4_test.transcription has no transcript: {extra}."]


def test_an4_of_another_layout(tmp_path):
    with pytest.raises(
        DataError, match=r"an4_train\.transcription is missing; the source has to be AN4's folder, with"
    ):
        corpora.an4(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<s> YES </s>", 'line 2: "<s> YES </s>" is not a transcript followed by an id in parentheses.'),
        ("YES (an9-mjwl-b)", 'line 2: the id "an9-mjwl-b" is taken by '),
        ("YES (cen7-fash-b)", 'line 2: the id "cen7-fash-b" is taken by '),
    ],
)
def test_an4_broken_lines(an4, line, message):
    with (an4 / "etc" / "an4_test.transcription").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=re.escape(f"{an4}/etc/an4_test.transcription, {message}")):
        corpora.an4(an4)


def test_an4_recording_of_two_speakers(an4):
    put(an4 / "wav" / "an4_clstk" / "fash" / "an1-mblw-b.sph", sphere_bytes(0.5))
    with pytest.raises(DataError, match=r"fash/an1-mblw-b\.sph and .*mblw/an1-mblw-b\.sph have one name but two speak"):
        corpora.an4(an4)


# JSONL


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


def test_jsonl_beside_sound_files(tmp_path):
    put(tmp_path / "src" / "long.wav", sound_bytes(1.0))
    source = make_jsonl(
        tmp_path / "src" / "rows.jsonl",
        {"audio": "long.wav", "text": "All of it.", "speaker": "anna", "split": "train", "licence": "CC0"},
        {"audio_filepath": "long.wav", "text": "the rest", "offset": 0.25, "id": "rest", "split": "dev-clean"},
        {"audio": str(tmp_path / "src" / "long.wav"), "text": "said to be 3 s", "duration": 3, "id": "trusted"},
    )
    path = tmp_path / "src" / "long.wav"
    assert corpora.jsonl(source, tmp_path / "out") == Corpus(
        [
            Utterance("long", path, 1.0, "All of it.", 0.0, "anna", "train"),
            Utterance("rest", path, 0.75, "the rest", 0.25, None, "dev-clean"),
            Utterance("trusted", path, 3.0, "said to be 3 s", 0.0, None, "all"),
        ],
        notes=[],
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tar", ["corpus.tar", "sub/corpus.tgz"])
def test_jsonl_unpacks_what_the_rows_name(tmp_path, tar):
    content = sound_bytes(0.5)
    make_tar(tmp_path / "src" / tar, ("./audio/a.wav", content), ("audio/b.wav", b"not named"), link="audio/c.wav")
    source = make_jsonl(tmp_path / "src" / "rows.jsonl", {"audio": "audio/a.wav", "tar": tar, "text": "A"})
    corpus = corpora.jsonl(source, tmp_path / "out")
    target = tmp_path / "out" / "audio" / tar.partition(".")[0] / "audio" / "a.wav"
    assert corpus.utterances == [Utterance("audio/a", target, 0.5, "A", split="all")]
    assert corpus.notes == [f"Left in {tmp_path}/src/{tar}, for no row names them: audio/b.wav, audio/c.wav."]
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [target]
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o600 == 0o600


def test_jsonl_unpacks_a_file_again_only_if_size_or_time_differ(tmp_path):
    parts = [(f"{name}.wav", sound_bytes(0.5)) for name in "abc"]
    make_tar(tmp_path / "x.tar", *parts)
    source = make_jsonl(
        tmp_path / "rows.jsonl", *({"audio": name, "tar": "x.tar", "text": "", "duration": 0.5} for name, _ in parts)
    )
    out = tmp_path / "out"
    a, b, c = [utterance.audio_filepath for utterance in corpora.jsonl(source, out).utterances]
    same_time = (1_000_000_000, 1_000_000_000)
    for path, content, times in [
        (a, b"x" * len(parts[0][1]), same_time),
        (b, b"shorter", same_time),
        (c, b"x" * len(parts[2][1]), (1, 1)),
    ]:
        path.write_bytes(content)
        os.utime(path, times)
    corpora.jsonl(source, out)
    assert a.read_bytes() == b"x" * len(parts[0][1])
    assert b.read_bytes() == parts[1][1]
    assert c.read_bytes() == parts[2][1]


@pytest.mark.parametrize("name", ["../evil.wav", "audio/../../evil.wav", "/tmp/evil.wav", "."])
def test_jsonl_refuses_members_that_escape(tmp_path, name):
    make_tar(tmp_path / "src" / "x.tar", (name, sound_bytes(0.5)))
    source = make_jsonl(tmp_path / "src" / "rows.jsonl", {"audio": name, "tar": "x.tar", "text": "A", "id": "1"})
    message = f'rows.jsonl, line 1: "audio" is "{name}"; with a tar it has to be a relative path without "..".'
    with pytest.raises(DataError, match=re.escape(message)):
        corpora.jsonl(source, tmp_path / "src" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["rows.jsonl", "src", "x.tar"]


def test_jsonl_refuses_links(tmp_path):
    make_tar(tmp_path / "x.tar", link="a.wav")
    source = make_jsonl(tmp_path / "rows.jsonl", {"audio": "a.wav", "tar": "x.tar", "text": "A"})
    with pytest.raises(DataError, match=r"x\.tar has links or devices where the rows name sound files: a\.wav\."):
        corpora.jsonl(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("tar", "second_half"), [("x.tar", b""), ("x.tgz", b""), ("x.tgz", b"\xff" * 9_999)], ids=["tar", "tgz", "garbage"]
)
def test_jsonl_damaged_tar_leaves_no_half_file(tmp_path, tar, second_half):
    content = bytes(random.Random(0).choices(b"abcdefgh", k=400_000))
    path = make_tar(tmp_path / tar, ("a.wav", b"whole"), ("b.wav", content))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + second_half)
    source = make_jsonl(tmp_path / "rows.jsonl", {"audio": "b.wav", "tar": tar, "text": "B"})
    with pytest.raises(DataError, match=rf"{tar} cannot be unpacked: "):
        corpora.jsonl(source, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_jsonl_two_tars_of_one_name(tmp_path):
    rows = [{"audio": "a.wav", "tar": tar, "text": "A", "id": tar} for tar in ("x.tar", "x.tgz")]
    source = make_jsonl(tmp_path / "rows.jsonl", *rows)
    with pytest.raises(
        DataError, match=r"line 2: this would be unpacked over a\.wav of x\.tar; rename one of the tars"
    ):
        corpora.jsonl(source, tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "A"}, '.jsonl, line 1: the key "audio" is missing; a row needs audio, text.'),
        ({"audio": "a.wav", "texts": "A"}, '.jsonl, line 1: the key "text" is missing (is "texts" meant for it?);'),
        ({"audio": "a.wav", "text": "A", "durations": 1}, '"durations" is unknown; write "duration" if that is meant.'),
        (
            {"audio": "a.wav", "text": "A", "duration": 0},
            '"duration" is 0; it has to be a finite number of seconds, mo',
        ),
        (
            {"audio": "a.wav", "text": "A", "split": "../dev"},
            'the split "../dev" has to be a plain file name of letters,',
        ),
        (
            {"audio": "a.wav", "text": "A", "split": ".dev"},
            'the split ".dev" has to be a plain file name of letters, di',
        ),
        ({"audio": "b.wav", "text": "A"}, "rows.jsonl names files that are not there: TMP/b.wav."),
        ({"audio": "b.wav", "tar": "y.tar", "text": "A"}, "rows.jsonl names files that are not there: TMP/y.tar."),
        ({"audio": "b.wav", "tar": "x.tar", "text": "A"}, "x.tar lacks files that the rows name: b.wav."),
        ({"audio": "a.wav", "text": "A", "offset": 0.5}, "a.wav has no sound after 0.5 s, where the utterance"),
    ],
)
def test_jsonl_broken_rows(tmp_path, row, message):
    put(tmp_path / "a.wav", sound_bytes(0.5))
    make_tar(tmp_path / "x.tar", ("a.wav", b""))
    source = make_jsonl(tmp_path / "rows.jsonl", row)
    with pytest.raises(DataError, match=re.escape(message.replace("TMP", str(tmp_path)))):
        corpora.jsonl(source, tmp_path / "out")


def test_jsonl_ids_have_to_differ(tmp_path):
    row = {"audio": "a.wav", "text": "A"}
    source = make_jsonl(tmp_path / "rows.jsonl", row, row)
    with pytest.raises(DataError, match=r'rows\.jsonl, line 2: the id "a" is taken by .*rows\.jsonl, line 1; ids have'):
        corpora.jsonl(source, tmp_path / "out")


@pytest.mark.parametrize("name", ["train", "dev"])
def test_jsonl_never_overwrites_its_source(tmp_path, name):
    source = make_jsonl(tmp_path / f"{name}.jsonl", {"audio": "a.wav", "text": "A", "split": "train"})
    with pytest.raises(DataError, match=rf"{name}\.jsonl would be overwritten by the manifest of that name; choose an"):
        corpora.jsonl(source, tmp_path / "none" / "..")


# Holding out and writing


def people(*speakers: str | None, split: str = "train") -> list[Utterance]:
    return [
        Utterance(f"{split}-{number}", Path("/a.wav"), 1.0, "A", speaker=speaker, split=split)
        for number, speaker in enumerate(speakers)
    ]


def dev_of(utterances: list[Utterance]) -> set[str | None]:
    return {utterance.speaker for utterance in utterances if utterance.split == "dev"}


AN4_LIKE = [f"f{number}" for number in range(21)] + [f"m{number}" for number in range(53)]


@given(st.data())
def test_holding_out_keeps_all_and_shares_no_speaker(data):
    names = data.draw(st.lists(st.text("fmx1", min_size=1, max_size=3), min_size=2, max_size=30))
    count = data.draw(st.integers(1, len(set(names)) - 1)) if len(set(names)) > 1 else 0
    before = people(*names) + people(*names, split="test")
    after = corpora.hold_out(before, count, data.draw(st.integers()))
    assert len(dev_of(after)) == count
    assert not dev_of(after) & {utterance.speaker for utterance in after if utterance.split == "train"}
    assert [replace(u, split=b.split) for u, b in zip(after, before, strict=True)] == before
    assert [u for u in after if u.split == "test"] == [u for u in before if u.split == "test"]


def test_women_and_men_are_held_out_in_proportion():
    for count in range(1, len(AN4_LIKE)):
        dev = dev_of(corpora.hold_out(people(*AN4_LIKE), count))
        women = sum(str(name).startswith("f") for name in dev)
        assert abs(women - count * 21 / 74) <= 0.5


def test_the_draw_depends_on_names_and_seed_alone():
    shuffled = random.Random(1).sample(AN4_LIKE, len(AN4_LIKE))
    first = dev_of(corpora.hold_out(people(*AN4_LIKE), 10, 0))
    assert dev_of(corpora.hold_out(people(*shuffled, *shuffled), 10, 0)) == first
    assert dev_of(corpora.hold_out(people(*AN4_LIKE), 10, 1)) != first


@pytest.mark.parametrize(
    ("utterances", "message"),
    [
        (
            people("a", "b", split="test"),
            "a train split where there is no dev split; this corpus has test: hold out none",
        ),
        (people("a") + people("b", split="dev"), "no dev split; this corpus has train, dev: hold out none."),
        (people("a", None, "b"), "cannot be held out, for utterances of train have no speaker: train-1."),
        (people("a", "b", "a"), "2 dev speakers are too many: train has 2, and one has to stay."),
    ],
)
def test_what_cannot_be_held_out(utterances, message):
    with pytest.raises(DataError, match=re.escape(message)):
        corpora.hold_out(utterances, 2)


def test_writing_one_manifest_per_split(tmp_path):
    parts = {name: people("a", split=name) for name in ("zoo", "test", "all", "dev", "train")}
    files = corpora.write([utterance for part in parts.values() for utterance in part], tmp_path / "new" / "out")
    assert list(files) == ["train", "dev", "test", "all", "zoo"]
    assert {name: manifest.read(path) for name, path in files.items()} == parts


def test_writing_where_no_folder_can_be(tmp_path):
    put(tmp_path / "file", "")
    with pytest.raises(DataError, match=r"file cannot be made a folder: File exists\."):
        corpora.write(people("a"), tmp_path / "file")


# The real AN4


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Corpus:
    if not REAL_AN4.is_file():
        pytest.skip(f"{REAL_AN4} is not here")
    return corpora.jsonl(REAL_AN4, tmp_path_factory.mktemp("an4"))


def test_real_an4_is_all_there(real):
    rows = [json.loads(line) for line in REAL_AN4.read_text().splitlines()]
    assert Counter(utterance.split for utterance in real.utterances) == {"train": 948, "test": 130}
    assert [(u.id, u.text, u.duration, u.speaker) for u in real.utterances] == [
        (row["id"], row["text"], row["duration"], row["speaker"]) for row in rows
    ]
    assert real.notes == []


def test_real_an4_dev_part(real):
    parts = corpora.split_up(corpora.hold_out(real.utterances, 10))
    speakers = {name: {utterance.speaker for utterance in part} for name, part in parts.items()}
    assert {name: len(names) for name, names in speakers.items()} == {"train": 64, "dev": 10, "test": 10}
    assert not speakers["train"] & speakers["dev"]
    assert len(parts["train"]) + len(parts["dev"]) == 948
    # In full: scores on this part are compared over the years, so no change may move it unseen.
    assert " ".join(sorted(map(str, speakers["dev"]))) == "flrp fsrb fwxs mcen mgah mmal mmap mrcb mrjc2 mtos"


def test_real_an4_sounds_as_long_as_it_says(real):
    for utterance in random.Random(0).sample(real.utterances, 20):
        samples = audio.load(utterance.audio_filepath, RATE)
        assert len(samples) / RATE == pytest.approx(utterance.duration, abs=0.02)
