"""Parts add up to the whole, every utterance is in the right part, and word errors are checked by hand."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.scoring.breakdown import Part, Recall, WordError, by_name, by_range, recall, word_errors
from asr.scoring.wer import Counts, Score, score

TEXTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=5).map(" ".join)
UTTERANCES = st.lists(
    st.tuples(TEXTS, TEXTS, st.sampled_from([None, "x", "y", "z"]), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 9.0])),
    min_size=1,
    max_size=12,
)
EDGES = (0.5, 1.0, 2.0)


def scored(rows: list[tuple]) -> Score:
    return score([row[0] for row in rows], [row[1] for row in rows])


def totals(parts: tuple[Part, ...]) -> tuple[Counts, Counts]:
    words = sum((part.score.words for part in parts), Counts())
    return words, sum((part.score.characters for part in parts), Counts())


@given(UTTERANCES)
def test_by_name_splits_the_utterances_that_have_a_name(rows: list[tuple]) -> None:
    parts = by_name(scored(rows), [row[2] for row in rows])
    assert [part.name for part in parts] == sorted({row[2] for row in rows} - {None})
    named = [row for row in rows if row[2] is not None]
    if named:
        assert totals(parts) == (scored(named).words, scored(named).characters)
    for part in parts:
        ids = [str(number) for number, row in enumerate(rows, start=1) if row[2] == part.name]
        assert [utterance.id for utterance in part.score.utterances] == ids


@given(UTTERANCES)
def test_by_range_splits_all_utterances(rows: list[tuple]) -> None:
    whole = scored(rows)
    parts = by_range(whole, [row[3] for row in rows], EDGES)
    assert totals(parts) == (whole.words, whole.characters)
    values = dict(zip([utterance.id for utterance in whole.utterances], [row[3] for row in rows], strict=True))
    for part in parts:
        for utterance in part.score.utterances:
            assert part.low is None or part.low <= values[utterance.id]
            assert part.high is None or values[utterance.id] < part.high
    lows = [-1.0 if part.low is None else part.low for part in parts]
    assert lows == sorted(set(lows))


def test_names_of_ranges_and_values_on_an_edge() -> None:
    parts = by_range(scored([("a", "a")] * 4), [0.4, 0.5, 1.0, 2.0], EDGES)
    assert [part.name for part in parts] == ["below 0.5", "0.5 to 1", "1 to 2", "2 and more"]
    assert [(part.low, part.high) for part in parts] == [(None, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, None)]


def test_a_part_keeps_the_rule() -> None:
    whole = score(["p q r one two"], ["one two s t u"], rule="sclite")
    assert [part.score for part in by_name(whole, ["x"])] == [whole]


def test_word_errors_by_hand() -> None:
    whole = score(
        ["nine five nine", "nine", "stop", "go five"],
        ["five five five", "five", "", "go uh five"],
        ids=["1", "2", "3", "4"],
    )
    assert word_errors(whole) == (
        WordError("substitution", "nine", "five", count=3, utterances=2, said=3),
        WordError("deletion", "stop", None, count=1, utterances=1, said=1),
        WordError("insertion", None, "uh", count=1, utterances=1, said=0),
    )


@given(UTTERANCES)
def test_word_errors_add_up(rows: list[tuple]) -> None:
    whole = scored(rows)
    errors = word_errors(whole)
    assert sum(error.count for error in errors) == whole.words.errors
    assert len({(error.kind, error.reference, error.hypothesis) for error in errors}) == len(errors)
    assert [error.count for error in errors] == sorted((error.count for error in errors), reverse=True)
    said = Counter(word for row in rows for word in row[0].split())
    for error in errors:
        assert error.said == (said[error.reference] if error.reference else 0)
        assert error.utterances <= error.count


def test_the_number_of_names_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        by_name(scored([("a", "a")]), ["x", "y"])


def test_recall_by_hand() -> None:
    result = scored([("the kaldi tool", "the kaldi school"), ("kaldi and htk", "called and htk kaldi"), ("", "kaldi")])
    assert recall(result, {"kaldi", "htk"}) == Recall(said=3, found=2, false=2)
    assert recall(result, {"julius"}) == Recall(0, 0, 0)


@given(UTTERANCES)
def test_recall_of_all_words_equals_the_hits(rows: list[tuple]) -> None:
    counted, words = recall(scored(rows), {"a", "b", "c"}), scored(rows).words
    assert (counted.said, counted.found) == (words.reference, words.hits)
    assert counted.false == words.substitutions + words.insertions
