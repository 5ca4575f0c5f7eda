"""The comparison page in a real browser, on texts small enough to know the expected content."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asr.report.compare import write_comparison
from asr.report.systems import System
from asr.scoring.compare import Comparison, compare
from asr.scoring.wer import score

REFERENCES = ["one two three", "four five", "six", "seven eight", "nine ten", "zero"]
A = ["one three", "four five", "six", "seven eight", "uh nine tan", "zero"]
B = ["one two three", "for five", "six six", "seven eight", "nine uh ah tin", "zero"]
IDS = ["u1", "u2", "u3", "u4", "a#b/c d", "u6"]
SPEAKERS = ["x", "x", "y", "y", "z", "w"]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    a, b = (score(REFERENCES, texts, ids=IDS, speakers=SPEAKERS) for texts in (A, B))
    facts = ({"model": "old.onnx", "date": "2020-02-02"}, {"model": "<new>.onnx", "decoding": "greedy"})
    return compare(a, b, names=("old model", "new <model>"), facts=facts)


def systems(comparison: Comparison, *pages: Path | None) -> tuple[System, System]:
    """The systems of a comparison; half of the utterances are of another corpus."""
    corpora = {id_: "first" if place < 3 else "second" for place, id_ in enumerate(IDS)}
    sides = zip(comparison.names, (comparison.a, comparison.b), comparison.facts, pages, strict=True)
    a, b = (System(name, scored, facts, corpora, page) for name, scored, facts, page in sides)
    return a, b


@pytest.fixture
def folder(comparison: Comparison, tmp_path: Path) -> Path:
    """A comparison folder; the report of A has a page, that of B only the JSON."""
    for name in ("report a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "report a" / "index.html").write_text("<!doctype html><title>A</title>")
    pages = (tmp_path / "report a" / "index.html", tmp_path / "b" / "index.html")
    write_comparison(comparison, systems(comparison, *pages), tmp_path / "out" / "ab")
    return tmp_path / "out" / "ab"


@pytest.fixture
def page(folder: Path, open_page: Callable[..., Any]) -> Any:
    return open_page(folder / "index.html")


def shown(page: Any) -> list[str]:
    return page.locator("#utterances-body tbody th").all_inner_texts()


def test_the_folder_is_complete(folder: Path, comparison: Comparison) -> None:
    assert {path.name for path in folder.iterdir()} == {"index.html", "comparison.json", "comparison.md"}
    written = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert written == {"format": 1} | json.loads(json.dumps(comparison.to_dict()))


def test_the_summary_has_the_comparisons_numbers(page: Any, comparison: Comparison) -> None:
    assert comparison.difference is not None and comparison.mapsswe is not None
    rates = [f"{100 * system.words.errors / 11:.2f} %" for system in (comparison.a, comparison.b)]
    change = f"{100 * comparison.difference.rate:+.2f} points".replace("-", "−")
    assert page.locator("#summary-body .big").all_inner_texts() == [change, *rates]
    text = page.locator("#summary-body").inner_text()
    assert f"Z = {comparison.mapsswe.z:.3f}, p = {comparison.mapsswe.p:.3f}" in text
    assert f"B is better in {100 * comparison.difference.better:.1f} % of the bootstrap samples" in text


def test_it_says_what_a_and_b_are(page: Any) -> None:
    shown = [system.inner_text().replace("\n\n", "\n").split("\n") for system in page.locator("#names section").all()]
    assert shown == [
        ["A old model", "model", "old.onnx", "date", "2020-02-02"],
        ["B new <model>", "model", "<new>.onnx", "decoding", "greedy"],
    ]
    assert page.locator("#names a").all_inner_texts() == ["old model"]


def test_too_few_segments_have_no_verdict(page: Any, comparison: Comparison) -> None:
    assert comparison.mapsswe is not None
    expected = f"{comparison.mapsswe.segments} segments: too few for a verdict, which takes 50."
    assert expected in page.locator("#summary-body").inner_text()
    assert page.locator(".conclusion").inner_text().startswith("No difference can be shown: A makes 3 word errors")


def test_choices_have_counts_and_corpora_a_column(page: Any) -> None:
    assert page.locator("#show option").all_inner_texts() == [
        "number of errors changed (4)",
        "B is better (1)",
        "A is better (3)",
        "hypotheses differ (4)",
        "both have errors (1)",
        "all (6)",
    ]
    column = page.locator("#utterances-body thead th").all_inner_texts().index("corpus")
    cells = page.locator(f"#utterances-body tbody tr > :nth-child({column + 1})").all_inner_texts()
    assert cells == ["first", "first", "first", "second"]


@pytest.mark.parametrize("better", ["A", "B", "neither"])
def test_zero_is_in_the_chart_of_the_difference(better: str, open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Even if the interval is far from it."""
    references = [f"a b c d {number}" for number in range(40)]
    wrong = score(references, [f"x y z {'d' if number % 3 else 'u'} {number}" for number in range(40)])
    right = score(references, references)
    compared = compare(*{"A": (right, wrong), "B": (wrong, right), "neither": (wrong, wrong)}[better])
    write_comparison(compared, systems(compared, None, None), tmp_path)
    page = open_page(tmp_path / "index.html")
    chart = page.locator("#summary-body svg").nth(1)
    zero, width = float(chart.locator(".diagonal").get_attribute("x1")), 480
    assert 130 <= zero <= width
    assert "0 pt" in chart.locator("text").all_text_contents()
    rate = float(chart.locator("circle").get_attribute("cx"))
    assert {"A": rate > zero, "B": rate < zero, "neither": rate == zero}[better]


def test_the_largest_change_comes_first_and_filters_work(page: Any) -> None:
    assert shown(page) == ["u1", "u2", "u3", "a#b/c d"]
    expected = {
        "better": ["u1"],
        "worse": ["u2", "u3", "a#b/c d"],
        "different": ["u1", "u2", "u3", "a#b/c d"],
        "wrong": ["a#b/c d"],
        "all": ["u1", "u2", "u3", "a#b/c d", "u4", "u6"],
    }
    for choice, ids in expected.items():
        page.get_by_label("Show").select_option(choice)
        assert shown(page) == ids


SEEN = """(list) => [...list.querySelectorAll('li:not(.heads)')].map((item) =>
  [...item.children].filter((cell) => !cell.matches('.hidden')).map((cell) =>
    [...cell.childNodes].filter((node) => !node.matches?.('.hidden')).map((node) => node.textContent).join('')))"""
"""The visible text of an alignment: its columns from top to bottom."""


def test_both_systems_share_columns(page: Any) -> None:
    """An insertion by one system leaves the row of the other empty; a deletion shows only its sign."""
    lists = page.locator("#utterances-body ol")
    assert lists.first.evaluate(SEEN) == [["one"] * 3, ["two", "−", "two"], ["three"] * 3]
    assert lists.nth(3).evaluate(SEEN) == [
        ["", "+uh", ""],
        ["nine", "nine", "nine"],
        ["", "", "+uh"],
        ["", "", "+ah"],
        ["ten", "≠tan", "≠tin"],
    ]
    assert lists.first.locator("li").nth(2).inner_text().split("\n")[-1] == "two"
    assert "A:\n−\ndeleted" in lists.first.locator("li").nth(2).inner_text()


def test_speakers_are_compared(page: Any) -> None:
    rows = page.locator("#speakers-body tbody tr")
    cells = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows.all()}
    assert cells["x"] == ["2", "5", "20.00 %", "20.00 %", "0.00"]
    assert cells["y"] == ["2", "3", "0.00 %", "33.33 %", "+33.33"]


def test_utterances_link_to_the_reports_that_have_a_page(page: Any, folder: Path) -> None:
    link = page.get_by_role("link", name="a#b/c d in the report of A")
    assert link.get_attribute("href") == "../../report%20a/index.html#utterance=a%23b%2Fc%20d"
    assert page.get_by_role("link", name="in the report of B").count() == 0
    link.click()
    assert page.title() == "A"


def test_search_and_keyboard(page: Any, until: Callable[..., None]) -> None:
    page.keyboard.press("/")
    page.keyboard.type("for five")
    until(page, "table.rows.length === 1")
    assert shown(page) == ["u2"]
    page.locator("#search").fill("")
    until(page, "table.rows.length === 4")
    page.get_by_role("button", name="errors B").focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["a#b/c d", "u2", "u3", "u1"]
    assert page.locator("#utterances-body [aria-sort=descending]").count() == 1


def test_without_speakers_the_section_is_removed(open_page: Callable[..., Any], tmp_path: Path) -> None:
    same = score(REFERENCES, A, ids=IDS)
    compared = compare(same, same)
    write_comparison(compared, systems(compared, None, None), tmp_path / "out")
    page = open_page(tmp_path / "out" / "index.html")
    assert page.locator("#speakers, #speakers-link").count() == 0
    assert page.get_by_text("No utterance matches").count() == 1
