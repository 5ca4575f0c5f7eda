"""Kaldi's data folders: whole recordings, segments, malformed folders, and a comparison with lhotse."""

import re
from pathlib import Path
from typing import Any

import pytest
from corpus_files import RATE, audio_bytes, put

from asr.data.corpora import Corpus, kaldi
from asr.data.manifest import Utterance
from asr.errors import DataError


@pytest.fixture
def source(tmp_path) -> Path:
    """Two recordings, one path absolute and one with a space in it."""
    folder = tmp_path / "data" / "train"
    one, two = put(tmp_path / "one.wav", audio_bytes(1.0)), put(tmp_path / "take 2.flac", audio_bytes(2.0, "FLAC"))
    put(folder / "wav.scp", f"anna-1 {one}\nben-2\t{two} \n")
    put(folder / "text", "ben-2  GOOD  MORNING\nanna-1\n")
    put(folder / "utt2spk", "anna-1 anna\nben-2 ben\n")
    return folder


def put_segments(source: Path) -> None:
    put(source / "segments", "anna-1-a anna-1 0.1 0.8\n\nben-2-a ben-2 0 1.26\nben-2-b ben-2 1.5 -1\n")
    put(source / "text", "ben-2-b THREE\nben-2-a TWO\nanna-1-a ONE\n")
    put(source / "utt2spk", "anna-1-a anna\nben-2-a ben\nben-2-b ben\n")


def test_whole_recordings(source, tmp_path):
    assert kaldi.read(source) == Corpus(
        [
            Utterance("ben-2", tmp_path / "take 2.flac", 2.0, "GOOD  MORNING", 0.0, "ben", "train"),
            Utterance("anna-1", tmp_path / "one.wav", 1.0, "", 0.0, "anna", "train"),
        ],
        notes=[],
    )


def test_segments(source, tmp_path):
    put_segments(source)
    assert kaldi.read(source).utterances == [
        Utterance("ben-2-b", tmp_path / "take 2.flac", 0.5, "THREE", 1.5, "ben", "train"),
        Utterance("ben-2-a", tmp_path / "take 2.flac", 1.26, "TWO", 0.0, "ben", "train"),
        Utterance("anna-1-a", tmp_path / "one.wav", 0.7, "ONE", 0.1, "anna", "train"),
    ]


def test_segments_as_extract_segments_reads_them(source: Path) -> None:
    """With the channel of a mono recording, and up to half a second beyond its end."""
    put_segments(source)
    put(source / "segments", "anna-1-a anna-1 0.1 1.49 0\nben-2-a ben-2 0 1.26 0\nben-2-b ben-2 1.5 2.6 0\n")
    three, two, one = kaldi.read(source).utterances
    assert (one.offset, one.duration) == (0.1, pytest.approx(0.9))
    assert (two.offset, two.duration) == (0.0, 1.26)
    assert (three.offset, three.duration) == (1.5, 1.1)  # too far: the recording may be the wrong one


def test_paths_are_relative_to_the_current_folder(source, tmp_path, monkeypatch):
    put(source / "wav.scp", "anna-1 one.wav\nben-2 take 2.flac\n")
    with pytest.raises(DataError, match=r"None of the 2 utterances can be used\. The first: '.*take 2\.flac' does not"):
        kaldi.read(source)
    monkeypatch.chdir(tmp_path)
    assert [u.audio_filepath for u in kaldi.read(Path("data/train")).utterances] == [
        tmp_path / "take 2.flac",
        tmp_path / "one.wav",
    ]


def test_without_utt2spk_speakers_are_unknown(source):
    (source / "utt2spk").unlink()
    assert [u.speaker for u in kaldi.read(source).utterances] == [None, None]


def test_audio_without_a_transcript_is_noted(source):
    put(source / "text", "ben-2 GOOD MORNING\n")
    corpus = kaldi.read(source)
    assert [u.id for u in corpus.utterances] == ["ben-2"]
    assert corpus.notes == [f"Skipped recordings without a transcript in {source}/text: anna-1."]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wav.scp", "anna-1 one.wav\n", "/text has utterances that are missing in SRC/wav.scp: ben-2; add"),
        ("wav.scp", "anna-1 one.wav\nben-2\n", '/wav.scp, line 2: the recording "ben-2" has no path.'),
        (
            "wav.scp",
            "anna-1 one.wav\nben-2 flac -c -d -s b.flac |\n",
            '/wav.scp, line 2: "flac -c -d -s b.flac |" is a command, and commands in a corpus are not run; write its '
            "output to an audio file first, and give the path of that file.",
        ),
        (
            "wav.scp",
            "ben-2 a\nben-2 b\n",
            '/wav.scp, line 2: the id "ben-2" is already used in SRC/wav.scp, line 1; ids must',
        ),
        ("text", "\n", "/text has no lines; at least one is needed."),
        ("text", "ben-2 \udce9\n", "/text, line 1: this is not UTF-8 text; save the file as UTF-8."),
        ("utt2spk", "anna-1 anna\n", "/text has utterances without a speaker in SRC/utt2spk: ben-2; add them there."),
        ("utt2spk", "anna-1\nben-2 ben\n", "/text has utterances without a speaker in SRC/utt2spk: anna-1; add them"),
        ("segments", "anna-1 anna-1 0 1\n", "/text has utterances that are missing in SRC/segments: ben-2; add"),
        (
            "segments",
            "a anna-1 0\n",
            '/segments, line 1: "a anna-1 0" is not of the form UTTERANCE RECORDING BEGIN END',
        ),
        ("segments", "a anna-1 0 1 2\n", '/segments, line 1: "a anna-1 0 1 2" is not of the form UTTERANCE RECORDING'),
        ("segments", "a anna-1 0 end\n", '/segments, line 1: "a anna-1 0 end" is not of the form UTTERANCE RECORDING'),
        ("segments", "a carl-1 0 1\n", '/segments, line 1: wav.scp has no recording "carl-1".'),
        ("segments", "a anna-1 1 1\n", "/segments, line 1: the segment is from 1 to 1 s; it must begin at 0 or"),
        ("segments", "a anna-1 -1 1\n", "/segments, line 1: the segment is from -1 to 1 s; it must begin at 0 or"),
        ("segments", "a anna-1 nan -1\n", "/segments, line 1: the segment is from nan to -1 s; it must begin at 0"),
        ("segments", "a anna-1 0 inf\n", "/segments, line 1: the segment is from 0 to inf s; it must begin at 0"),
    ],
)
def test_broken_folders(source, name, content, message):
    (source / name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=re.escape(f"{source}{message.replace('SRC', str(source))}")):
        kaldi.read(source)


@pytest.mark.parametrize("name", ["wav.scp", "text"])
def test_missing_files(source, name):
    (source / name).unlink()
    message = f"{source}/{name} is missing; the source must be a Kaldi data folder, which contains wav.scp and text."
    with pytest.raises(DataError, match=re.escape(message)):
        kaldi.read(source)


def test_a_folder_name_that_is_not_a_valid_split(source):
    moved = source.rename(source.with_name("train set"))
    with pytest.raises(DataError, match=r'train set: the split "train set" must be a plain file name of letters'):
        kaldi.read(moved)


def test_lhotse_reads_the_same(source):
    from lhotse.kaldi import load_kaldi_data_dir

    put_segments(source)
    put(source / "segments", "anna-1-a anna-1 0.1 0.8\nben-2-a ben-2 0 1.26\nben-2-b ben-2 1.5 2\n")
    recordings: Any
    supervisions: Any
    recordings, supervisions, _ = load_kaldi_data_dir(source, RATE)
    theirs = {
        (s.id, recordings[s.recording_id].sources[0].source, s.start, s.duration, s.text, s.speaker)
        for s in supervisions
    }
    ours = {
        (u.id, str(u.audio_filepath), u.offset, u.duration, u.text, u.speaker) for u in kaldi.read(source).utterances
    }
    assert ours == theirs


def test_genders_are_read_from_spk2gender(source):
    put(source / "spk2gender", "anna f\n")
    assert [utterance.gender for utterance in kaldi.read(source).utterances] == [None, "female"]
