"""`asr data`: its output and exit status."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from asr.cli import main
from asr.cli.data import data
from asr.data import manifest
from asr.data.manifest import Utterance

RATE = 16_000


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, args)])


@pytest.fixture
def train(tmp_path) -> Path:
    """A clean manifest of three utterances, each a second long."""
    utterances = []
    for number, (text, speaker) in enumerate([("HELLO THERE", "anna"), ("OH", "ben"), ("WHY", "anna")]):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.1 * np.random.default_rng(number).standard_normal(RATE), RATE)
        utterances.append(Utterance(f"u{number}", path, 1.0, text, speaker=speaker, split="train"))
    manifest.write(utterances, tmp_path / "train.jsonl")
    return tmp_path / "train.jsonl"


@pytest.fixture
def faulty(train) -> Path:
    """A manifest in the same folder with two texts outside the alphabet and one missing file."""
    utterances = [
        Utterance("v0", train.parent / "none.wav", 2.0, "NONE", speaker="carl", split="dev"),
        Utterance("v1", train.parent / "v1.wav", 1.0, "4 U", speaker="carl", split="dev"),
        Utterance("number 2", train.parent / "v2.wav", 1.0, "10", speaker="carl", split="dev"),
    ]
    for number, utterance in enumerate(utterances[1:]):
        noise = 0.1 * np.random.default_rng(10 + number).standard_normal(RATE)
        soundfile.write(utterance.audio_filepath, noise, RATE)
    manifest.write(utterances, train.parent / "dev.jsonl")
    return train.parent / "dev.jsonl"


def test_stats_of_one_manifest(train):
    result = run("stats", train)
    assert result.exit_code == 0
    name = " " * len(str(train))
    table, characters = result.stdout.split("\n\n")
    assert table.splitlines() == [
        f"{name}  utterances  hours  speakers  shortest  median  longest  words  distinct  characters/s",
        f"{train}           3   0.00         2    1.00 s  1.00 s   1.00 s      4         4           5.3",
    ]
    assert " ".join(characters.split()) == (f"{train}, 9 characters: H=4 E=3 L=2 O=2 space=1 R=1 T=1 W=1 Y=1")


def test_stats_of_several_manifests_end_in_a_total(train, faulty):
    lines = run("stats", train, faulty).stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:4]] == [
        [str(train), "3", "0.00", "2"],
        [str(faulty), "3", "0.00", "1"],
        ["all", "6", "0.00", "3"],
    ]


def test_stats_without_speakers_and_of_unusual_characters(tmp_path):
    manifest.write([Utterance("a", tmp_path / "a.wav", 5400.0, "e\u0301\u00a0\t\u20ac")], tmp_path / "a.jsonl")
    table, characters = run("stats", tmp_path / "a.jsonl").stdout.split("\n\n")
    assert table.splitlines()[1].split()[1:4] == ["1", "1.50", "-"]
    assert " ".join(characters.split()).endswith(": U+0009=1 e=1 U+00A0=1 U+0301=1 \u20ac=1")


def test_stats_as_json(train, faulty):
    result = json.loads(run("stats", "--json", train, faulty).stdout)
    assert [row["manifest"] for row in result["manifests"]] == [str(train), str(faulty)]
    assert [row["words"] for row in [*result["manifests"], result["all"]]] == [4, 4, 8]
    assert result["all"]["alphabet"]["H"] == 4
    assert result["all"]["duration_s"] == 7.0


def test_a_clean_corpus(train):
    result = run("validate", train)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert re.fullmatch(
        r"0 findings in 3 utterances; 0\.00 hours of audio in \d+\.\d s, \d+\.\d\d hours per second\.\n", result.stdout
    )


def test_findings_are_listed_by_kind(train, faulty):
    result = run("validate", train, faulty)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:-1] == [
        "unreadable: the audio cannot be read (1)",
        f"  v0  {faulty}  '{faulty.parent}/none.wav' does not exist: give the path of an audio file.",
        "",
        "alphabet: the text has characters outside the alphabet (2)",
        f"  v1        {faulty}  '4' (U+0034)",
        f"  number 2  {faulty}  '0' (U+0030), '1' (U+0031)",
        "",
    ]
    assert result.stdout.splitlines()[-1].startswith("3 findings in 6 utterances; 0.00 hours of audio in ")


def test_show_limits_the_table_only(train, faulty):
    result = run("validate", train, faulty, "--show", "1")
    assert result.stdout.splitlines()[3:6] == [
        "alphabet: the text has characters outside the alphabet (2)",
        f"  v1  {faulty}  '4' (U+0034)",
        "  and 1 more: show them with --show 2 or --json",
    ]
    assert result.exit_code == 1
    assert len(json.loads(run("validate", train, faulty, "--show", "0", "--json").stdout)["findings"]) == 3


def test_json_is_the_same_for_any_number_of_workers(train, faulty):
    one, two = (run("validate", train, faulty, "--json", "--workers", number) for number in ("1", "2"))
    assert one.stdout == two.stdout
    assert one.exit_code == two.exit_code == 1
    result = json.loads(one.stdout)
    assert result["findings"][1] == {"kind": "alphabet", "id": "v1", "manifest": str(faulty), "value": "'4' (U+0034)"}
    assert (result["manifests"], result["utterances"], result["duration_s"]) == ([str(train), str(faulty)], 6, 7.0)


def test_alphabet_and_frame_shift(train):
    assert run("validate", train, "--alphabet", " ehlortwy").exit_code == 0
    assert "'t' (U+0074)" in run("validate", train, "--alphabet", " ehlorwy").stdout
    fast = Utterance("fast", train.parent / "0.wav", 1.0, "twenty or more characters a second")
    manifest.write([fast], train.parent / "fast.jsonl")
    assert "too-short" in run("validate", train.parent / "fast.jsonl").stdout
    assert run("validate", train.parent / "fast.jsonl", "--frame-shift-ms", "20").exit_code == 0


def test_progress_is_shown_on_a_terminal_only(train, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "reading" in run("validate", train).stderr


@pytest.mark.parametrize("command", ["stats", "validate"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        ('{"audio_filepath": "a.wav", "duration": 1}\n', ', line 1: the key "text" is missing'),
    ],
)
def test_a_malformed_manifest_is_one_sentence(train, command, content, message):
    path = train.parent / "bad.jsonl"
    if content:
        path.write_text(content)
    result = run(command, train, path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"Error: {re.escape(f'{path}')}.*{re.escape(message)}[^\n]*\n", result.stderr)


def test_a_bad_alphabet_is_one_sentence(train):
    result = run("validate", train, "--alphabet", "abc")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: The alphabet 'abc' lacks the space, which separates words: add it.\n"


@pytest.mark.parametrize("name", data.commands)
def test_the_example_parses(name):
    example = (data.commands[name].help or "").rstrip().splitlines()[-1].split()
    assert example[:3] == ["asr", "data", name]
    data.commands[name].make_context(name, example[3:])
