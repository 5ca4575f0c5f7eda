"""The summary: which units the interval draws, and what stands where there is no rate."""

import numpy as np
import pytest

from asr.scoring.intervals import bootstrap
from asr.scoring.summary import render, report
from asr.scoring.wer import score

REFERENCES = ["a b c", "a b", "c d e f", "x y"]
HYPOTHESES = ["a b d", "a b", "c e f g", "x y"]


@pytest.mark.parametrize(
    ("speakers", "by", "units"),
    [
        (["ann", "bob", "ann", "bob"], "speaker", 2),
        (["ann", "bob", None, "bob"], "utterance", 4),
        (["ann", "ann", "ann", "ann"], "utterance", 4),
        (None, "utterance", 4),
    ],
)
def test_by_speaker_when_all_are_known(speakers: list[str | None] | None, by: str, units: int) -> None:
    result = score(REFERENCES, HYPOTHESES, speakers=speakers)
    data = report(result)
    for kind in ("words", "characters"):
        assert (data[kind]["interval"]["by"], data[kind]["interval"]["units"]) == (by, units)
    assert f"by {by}, 10,000 draws of {units} {by}s." in render(result)


def test_the_interval_is_that_of_the_counts() -> None:
    interval = bootstrap(np.array([1, 0, 2, 0]), np.array([3, 2, 4, 2]))
    assert interval is not None
    got = report(score(REFERENCES, HYPOTHESES))["words"]["interval"]
    assert (got["low"], got["high"]) == (interval.low, interval.high)


def test_no_reference_word() -> None:
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
        "No interval: it takes at least two utterances and one reference word."
    )
