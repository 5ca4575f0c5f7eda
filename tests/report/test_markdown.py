"""The Markdown shows the numbers of the document, and texts are escaped."""

import copy

from asr.report import markdown


def cells(text: str, first: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_summary_has_rate_interval_and_counts(made) -> None:
    text = markdown.write(made.document)
    words = made.document["summary"]["words"]
    ends = words["interval"]
    assert text.startswith("## `made-up` on `made/clean`, `made/other`\n")
    assert cells(text, "words (WER)") == [
        "words (WER)",
        f"{100 * words['rate']:.2f} %",
        f"{100 * ends['low']:.2f} - {100 * ends['high']:.2f} %",
        *(f"{words[name]:,}" for name in ("errors", "substitutions", "deletions", "insertions", "reference")),
    ]
    for remark in made.document["summary"]["remarks"]:
        assert f"- {remark}\n" in text


def test_the_worst_speaker_comes_first_and_ranges_keep_their_order(made) -> None:
    lines = markdown.write(made.document).splitlines()
    first = lines[lines.index(next(line for line in lines if line.startswith("| speaker"))) + 2]
    worst = max(made.document["parts"]["speaker"], key=lambda part: part["words"]["rate"])
    assert first.startswith(f"| `{worst['name']}` | {100 * worst['words']['rate']:.2f} % |")
    start = lines.index(next(line for line in lines if line.startswith("| duration"))) + 2
    names = [part["name"] for part in made.document["parts"]["duration"]]
    assert [lines[start + place].split("`")[1] for place in range(len(names))] == names


def test_every_row_of_a_table_has_as_many_cells_as_its_head(made) -> None:
    document = copy.deepcopy(made.document)
    document["word_errors"][0] |= {"kind": "substitution", "reference": "a|b", "hypothesis": "`x`"}
    for table in markdown.write(document).split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1


def test_a_report_without_words_says_so(made) -> None:
    document = copy.deepcopy(made.document)
    document["summary"]["words"] |= {"rate": None, "interval": None}
    document |= {"calibration": None, "word_errors": []}
    assert cells(markdown.write(document), "words (WER)")[1:3] == ["undefined", "-"]
