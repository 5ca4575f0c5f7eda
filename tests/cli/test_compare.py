"""`asr compare` as it is typed, on two systems' reports."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main
from asr.report.systems import compare, read_reports, read_texts
from asr.scoring.texts import ENGLISH
from asr.scoring.verdict import markdown, render
from asr.scoring.wer import score

REFERENCES = [f"one two three {number % 3}" for number in range(20)]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def reports(tmp_path: Path) -> tuple[Path, Path]:
    hypotheses = {
        "a": [text.replace("two", "too" if place % 2 else "two") for place, text in enumerate(REFERENCES)],
        "b": [text.replace("one", "" if place % 7 == 0 else "one") for place, text in enumerate(REFERENCES)],
    }
    for name, texts in hypotheses.items():
        (tmp_path / name).mkdir()
        result = score(REFERENCES, texts, speakers=[f"s{place % 4}" for place in range(20)])
        data = {"rule": "fewest", "utterances": [utterance.to_dict() for utterance in result.utterances]}
        (tmp_path / name / "report.json").write_text(json.dumps(data))
    return tmp_path / "a", tmp_path / "b"


def test_the_three_outputs_show_the_same_comparison(reports: tuple[Path, Path]) -> None:
    a, b = reports
    expected = compare(*read_reports(a, b))
    assert run(a, b / "report.json").exit_code == 0
    assert run(a, b).output == render(expected) + "\n"
    assert run(a, b, "--markdown").output == markdown(expected) + "\n"
    assert json.loads(run(a, b, "--json").output) == expected.to_dict()
    assert expected.difference is not None
    assert expected.difference.rate == (3 - 10) / 80


def test_output_dir(reports: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    assert run(*reports, "-o", out).output == f"{run(*reports).output}Page: {out / 'index.html'}\n"
    a, b = reports
    expected = compare(*read_reports(a, b))
    written = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert written | expected.to_dict() == written
    assert (out / "comparison.md").read_text(encoding="utf-8") == markdown(expected) + "\n"
    assert "three" in (out / "index.html").read_text(encoding="utf-8")


def test_folders_of_several_reports(reports: tuple[Path, Path], tmp_path: Path) -> None:
    for system, (first, second) in {"x": reports, "y": reports[::-1]}.items():
        for number, report in enumerate((first, second)):
            shutil.copytree(report, tmp_path / system / str(number))
    x, y = tmp_path / "x", tmp_path / "y"
    result = run(x, y)
    assert result.exit_code == 0, result.output
    assert "Change in WER (B - A): +0.00 points" in result.output
    assert json.loads(run(x, y, "--json").output)["systems"][0]["runs"][1]["name"] == str(x / "1")
    assert run(x, y, "--markdown").output.startswith("**No difference can be shown")
    fails(
        run(x, y, "-o", tmp_path / "out"),
        "-o makes a page of two reports, and here are more: redirect --markdown or --json.",
    )


def test_align(reports: tuple[Path, Path]) -> None:
    assert json.loads(run(*reports, "--json").output)["rule"] == "fewest"
    assert json.loads(run(*reports, "--json", "--align", "sclite").output)["rule"] == "sclite"


def test_two_texts_against_a_reference(tmp_path: Path) -> None:
    texts = {
        "ref": REFERENCES,
        "a": [text.replace("two", "Too") for text in REFERENCES],
        "b": map(str.upper, REFERENCES),
    }
    for name, lines in texts.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    reference, a, b = (tmp_path / f"{name}.txt" for name in texts)
    result = run(a, b, "--reference", reference, "--normalise", "-o", tmp_path / "out")
    expected = compare(*read_texts(reference, a, b, "fewest", ENGLISH))
    assert result.output == f"{render(expected)}\nPage: {tmp_path / 'out' / 'index.html'}\n"
    assert (expected.a.words.errors, expected.b.words.errors) == (20, 0)
    assert f"A: data {reference}.\n" in result.output
    assert json.loads(run(a, b, "--reference", reference, "--json").output)["systems"][1]["words"]["errors"] == 60


def fails(result: Result, sentence: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")


def test_mistakes(reports: tuple[Path, Path]) -> None:
    a, b = reports
    fails(run(a, b / "none"), f"Cannot read {b}/none: No such file or directory.")
    fails(run(a, b, "--json", "--markdown"), "--json and --markdown are mutually exclusive: give one of them.")
    other = json.loads((b / "report.json").read_text())
    other["utterances"][4]["reference"] = "One"
    (b / "report.json").write_text(json.dumps(other))
    fails(
        run(a, b),
        f"The references of '5' differ, 'one two three 1' in {a} and 'One' in {b}: compare reports on the same texts "
        "with the same normalisation.",
    )
    del other["utterances"][4]
    (b / "report.json").write_text(json.dumps(other))
    fails(
        run(a, b),
        f"{b} lacks 1 of the 20 utterances of {a}, the first is '5': compare reports on the same utterances.",
    )
    (a / "ref.txt").write_text("one\n")
    fails(
        run(a / "ref.txt", b),
        f"{a / 'ref.txt'} is not a report: give the output of `asr evaluate ... -o FOLDER`, or a text and its "
        "--reference.",
    )
    fails(
        run(a, b, "--ignore-case"),
        "--normalise and --ignore-case are for texts with --reference: a report has its own normalisation.",
    )
