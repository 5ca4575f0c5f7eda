"""Tables: Common Voice's layout, plain CSV, malformed tables, and real Common Voice."""

import csv
import json
import re
import tarfile
from pathlib import Path

import pytest
from corpus_files import audio_bytes, put

from asr.data.corpora import Corpus, table
from asr.data.manifest import Utterance
from asr.errors import DataError

REAL = Path(__file__).parents[3] / "../shared/data/common-voice-en-delta13.jsonl"

COMMON_VOICE = "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents\n"


def test_common_voice(tmp_path):
    source = put(
        tmp_path / "en" / "validated.tsv",
        COMMON_VOICE
        + 'c0ffee\tcommon_voice_en_1.mp3\t77\t"What is it?" she asked.\t\t2\t0\ttwenties\tfemale\tUnited States\r\n'
        + 'decade\tcommon_voice_en_2.mp3\t78\tHe said: "No.\t\t2\t0\t\t\t\n',
    )
    paths = [tmp_path / "en" / "clips" / f"common_voice_en_{number}.mp3" for number in (1, 2)]
    for path, duration_s in zip(paths, (0.3, 0.5), strict=True):
        put(path, audio_bytes(duration_s))
    one, two = "common_voice_en_1", "common_voice_en_2"
    assert table.read(source) == Corpus(
        [
            Utterance(
                *(one, paths[0], 0.3, '"What is it?" she asked.', 0.0, "c0ffee", "validated"),
                *("female", "20-29", "United States"),
            ),
            Utterance(two, paths[1], 0.5, 'He said: "No.', 0.0, "decade", "validated"),
        ],
        notes=[],
    )


@pytest.mark.parametrize("audio", ["audio", "path", "audio_filepath"])
@pytest.mark.parametrize("text", ["text", "sentence", "transcript"])
@pytest.mark.parametrize("speaker", ["speaker", "client_id"])
def test_names_of_columns(tmp_path, audio, text, speaker):
    put(tmp_path / "a.wav", audio_bytes(0.5))
    source = put(tmp_path / "calls.csv", f"{speaker},{text},licence,{audio}\nanna,hello,CC0,a.wav\n")
    assert table.read(source).utterances == [Utterance("a", tmp_path / "a.wav", 0.5, "hello", 0.0, "anna", "all")]


def test_every_column_and_empty_cells(tmp_path):
    path = put(tmp_path / "sub" / "a.wav", audio_bytes(1.0))
    source = put(
        tmp_path / "train.CSV",
        "\ufeffid,audio,text,offset,duration,speaker,split\n"
        '1,sub/a.wav,"Well, ""yes"".",0.25,0.5,anna,dev\n'
        "\n"
        f',{path},"two\nlines",0.5,,,\n'
        ",sub/a.wav,,,,,\n",
    )
    assert table.read(source).utterances == [
        Utterance("1", path, 0.5, 'Well, "yes".', 0.25, "anna", "dev"),
        Utterance(f"{path.with_suffix('')}@0.5", path, 0.5, "two\nlines", 0.5, None, "train"),
        Utterance("sub/a", path, 1.0, "", 0.0, None, "train"),
    ]


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("dev", "dev"), ("test", "test"), ("validated", "validated"), ("other", "all")],
)
def test_the_file_s_name_is_the_split(tmp_path, name, split):
    put(tmp_path / "a.wav", b"not opened")
    source = put(tmp_path / f"{name}.tsv", "audio\ttext\tduration\na.wav\tA\t1\n")
    assert table.read(source).utterances[0].split == split


def test_a_path_may_lead_into_clips_by_itself(tmp_path):
    """Paths are relative to clips/ only with Common Voice's pair of columns."""
    path = put(tmp_path / "clips" / "a.wav", b"not opened")
    source = put(tmp_path / "rows.csv", "path,text,duration\nclips/a.wav,A,1\n")
    assert table.read(source).utterances[0].audio_filepath == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "rows.csv, line 1: none of the columns () holds the audio; name one of them audio, path or"),
        ("a;b\n", "rows.csv, line 1: none of the columns (a;b) holds the audio; name one of them audio, path or"),
        (
            "path,words\n",
            "rows.csv, line 1: none of the columns (path, words) holds the text; name one of them text, sentence or",
        ),
        ("path,audio,text\n", "rows.csv, line 1: the columns path, audio all hold the audio; keep one of them."),
        ("audio,text,text\n", "rows.csv, line 1: the columns text, text all hold the text; keep one of them."),
        ("audio,text,offest\n", 'rows.csv, line 1: the key "offest" is unknown; did you mean "offset"?'),
        ("audio,text\n", "rows.csv has no rows; at least one is needed."),
        ("audio,text\n\na.wav,A,B\n", "rows.csv, line 3: the row has 3 cells, and the header has 2."),
        ("audio,text\na.wav\n", "rows.csv, line 2: the row has 1 cells, and the header has 2."),
        ("audio,text\n,A\n", "rows.csv, line 2: the cell with the path of the audio file is empty; fill it in."),
        ("audio,text\nb.wav,A\n", "None of the 1 utterances can be used. The first: 'TMP/b.wav' does not exist"),
        (
            'audio,text\na.wav,"A" B\n',
            "rows.csv, line 2: this is not a valid row of a table (',' expected after '\"').",
        ),
        (
            "audio,text\na.wav,A\na.wav,B\n",
            'rows.csv, line 3: the id "a" is already used in TMP/rows.csv, line 2; ids must',
        ),
        ("audio,text,split\na.wav,A,../x\n", 'line 2: the split "../x" must be a plain file name of letters'),
        ("audio,text,offset\na.wav,A,soon\n", 'line 2: "offset" must be a number of seconds, not "soon".'),
        ("audio,text,offset\na.wav,A,-1\n", 'line 2: "offset" is -1; it must be a finite number of seconds, 0 or'),
        ("audio,text,duration\na.wav,A,0\n", 'line 2: "duration" is 0; it must be a finite number of seconds, more'),
        ("audio,text,offset\na.wav,A,0.5\n", "a.wav has no audio after 0.5 s, where the utterance"),
        ("audio,text\na.wav,\udce9\n", "rows.csv, line 2: this is not UTF-8 text; save the file as UTF-8."),
    ],
)
def test_broken_tables(tmp_path, content, message):
    put(tmp_path / "a.wav", audio_bytes(0.5))
    source = tmp_path / "rows.csv"
    source.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=re.escape(message.replace("TMP", str(tmp_path)))):
        table.read(source)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.txt", "rows.txt must end in .csv (comma-separated) or .tsv (tab-separated)."),
        ("none.csv", "none.csv cannot be read: No such file or directory."),
    ],
)
def test_files_that_are_not_tables(tmp_path, name, message):
    put(tmp_path / "rows.txt", "audio,text\n")
    with pytest.raises(DataError, match=re.escape(message)):
        table.read(tmp_path / name)


def test_real_common_voice(tmp_path):
    """Forty clips with their original sentences, some with quotation marks."""
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not here")
    rows = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: -row.get("raw_text", "").count('"'))
    rows = rows[:40]
    assert '"' in rows[0]["raw_text"]
    with tarfile.open(REAL.with_suffix(".tar")) as archive:
        members = {member.name: member for member in archive}
        for row in rows:
            content = archive.extractfile(members[row["audio"]])
            assert content is not None
            put(tmp_path / "clips" / Path(row["audio"]).name, content.read())
    lines = [["path", "client_id", "sentence"]]
    lines += [[Path(row["audio"]).name, row["speaker"], row.get("raw_text", row["text"])] for row in rows]
    put(tmp_path / "dev.tsv", "".join("\t".join(cells) + "\n" for cells in lines))
    with (tmp_path / "dev.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)

    utterances = table.read(tmp_path / "dev.tsv").utterances
    assert [(u.id, u.text, u.speaker, u.split) for u in utterances] == [
        (row["id"], row.get("raw_text", row["text"]), row["speaker"], "dev") for row in rows
    ]
    assert [u.duration for u in utterances] == [pytest.approx(row["duration"], abs=1e-3) for row in rows]
    assert table.read(tmp_path / "dev.csv").utterances == utterances
