"""The score of readable text, against counts by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import DataError
from asr.evaluation.readable import LABELS, check, is_written, render, score_labels, score_readable
from asr.scoring.f1 import F1

REFERENCES = ["Hello, Mr. Brown. How are you?", "I'm fine!"]
HYPOTHESES = ["Hello mr Brown. how are you.", "I'm fine!"]


def test_counts_by_hand() -> None:
    readable = score_readable(REFERENCES, HYPOTHESES)
    assert (readable.score.words.errors, readable.score.words.reference) == (4, 8)  # Hello, Mr. How you?
    counts = {one.label: one.counts for one in readable.labels}
    assert counts == {
        ",": F1(correct=0, predicted=0, reference=1),
        ".": F1(correct=1, predicted=2, reference=1),  # the point of an abbreviation is no mark
        "?": F1(correct=0, predicted=0, reference=1),
        "!": F1(correct=1, predicted=1, reference=1),
        "capitals": F1(correct=3, predicted=3, reference=5),
    }


def test_inserted_and_deleted_words_count() -> None:
    (label,) = (one for one in score_labels(["Yes. No."], ["Yes. Oh. No"]) if one.label == ".")
    assert label.counts == F1(correct=1, predicted=2, reference=2)
    (label,) = (one for one in score_labels(["Well, yes. No."], ["No."]) if one.label == ".")
    assert label.counts == F1(correct=1, predicted=1, reference=2)


@given(st.lists(st.text(alphabet="abAB ,.?!'", max_size=12), min_size=1, max_size=4))
def test_a_text_agrees_with_itself(texts: list[str]) -> None:
    for one in score_labels(texts, texts):
        assert one.counts.correct == one.counts.predicted == one.counts.reference


def test_the_table_and_json_have_the_same_figures() -> None:
    readable = score_readable(REFERENCES, HYPOTHESES)
    document, table = readable.to_dict(), render(readable)
    assert [one["label"] for one in document["labels"]] == list(LABELS)
    assert document["words"]["rate"] == 0.5
    assert "words (WER)     50.00 %" in table
    assert "capitals (F1)   75.00 %" in table


@pytest.mark.parametrize("text", ["ONE TWO", "one two", "IT'S", ""])
def test_words_alone_are_no_reference(text: str) -> None:
    assert not is_written(text)
    with pytest.raises(DataError, match="references with punctuation and capitals"):
        check([text])


@pytest.mark.parametrize("text", ["One two", "one two.", "ONE, TWO"])
def test_written_references(text: str) -> None:
    check(["one", text])
