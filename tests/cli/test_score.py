"""`asr score` as it is typed: exact output, and one sentence for each mistake."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

REFERENCE = "one two three four\na b c d\ngood morning\n"
HYPOTHESIS = "one two four\na x c d e\ngood morning\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    reference, hypothesis = tmp_path / "said.txt", tmp_path / "heard.txt"
    reference.write_text(REFERENCE)
    hypothesis.write_text(HYPOTHESIS)
    return reference, hypothesis


# One draw in 27 takes one utterance three times, which is more than 2.5 %: so the ends of the interval are the rates
# of the best and of the worst utterance, whatever the random numbers.


def test_table(pair: tuple[Path, Path]) -> None:
    result = run(*pair)
    assert result.exit_code == 0
    assert result.output == (
        "                     rate   95 % interval  errors  substituted  deleted  inserted  reference\n"
        "words (WER)       30.00 %  0.00 - 50.00 %       3            1        1         1         10\n"
        "characters (CER)  24.32 %  0.00 - 42.86 %       9            1        6         2         37\n"
        "sentences (SER)   66.67 %                       2                                          3\n"
        "\n"
        "Interval: percentile bootstrap by utterance, 10,000 draws of 3 utterances.\n"
    )


def test_json(pair: tuple[Path, Path]) -> None:
    result = run(*pair, "--json")
    assert result.exit_code == 0
    interval = {"low": 0.0, "confidence": 0.95, "by": "utterance", "units": 3, "draws": 10_000}
    assert json.loads(result.output) == {
        "utterances": 3,
        "words": {
            "rate": 3 / 10,
            "errors": 3,
            "substitutions": 1,
            "deletions": 1,
            "insertions": 1,
            "reference": 10,
            "interval": interval | {"high": 1 / 2},
        },
        "characters": {
            "rate": 9 / 37,
            "errors": 9,
            "substitutions": 1,
            "deletions": 6,
            "insertions": 2,
            "reference": 37,
            "interval": interval | {"high": 3 / 7},
        },
        "sentences": {"rate": 2 / 3, "errors": 2, "total": 3},
    }


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


def test_different_numbers_of_lines(pair: tuple[Path, Path]) -> None:
    pair[1].write_text("one two four\na x c d e\n")
    fails(
        run(*pair),
        f"Different numbers of lines: {pair[0]} has 3 and {pair[1]} 2; line by line they must belong together, "
        "with an empty line where nothing was said or recognised.",
    )


def test_missing_file(pair: tuple[Path, Path]) -> None:
    missing = pair[0].with_name("none.txt")
    fails(run(pair[0], missing), f"Cannot read {missing}: No such file or directory.")
    fails(run(pair[0].parent, pair[1]), f"Cannot read {pair[0].parent}: Is a directory.")


def test_empty_file(pair: tuple[Path, Path]) -> None:
    pair[0].write_text("")
    fails(run(*pair), f"{pair[0]} is empty: give a text file with one utterance a line.")


def test_not_utf_8(pair: tuple[Path, Path]) -> None:
    pair[0].write_bytes("one\ndrei\nfür\n".encode("latin-1"))
    fails(run(*pair), f"{pair[0]}, line 3: the byte 0xfc is not UTF-8; save the file as UTF-8.")
