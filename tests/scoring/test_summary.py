"""The summary: the unit of resampling, warnings, and scores without a rate."""

import numpy as np
import pytest

from asr.scoring.alignment import Rule
from asr.scoring.intervals import bootstrap
from asr.scoring.summary import render, report
from asr.scoring.wer import score

REFERENCES = ["a b c", "a b", "c d e f", "x y"]
HYPOTHESES = ["a b d", "a b", "c e f g", "x y"]
NOT_REPRESENTATIVE = "cannot represent others; the interval does not account for differences between speakers."


@pytest.mark.parametrize(
    ("speakers", "by", "units"),
    [
        (["ann", "bob", "cyd", "dan"] * 2, "speaker", 4),
        (["ann", "bob", "cyd", "dan", "ann", "bob", "cyd", None], "utterance", 8),
        (["ann", "bob", "cyd", "ann"] * 2, "utterance", 8),
        (None, "utterance", 8),
    ],
)
def test_by_speaker_if_all_are_known_and_there_are_enough(
    speakers: list[str | None] | None, by: str, units: int
) -> None:
    result = score(REFERENCES * 2, HYPOTHESES * 2, speakers=speakers)
    data = report(result)
    for kind in ("words", "characters"):
        assert (data[kind]["interval"]["by"], data[kind]["interval"]["units"]) == (by, units)
    assert f"by {by}, 10,000 draws of {units} {by}s." in render(result)


def test_the_interval_is_that_of_the_counts() -> None:
    interval = bootstrap(np.array([1, 0, 2, 0]), np.array([3, 2, 4, 2]))
    assert interval is not None
    got = report(score(REFERENCES, HYPOTHESES))["words"]["interval"]
    assert (got["low"], got["high"]) == (interval.low, interval.high)


@pytest.mark.parametrize(
    ("speakers", "repeats", "warnings"),
    [
        (None, 3, []),
        (None, 2, ["Warning: with only 8 utterances the interval is imprecise."]),
        (["ann", "bob", "cyd", "dan"], 3, ["Warning: with only 4 speakers the interval is imprecise."]),
        (["ann"] * 4, 3, [f"Warning: 1 speaker {NOT_REPRESENTATIVE}"]),
        (
            ["ann", "bob"] * 2,
            3,
            [f"Warning: 2 speakers {NOT_REPRESENTATIVE}"],
        ),
        (["ann", None] * 2, 3, []),
    ],
)
def test_warnings(speakers: list[str | None] | None, repeats: int, warnings: list[str]) -> None:
    result = score(REFERENCES * repeats, HYPOTHESES * repeats, speakers=speakers and speakers * repeats)
    assert [line for line in render(result).splitlines() if line.startswith("Warning")] == warnings


@pytest.mark.parametrize(("rule", "sentence"), [("fewest", "fewest edits"), ("sclite", "sclite's weights (4, 3, 3)")])
def test_the_rule_is_named(rule: Rule, sentence: str) -> None:
    result = score(REFERENCES, HYPOTHESES, rule=rule)
    assert f"Words aligned by: {sentence}.\n" in render(result)
    assert report(result)["rule"] == rule


def test_without_reference_words() -> None:
    result = score(["", ""], ["uh", ""])
    data = report(result)
    assert data["words"] == {
        "rate": None,
        "errors": 1,
        "substitutions": 0,
        "deletions": 0,
        "insertions": 1,
        "reference": 0,
        "interval": None,
    }
    assert render(result) == (
        "                       rate  interval  errors  substituted  deleted  inserted  reference\n"
        "words (WER)       undefined         -       1            0        0         1          0\n"
        "characters (CER)  undefined         -       2            0        0         2          0\n"
        "sentences (SER)     50.00 %                 1                                          2\n"
        "\n"
        "Words aligned by: fewest edits.\n"
        "No interval: it takes at least 4 utterances, a reference word and an error."
    )
