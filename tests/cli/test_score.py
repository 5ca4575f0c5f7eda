"""`asr score` as a user runs it: exact output, and one sentence for each error."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

REFERENCE = "one two three four\na b c d\ngood morning\n"
HYPOTHESIS = "one two four\na x c d e\ngood morning\n"

needs_sctk = pytest.mark.skipif(shutil.which("sctk") is None, reason="SCTK is not installed: apt-get install sctk")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    reference, hypothesis = tmp_path / "reference.txt", tmp_path / "hypothesis.txt"
    reference.write_text(REFERENCE)
    hypothesis.write_text(HYPOTHESIS)
    return reference, hypothesis


def test_table(pair: tuple[Path, Path]) -> None:
    result = run(*pair)
    assert result.exit_code == 0
    assert result.output == (
        "                     rate  interval  errors  substituted  deleted  inserted  reference\n"
        "words (WER)       30.00 %         -       3            1        1         1         10\n"
        "characters (CER)  24.32 %         -       9            1        6         2         37\n"
        "sentences (SER)   66.67 %                 2                                          3\n"
        "\n"
        "Words aligned by: fewest edits.\n"
        "No interval: it takes at least 4 utterances, a reference word and an error.\n"
    )


def test_json(pair: tuple[Path, Path]) -> None:
    for path in pair:
        path.write_text(path.read_text() * 2)
    result = run(*pair, "--json")
    assert result.exit_code == 0
    data = json.loads(result.output)
    for kind in ("words", "characters"):
        interval = data[kind].pop("interval")
        assert 0 < interval.pop("low") < data[kind]["rate"] < interval.pop("high")
        assert interval == {"confidence": 0.95, "by": "utterance", "units": 6, "draws": 10_000}
    assert data == {
        "utterances": 6,
        "rule": "fewest",
        "words": {
            "rate": 6 / 20,
            "errors": 6,
            "substitutions": 2,
            "deletions": 2,
            "insertions": 2,
            "reference": 20,
        },
        "characters": {
            "rate": 18 / 74,
            "errors": 18,
            "substitutions": 2,
            "deletions": 12,
            "insertions": 4,
            "reference": 74,
        },
        "sentences": {"rate": 4 / 6, "errors": 4, "total": 6},
    }


def test_align(pair: tuple[Path, Path]) -> None:
    pair[0].write_text("p q r one two\n")
    pair[1].write_text("one two s t u\n")
    assert json.loads(run(*pair, "--json").output)["words"]["errors"] == 5
    result = run(*pair, "--json", "--align", "sclite")
    assert (json.loads(result.output)["words"]["errors"], json.loads(result.output)["rule"]) == (6, "sclite")
    wrong = run(*pair, "--align", "nist")
    assert wrong.exit_code == 2
    assert "'nist' is not one of 'fewest', 'sclite'" in wrong.stderr


def test_trn_with_speakers(tmp_path: Path) -> None:
    speakers = ["ann", "bob", "cyd", "dan"]
    lines = [f"one two three ({name}-{number})\n" for name in speakers for number in range(2)]
    reference, hypothesis = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    reference.write_text("".join(lines))
    hypothesis.write_text("".join(reversed(lines)).replace("two three (bob", "(bob"))
    words = json.loads(run(reference, hypothesis, "--json").output)["words"]
    assert (words["deletions"], words["interval"]["by"], words["interval"]["units"]) == (4, "speaker", 4)


@needs_sctk
def test_the_counts_are_those_of_sclite_on_the_same_files(tmp_path: Path) -> None:
    references = ["a b c a b", "", "p q r one two", "x y", "東京 は 晴れ"]
    hypotheses = ["b c a b a", "uh uh", "one two s t u", "", "東京 が"]
    ids = ["ann-1", "ann-2", "bob-1", "bob_2", "cyd-1"]
    for name, texts in (("ref", references), ("hyp", hypotheses)):
        lines = [f"{text} ({id_})\n" for text, id_ in zip(texts, ids, strict=True)]
        (tmp_path / f"{name}.trn").write_text("".join(lines))
    files = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    command = ["sctk", "sclite", "-r", files[0], "trn", "-h", files[1], "trn", "-i", "rm", "-s", "-o", "rsum", "stdout"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = next(line for line in output.splitlines() if "| Sum " in line)
    sentences, reference, hits, substitutions, deletions, insertions, errors, wrong = map(int, re.findall(r"\d+", row))
    data = json.loads(run(*files, "--json", "--align", "sclite").output)
    words = data["words"]
    assert (data["utterances"], data["sentences"]["errors"]) == (sentences, wrong)
    assert (words["reference"], words["substitutions"], words["deletions"]) == (reference, substitutions, deletions)
    assert (words["insertions"], words["errors"]) == (insertions, errors)
    assert hits == reference - substitutions - deletions


def test_max_wer(pair: tuple[Path, Path]) -> None:
    assert run(*pair, "--max-wer", "30").exit_code == 0
    result = run(*pair, "--max-wer", "29.9")
    assert result.exit_code == 1
    assert result.stdout == run(*pair).stdout
    assert result.stderr == "Error: The WER of 30.00 % is above the limit of 29.9 % (--max-wer).\n"
    assert run(*pair, "--max-wer", "-1").exit_code == 2


def test_max_wer_without_a_reference_word(pair: tuple[Path, Path]) -> None:
    pair[0].write_text("\n")
    pair[1].write_text("\n")
    result = run(*pair, "--max-wer", "5")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The references contain no words, so the WER is undefined and --max-wer cannot be checked.\n"
    )


def test_line_ends_and_byte_order_marks_do_not_count(pair: tuple[Path, Path]) -> None:
    plain = run(*pair).output
    pair[0].write_bytes(b"\xef\xbb\xbf" + REFERENCE.replace("\n", "\r\n").encode())
    pair[1].write_text(HYPOTHESIS.removesuffix("\n"))
    assert run(*pair).output == plain


def test_an_empty_line_is_an_utterance(pair: tuple[Path, Path]) -> None:
    pair[1].write_text("one two four\n\ngood morning\n")
    words = json.loads(run(*pair, "--json").output)["words"]
    assert (words["deletions"], words["reference"]) == (5, 10)


def test_only_newlines_end_a_line(pair: tuple[Path, Path]) -> None:
    pair[1].write_text("one\u2028two\x0cfour\na x c\x85d e\ngood morning\n", encoding="utf-8")
    assert json.loads(run(*pair, "--json").output)["words"]["errors"] == 3


def fails(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"Error: {sentence}\n"


def test_a_report_is_written_and_can_be_compared(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*pair, "-o", tmp_path / "report", "--ignore-case")
    assert result.output == f"{run(*pair).output}Report: {tmp_path / 'report' / 'index.html'}\n"
    document = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert document["origin"]["command"] == f"asr score {pair[0]} {pair[1]} --ignore-case"
    assert document["summary"]["words"]["errors"] == 3
    compared = CliRunner().invoke(main, ["compare", str(tmp_path / "report"), str(tmp_path / "report")])
    assert compared.exit_code == 0, compared.output
    assert "A: model hypothesis.txt " in compared.output
    with_json = run(*pair, "-o", tmp_path / "report", "--json")
    assert json.loads(with_json.stdout)["words"]["errors"] == 3
    assert with_json.stderr == f"Report: {tmp_path / 'report' / 'index.html'}\n"


def test_a_folder_that_cannot_be_created(pair: tuple[Path, Path]) -> None:
    sentence = f"The folder {pair[0]} cannot be created (File exists): choose an existing or a new folder."
    fails(run(*pair, "-o", pair[0]), sentence)


def test_different_numbers_of_lines(pair: tuple[Path, Path]) -> None:
    pair[1].write_text("one two four\na x c d e\n")
    fails(
        run(*pair),
        f"{pair[0]} has 3 lines, but {pair[1]} has 2: plain texts are matched line by line; leave an empty line where "
        "nothing was said or recognised.",
    )


def test_missing_file(pair: tuple[Path, Path]) -> None:
    missing = pair[0].with_name("none.txt")
    fails(run(pair[0], missing), f"Cannot read {missing}: No such file or directory.")
    fails(run(pair[0].parent, pair[1]), f"Cannot read {pair[0].parent}: Is a directory.")


def test_empty_file(pair: tuple[Path, Path]) -> None:
    pair[0].write_text("")
    fails(run(*pair), f"{pair[0]} is empty: give a text file with one utterance per line.")


def test_not_utf_8(pair: tuple[Path, Path]) -> None:
    pair[0].write_bytes("one\ndrei\nfür\n".encode("latin-1"))
    fails(run(*pair), f"{pair[0]}, line 3: the byte 0xfc is not UTF-8; save the file as UTF-8.")


def test_readable_text(tmp_path: Path) -> None:
    reference, hypothesis = tmp_path / "reference.txt", tmp_path / "hypothesis.txt"
    reference.write_text("Hello, you. It's me!\n")
    hypothesis.write_text("Hello you. it's me.\n")
    result = run(reference, hypothesis, "--readable", "--normalise", "-o", tmp_path / "report")
    assert result.exit_code == 0
    assert re.search(r"^words \(WER\) +0\.00 %", result.output, flags=re.MULTILINE)
    assert re.search(r"^readable text.*\nwords \(WER\) +75\.00 % .* 1 +4 +4$", result.output, flags=re.MULTILINE)
    assert re.search(r"^capitals \(F1\) +66\.67 % .* 1 +1 +2$", result.output, flags=re.MULTILINE)
    document = json.loads((tmp_path / "report" / "report.json").read_text())
    assert document["readable"]["words"]["errors"] == 3
    assert document["origin"]["command"].endswith("--readable --normalise")
    assert "| capitals (F1) | 66.67 % |" in (tmp_path / "report" / "report.md").read_text()


def test_readable_text_needs_written_references(pair: tuple[Path, Path]) -> None:
    result = run(*pair, "--readable")
    assert result.exit_code == 1
    assert "needs references with punctuation and capitals" in result.stderr
