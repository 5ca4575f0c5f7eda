"""Comparisons of systems with several runs: rates against simple sums, and what runs of one system say of chance."""

import numpy as np
import pytest

from asr.errors import DataError
from asr.scoring.intervals import bootstrap, difference
from asr.scoring.runs import RunsComparison, compare_runs
from asr.scoring.runs_verdict import render_runs, runs_conclusion, runs_markdown
from asr.scoring.wer import Score, score

REFERENCES = [f"one two three {number % 3}" for number in range(40)]
SPEAKERS = [f"s{place % 7}" for place in range(40)]


def run(every: int, first: int = 0) -> Score:
    """A run that deletes a word in each `every`th utterance from `first`."""
    texts = [text.replace("two ", "") if place % every == first else text for place, text in enumerate(REFERENCES)]
    return score(REFERENCES, texts, speakers=SPEAKERS)


def compared(a: list[Score], b: list[Score]) -> RunsComparison:
    names = [f"a/{number}" for number in range(len(a))], [f"b/{number}" for number in range(len(b))]
    return compare_runs(("a", "b"), (a, b), names_of_runs=names)


def errors(runs: list[Score]) -> np.ndarray:
    return np.array([[utterance.words.errors for utterance in run.utterances] for run in runs])


def test_the_numbers_are_those_of_the_runs() -> None:
    a, b = [run(2), run(3), run(4)], [run(5), run(8)]
    got = compared(a, b).to_dict()
    reference = np.full(40, 4)
    assert got["systems"][0]["words"]["mean"] == pytest.approx((20 + 14 + 10) / 3 / 160)
    assert got["systems"][0]["words"]["deviation"] == pytest.approx(np.std([20, 14, 10], ddof=1) / 160)
    assert [of_run["words"]["errors"] for of_run in got["systems"][1]["runs"]] == [8, 5]
    interval, change = bootstrap(errors(a), reference, SPEAKERS), difference(errors(a), errors(b), reference, SPEAKERS)
    assert interval is not None
    assert change is not None
    assert got["systems"][0]["words"]["interval"]["low"] == interval.low
    assert got["difference"]["rate"] == change.rate == pytest.approx((6.5 - 44 / 3) / 160)
    assert got["difference"]["interval"]["units"] == 7


def test_utterances_are_matched_by_id() -> None:
    b = run(5)
    turned = Score(b.utterances[::-1], b.words, b.characters, b.rule)
    assert compared([run(2), run(3)], [b, b]).difference == compared([run(2), run(3)], [turned, b]).difference


def test_runs_that_differ_hide_a_difference() -> None:
    """The means differ alike in both cases, but only runs that are alike themselves tell the systems apart."""
    alike = compared([run(2), run(2, 1), run(2)], [run(8), run(8, 1), run(8, 2)])
    assert runs_conclusion(alike) == (
        "B is better: 75 % fewer word errors (20.0 -> 5.0 per run), and the interval over speakers and runs excludes "
        "zero."
    )
    apart = compared([run(1), run(4), run(4, 1)], [run(40), run(40, 1), run(3, 1)])
    assert runs_conclusion(apart) == (
        "No difference can be shown: a run of A makes 20.0 word errors and a run of B 5.0, and the interval over "
        "speakers and runs includes zero."
    )


def test_text_and_markdown() -> None:
    comparison = compared([run(4), run(5)], [run(8), run(8, 1)])
    change = comparison.difference
    assert change is not None
    intervals = [comparison.a.words.interval, comparison.a.characters.interval, change.interval]
    bounds = [(100 * interval.low, 100 * interval.high) for interval in intervals if interval is not None]
    assert len(bounds) == 3
    (word_low, word_high), (character_low, character_high), (low, high) = bounds
    row = f"5.62 % ({word_low:.2f} - {word_high:.2f}) 0.88 6.00 % ({character_low:.2f} - {character_high:.2f}) 0.94"
    assert " ".join(render_runs(comparison).splitlines()[1].split()) == f"A: a {row} 6.25, 5.00"
    finding = (
        f"Change in WER (B - A): -2.50 points, 95 % interval {low:+.2f} to {high:+.2f} (7 speakers, 2 runs of A and 2 "
        "of B; bootstrap, 10,000 draws)."
    )
    assert finding in render_runs(comparison).splitlines()
    assert f"- {finding}" in runs_markdown(comparison).splitlines()
    assert "Warning: with only 7 speakers the interval is imprecise." in render_runs(comparison).splitlines()
    assert runs_markdown(comparison).splitlines()[0] == f"**{runs_conclusion(comparison)}**"


def test_references_without_words() -> None:
    empty = score(["", ""], ["", "a"])
    comparison = compared([empty, empty], [empty, empty])
    assert comparison.difference is None
    assert "The references contain no words" in render_runs(comparison)


def test_one_run_does_not_tell_how_runs_differ() -> None:
    with pytest.raises(DataError, match=r"b has one run and a 2: give at least two runs of each"):
        compared([run(2), run(3)], [run(4)])


def test_the_run_that_differs_is_named() -> None:
    other = score(["one"], ["one"])
    with pytest.raises(DataError, match=r"b/1 lacks 39 of the 40 utterances of a/0"):
        compared([run(2), run(3)], [run(4), other])
