"""Written text to labelled words and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.readable.labels import CAPITAL, CAPITALS, CASES, LOWER, MARKS, LabelledWord, case_of, parse, write, write_all

MARK = {mark: number for number, mark in enumerate(MARKS)}


def marks(line: str) -> list[str]:
    return [f"{word.text}{MARKS[word.mark]}" for word in parse(line)]


def test_a_sentence() -> None:
    assert parse('"Will you come?" asked Tom.') == [
        LabelledWord("will", 0, CAPITAL),
        LabelledWord("you", 0, LOWER),
        LabelledWord("come", MARK["?"], LOWER),
        LabelledWord("asked", 0, LOWER),
        LabelledWord("tom", MARK["."], CAPITAL),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("He came; she--left: all (three) went \u2014 home.", "he came, she, left, all, three, went, home."),
        ("Mr. Smith and J. K. Rowling left.", "mr smith and j k rowling left."),
        ("She waited... Then she left... and slept.", "she waited. then she left, and slept."),
        ("A well-known man", "a well known man"),
        ("It was 'good', the boys' room. 'Tis so!", "it was good, the boys' room. 'tis so!"),
        ("What?! No.", "what? no."),
        ("at 5 p.m. on example.com", "at 5 p m on example com"),
        ("", ""),
    ],
)
def test_marks(line: str, expected: str) -> None:
    assert " ".join(marks(line)) == expected


@pytest.mark.parametrize(
    ("written", "case"),
    [("NASA", CAPITALS), ("NASA's", CAPITALS), ("I", CAPITAL), ("I'm", CAPITAL), ("McKay", CAPITAL), ("it", LOWER)],
)
def test_cases(written: str, case: int) -> None:
    assert case_of(written) == case


def test_capitals_are_written_after_an_apostrophe() -> None:
    assert write("'tis", 0, CAPITAL) == "'Tis"
    assert write("usa's", MARK["."], CAPITALS) == "USA's."


WORDS = st.builds(
    LabelledWord,
    st.sampled_from(["captain", "it's", "nasa", "été", "who"]),
    st.integers(0, len(MARKS) - 1),
    st.integers(0, len(CASES) - 1),
)


@given(st.lists(WORDS))
def test_what_is_written_is_read_as_it_was(words: list[LabelledWord]) -> None:
    assert parse(write_all(words), " 'abcdefghijklmnopqrstuvwxyzé") == words
