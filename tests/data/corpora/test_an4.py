"""AN4: a small corpus in the official layout, and malformed variants of it."""

import re
from pathlib import Path

import pytest
from corpus_files import RATE, audio_bytes, put, tone

from asr.data.corpora import Corpus, an4
from asr.data.manifest import Utterance
from asr.errors import DataError


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


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "an4"
    put(
        folder / "etc" / "an4_train.transcription",
        "<s> TWENTY SIX </s> (cen7-fash-b)\n<s> G O </s> (an1-mblw-b)\n<s> </s> (an2-mblw-b)\n",
    )
    put(folder / "etc" / "an4_test.transcription", "YES (an9-mjwl-b)\n")
    put(folder / "wav" / "an4_clstk" / "fash" / "cen7-fash-b.wav", audio_bytes(0.25))
    put(folder / "wav" / "an4_clstk" / "mblw" / "an1-mblw-b.sph", sphere_bytes(0.5))
    put(folder / "wav" / "an4_clstk" / "mblw" / "an2-mblw-b.FLAC", audio_bytes(0.75, "FLAC"))
    put(folder / "wav" / "an4test_clstk" / "mjwl" / "an9-mjwl-b.SPH", sphere_bytes(1.0))
    return folder


def test_an4_official_layout(source):
    train, test = source / "wav" / "an4_clstk", source / "wav" / "an4test_clstk"
    assert an4.read(source) == Corpus(
        [
            Utterance(
                "cen7-fash-b", train / "fash" / "cen7-fash-b.wav", 0.25, "TWENTY SIX", 0.0, "fash", "train", "female"
            ),
            Utterance("an1-mblw-b", train / "mblw" / "an1-mblw-b.sph", 0.5, "G O", 0.0, "mblw", "train", "male"),
            Utterance("an2-mblw-b", train / "mblw" / "an2-mblw-b.FLAC", 0.75, "", 0.0, "mblw", "train", "male"),
            Utterance("an9-mjwl-b", test / "mjwl" / "an9-mjwl-b.SPH", 1.0, "YES", 0.0, "mjwl", "test", "male"),
        ],
        notes=[],
    )


def test_an4_paths_are_absolute_from_a_relative_source(source, monkeypatch):
    monkeypatch.chdir(source.parent)
    assert an4.read(Path("an4")).utterances == an4.read(source).utterances


def test_an4_uses_one_of_two_formats_of_a_recording(source):
    converted = put(source / "wav" / "an4_clstk" / "mblw" / "an1-mblw-b.wav", audio_bytes(0.5))
    assert an4.read(source).utterances[1].audio_filepath == converted


def test_an4_transcripts_without_audio_are_an_error(source):
    with (source / "etc" / "an4_test.transcription").open("a") as file:
        file.writelines(f"NO (an{number}-mjwl-b)\n" for number in (1, 2, 3, 4))
    put(source / "wav" / "an4test_clstk" / "mjwl" / "an1-mjwl-b.raw", b"")
    message = (
        f"{source}/etc/an4_test.transcription has transcripts without an audio file (.wav, .flac, .sph) below "
        f"{source}/wav/an4test_clstk: an1-mjwl-b, an2-mjwl-b, an3-mjwl-b ... (4 in all); "
        "add the files or remove the lines."
    )
    with pytest.raises(DataError, match=re.escape(message)):
        an4.read(source)


def test_an4_audio_without_a_transcript_is_noted(source):
    extra = put(source / "wav" / "an4test_clstk" / "mjwl" / "an8-mjwl-b.wav", b"never opened")
    corpus = an4.read(source)
    assert len(corpus.utterances) == 4
    assert corpus.notes == [
        f"Skipped audio files without a transcript in {source}/etc/an4_test.transcription: {extra}."
    ]


def test_an4_of_another_layout(tmp_path):
    with pytest.raises(
        DataError, match=r"an4_train\.transcription is missing; the source must be AN4's folder, which contains"
    ):
        an4.read(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<s> YES </s>", 'line 2: "<s> YES </s>" is not a transcript followed by an id in parentheses.'),
        ("YES (an9-mjwl-b)", 'line 2: the id "an9-mjwl-b" is already used in '),
        ("YES (cen7-fash-b)", 'line 2: the id "cen7-fash-b" is already used in '),
    ],
)
def test_an4_broken_lines(source, line, message):
    with (source / "etc" / "an4_test.transcription").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=re.escape(f"{source}/etc/an4_test.transcription, {message}")):
        an4.read(source)


def test_an4_recording_of_two_speakers(source):
    put(source / "wav" / "an4_clstk" / "fash" / "an1-mblw-b.sph", sphere_bytes(0.5))
    with pytest.raises(
        DataError, match=r"fash/an1-mblw-b\.sph and .*mblw/an1-mblw-b\.sph have the same name but different"
    ):
        an4.read(source)
