"""`asr prepare`: its manifests, its output, and that nothing is written after an error."""

import json
import re
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from asr.cli import main
from asr.cli.prepare import prepare
from asr.data import manifest


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["prepare", *map(str, args)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_an4(source: Path, train_speakers: int) -> None:
    """A fake AN4 with recordings of one second, one per speaker, half of them women."""
    (source / "etc").mkdir(parents=True)
    for split, folder, count in [("train", "an4_clstk", train_speakers), ("test", "an4test_clstk", 2)]:
        lines = []
        for number in range(count):
            speaker = f"{'fm'[number % 2]}{split[:2]}{number}"
            (source / "wav" / folder / speaker).mkdir(parents=True)
            soundfile.write(source / "wav" / folder / speaker / f"an{number}-{speaker}-b.wav", np.zeros(16000), 16000)
            lines.append(f"<s> NUMBER {number} </s> (an{number}-{speaker}-b)\n")
        (source / "etc" / f"an4_{split}.transcription").write_text("".join(lines))


@pytest.fixture
def calls(tmp_path) -> Path:
    """A JSONL corpus of three speakers, without a dev split."""
    source = tmp_path / "src" / "calls.jsonl"
    source.parent.mkdir()
    rows = []
    for number in range(6):
        soundfile.write(source.parent / f"{number}.wav", np.zeros(16000), 16000)
        rows.append({"audio": f"{number}.wav", "text": "HI", "speaker": f"s{number % 3}", "duration": 1200})
        rows[-1]["split"] = "train"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return source


def test_an4_holds_out_ten_speakers_by_default(tmp_path):
    put_an4(tmp_path / "an4", 12)
    result = run("an4", tmp_path / "an4", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "split  utterances  speakers   hours  manifest\n"
        f"train           2         2    0.00  {tmp_path}/out/train.jsonl\n"
        f"dev            10        10    0.00  {tmp_path}/out/dev.jsonl\n"
        f"test            2         2    0.00  {tmp_path}/out/test.jsonl\n"
    )
    assert result.stderr == ""
    parts = {name: manifest.read(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "dev", "test")}
    assert {u.speaker for u in parts["train"]}.isdisjoint(u.speaker for u in parts["dev"])
    assert sorted(str(u.speaker)[0] for u in parts["dev"]) == ["f"] * 5 + ["m"] * 5
    assert all(u.split == name for name, part in parts.items() for u in part)


def test_dev_speakers_and_seed(tmp_path, calls):
    drawn = set()
    for seed in range(8):
        result = run("jsonl", calls, tmp_path / "out", "--dev-speakers", "1", "--seed", str(seed))
        assert result.stdout.splitlines()[1:] == [
            f"train           4         2    1.33  {tmp_path}/out/train.jsonl",
            f"dev             2         1    0.67  {tmp_path}/out/dev.jsonl",
        ]
        drawn |= {utterance.speaker for utterance in manifest.read(tmp_path / "out" / "dev.jsonl")}
    assert drawn == {"s0", "s1", "s2"}


def test_librispeech_writes_a_manifest_per_part(tmp_path):
    for part, speaker in [("train-clean-5", "19"), ("dev-clean-2", "84")]:
        chapter = tmp_path / "src" / "LibriSpeech" / part / speaker / "1"
        chapter.mkdir(parents=True)
        (chapter / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0000 CHAPTER ONE\n")
        soundfile.write(chapter / f"{speaker}-1-0000.flac", np.zeros(16000), 16000)
    result = run("librispeech", tmp_path / "src", tmp_path / "out", "--download", "dev-clean-2")
    assert result.stdout.splitlines()[1:] == [
        f"dev-clean-2             1         1    0.00  {tmp_path}/out/dev-clean-2.jsonl",
        f"train-clean-5           1         1    0.00  {tmp_path}/out/train-clean-5.jsonl",
    ]
    assert [u.id for u in manifest.read(tmp_path / "out" / "train-clean-5.jsonl")] == ["19-1-0000"]


def test_librispeech_names_the_package_that_download_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse.recipes.librispeech", None)
    result = run("librispeech", tmp_path / "src", tmp_path / "out", "--download", "dev-clean-2")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: `asr prepare` needs the package lhotse, which the base install does not include: "
        "install it with `pip install '.[train]'` in a checkout of asr.\n"
    )
    assert run("librispeech", tmp_path, tmp_path, "--download", "dev-dirty").exit_code == 2


def test_csv_holds_out_speakers(tmp_path):
    rows = [f"{number}.wav,hello,s{number % 3},60" for number in range(6)]
    for number in range(6):
        (tmp_path / f"{number}.wav").touch()
    (tmp_path / "train.csv").write_text("\n".join(["path,text,speaker,duration", *rows]))
    result = run("csv", tmp_path / "train.csv", tmp_path / "out", "--dev-speakers", "1")
    assert result.stdout.splitlines()[1:] == [
        f"train           4         2    0.07  {tmp_path}/out/train.jsonl",
        f"dev             2         1    0.03  {tmp_path}/out/dev.jsonl",
    ]


def test_kaldi_names_the_manifest_after_the_folder(tmp_path):
    (tmp_path / "test_clean").mkdir()
    soundfile.write(tmp_path / "a.wav", np.zeros(36_000, np.int16), 1000)
    (tmp_path / "test_clean" / "wav.scp").write_text(f"rec {tmp_path}/a.wav\n")
    (tmp_path / "test_clean" / "segments").write_text("rec-1 rec 0 18\nrec-2 rec 18 36\n")
    (tmp_path / "test_clean" / "text").write_text("rec-1 ONE\nrec-2 TWO\n")
    result = run("kaldi", tmp_path / "test_clean", tmp_path / "out")
    assert result.stdout.splitlines()[1:] == [
        f"test_clean           2         -    0.01  {tmp_path}/out/test_clean.jsonl"
    ]


def test_a_second_run_changes_nothing(tmp_path, calls):
    first = run("jsonl", calls, tmp_path / "out", "--dev-speakers", "1")
    before = contents(tmp_path)
    assert run("jsonl", calls, tmp_path / "out", "--dev-speakers", "1").output == first.output
    assert contents(tmp_path) == before


def test_unknown_speakers(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "rows.jsonl").write_text('{"audio": "a.wav", "text": "A", "duration": 7200, "split": "held-out"}\n')
    assert run("jsonl", tmp_path / "rows.jsonl", tmp_path / "out").stdout == (
        "split     utterances  speakers   hours  manifest\n"
        f"held-out           1         -    2.00  {tmp_path}/out/held-out.jsonl\n"
    )


def test_skipped_files_are_noted(tmp_path):
    put_an4(tmp_path / "an4", 12)
    extra = tmp_path / "an4" / "wav" / "an4_clstk" / "ftr0" / "an99-ftr0-b.wav"
    extra.touch()
    assert run("an4", tmp_path / "an4", tmp_path / "out").stderr == (
        f"Note: Skipped audio files without a transcript in {tmp_path}/an4/etc/an4_train.transcription: {extra}.\n"
    )


def test_progress_is_shown_on_a_terminal_only(tmp_path, calls, monkeypatch):
    assert run("jsonl", calls, tmp_path / "out").stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "measuring" in run("jsonl", calls, tmp_path / "out").stderr


def test_a_manifest_of_an_earlier_run_is_pointed_out(tmp_path, calls):
    run("jsonl", calls, tmp_path / "out", "--dev-speakers", "1")
    result = run("jsonl", calls, tmp_path / "out")
    assert result.stderr == f"Note: {tmp_path}/out/dev.jsonl existed before and was not written by this run.\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["an4", "SRC/none"],
            "SRC/none/etc/an4_train.transcription is missing; the source must be AN4's folder, which contains",
        ),
        (["an4", "SRC/an4"], "10 dev speakers are too many: train has 3, and at least one must remain."),
        (["jsonl", "SRC/none.jsonl"], "SRC/none.jsonl cannot be read: No such file or directory."),
        (["jsonl", "SRC"], "SRC cannot be read: Is a directory."),
        (
            ["jsonl", "SRC/calls.jsonl", "--dev-speakers", "3"],
            "3 dev speakers are too many: train has 3, and at least one must",
        ),
        (
            ["librispeech", "SRC"],
            "SRC has no part of LibriSpeech, no PART/SPEAKER/CHAPTER/*.trans.txt; give the folder",
        ),
        (["csv", "SRC/calls.jsonl"], "SRC/calls.jsonl must end in .csv (comma-separated) or .tsv (tab-separated)."),
        (["kaldi", "SRC"], "SRC/text is missing; the source must be a Kaldi data folder, which contains wav.scp and"),
    ],
)
def test_an_error_is_one_sentence_and_writes_nothing(tmp_path, calls, args, message):
    put_an4(calls.parent / "an4", 3)
    before = contents(tmp_path)
    command, source, *options = (arg.replace("SRC", str(calls.parent)) for arg in args)
    result = run(command, source, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"Error: {re.escape(message.replace('SRC', str(calls.parent)))}[^\n]*\n", result.stderr)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["", *prepare.commands])
def test_help_ends_in_an_example_that_parses(name):
    command = prepare.commands[name] if name else prepare
    example = (command.help or "").rstrip().splitlines()[-1].split()
    assert example[:2] == ["asr", "prepare"]
    called = prepare.commands[example[2]]
    called.make_context(example[2], example[3:], resilient_parsing=False)
    assert name in ("", example[2])
    assert isinstance(called, click.Command)


def test_shared_speakers_are_noted(tmp_path: Path) -> None:
    for name in ("ann/1", "ann/2", "ann/3", "ben/1"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "mine" / f"{name}.wav", np.zeros(16000), 16000)
        (tmp_path / "mine" / f"{name}.txt").write_text("hi")
    (tmp_path / "mine" / "cyd").symlink_to(tmp_path / "mine" / "ann", target_is_directory=True)
    result = run("folder", tmp_path / "mine", tmp_path / "share", "--dev-share", "0.5")
    assert "Train and dev share speakers" in result.stderr
    result = run("folder", tmp_path / "mine", tmp_path / "apart", "--dev-speakers", "1")
    assert result.exit_code == 0, result.output
    assert "share speakers" not in result.stderr


def put_table(folder: Path, good: int, bad: int) -> Path:
    """A table of recordings, some of them empty files."""
    rows = ["path\tsentence"]
    for number in range(good + bad):
        name = f"c{number}.wav"
        rows.append(f"{name}\tone")
        if number < good:
            soundfile.write(folder / name, np.zeros(1600), 16000)
        else:
            (folder / name).write_bytes(b"")
    (folder / "all.tsv").write_text("\n".join(rows) + "\n")
    return folder / "all.tsv"


def test_bad_audio_is_listed_and_the_rest_is_written(tmp_path: Path) -> None:
    source = put_table(tmp_path, 4, 2)
    result = run("csv", source, tmp_path / "out")
    assert result.exit_code == 1
    assert "Left out: 2 of 6 utterances" in result.stderr
    assert "c4.wav' is empty" in result.stderr
    assert "c5.wav' is empty" in result.stderr
    assert len(manifest.read(tmp_path / "out" / "all.jsonl")) == 4
    assert run("csv", source, tmp_path / "out", "--skip-bad").exit_code == 0


def test_little_bad_audio_is_no_error(tmp_path: Path) -> None:
    result = run("csv", put_table(tmp_path, 120, 1), tmp_path / "out")
    assert result.exit_code == 0
    assert "Left out: 1 of 121 utterances" in result.stderr


def test_nothing_usable_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    result = run("csv", put_table(tmp_path, 0, 3), tmp_path / "out")
    assert result.exit_code == 1
    assert "None of the 3 utterances can be used" in result.stderr
    assert not (tmp_path / "out").exists()


def test_shards_of_two_manifests_with_one_id_are_refused_before_any_work(tmp_path: Path) -> None:
    row = {"id": "x", "audio_filepath": "x.wav", "duration": 1, "text": "x"}
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    result = run("shar", tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "shards")
    assert result.exit_code == 1
    assert "Utterance 'x' is in two of" in result.stderr
    assert not (tmp_path / "shards").exists()
