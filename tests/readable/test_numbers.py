"""Numbers in digits: sentences by hand, and all numbers, years and times against num2words."""

from itertools import pairwise
from pathlib import Path

import pytest
from num2words import num2words

from asr.readable.cardinals import cardinal, ordinal
from asr.readable.number_words import NUMBER_WORDS
from asr.readable.numbers import Span, find, write

SENTENCES = [
    line.split("\t")
    for line in (Path(__file__).parent / "numbers.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def spoken(value: int, kind: str = "cardinal") -> str:
    return num2words(value, to=kind).replace("-", " ").replace(",", "")


@pytest.mark.parametrize(("words", "written"), SENTENCES, ids=[words for words, _ in SENTENCES])
def test_sentences(words: str, written: str) -> None:
    assert write(words) == written


def test_all_cardinals_and_ordinals_against_num2words() -> None:
    for value in [*range(10_001), 123_456, 999_999, 1_234_567, 2_000_000_000, 10**12]:
        for words in (spoken(value).split(), spoken(value).replace(" and ", " ").split()):
            found = cardinal([*words, "cats"], 0)
            assert found is not None, words
            assert (found.value, found.count) == (value, len(words)), words
        if value:
            words = spoken(value, "ordinal").split()
            found = ordinal([*words, "cat"], 0)
            assert found is not None, words
            assert (found.value, found.count) == (value, len(words)), words


def test_all_cardinals_are_written() -> None:
    for value in range(10, 10_001):
        assert write(f"we saw {spoken(value)} cats") == f"we saw {value:,} cats"
        assert write(f"the {spoken(value, 'ordinal')} cat").startswith(f"the {value:,}")


def test_all_years() -> None:
    for year in [*range(1100, 2000), *range(2001, 2100)]:
        assert write(f"in {spoken(year, 'year')} it rained") == f"in {year} it rained"


def test_all_times_of_day() -> None:
    for hour in range(1, 13):
        for minute in range(60):
            said = "" if not minute else f" oh {spoken(minute)}" if minute < 10 else f" {spoken(minute)}"
            written = f"{hour}:{minute:02d}" if minute else f"{hour}"
            assert write(f"we met at {spoken(hour)}{said} p m") == f"we met at {written} p.m."
            if minute:
                assert write(f"we met at {spoken(hour)}{said} today") == f"we met at {written} today"


def test_all_amounts_of_money() -> None:
    for dollars in range(1, 100):
        for cents in (1, 9, 10, 25, 99):
            words = f"{spoken(dollars)} dollars and {spoken(cents)} cents"
            assert write(f"it costs {words} now") == f"it costs ${dollars}.{cents:02d} now"


@pytest.mark.parametrize("rest", ["", "two", "hundred", "and", "point", "o'clock", "past", "dollars", "percent", "of"])
def test_every_number_word_beside_every_other_ends(rest: str) -> None:
    for word in sorted(NUMBER_WORDS):
        for words in ([word], [word, rest], [rest, word], [word, word], [word, rest, word]):
            spans = find(words)
            assert all(0 <= span.first < span.last <= len(words) for span in spans)
            assert all(one.last <= other.first for one, other in pairwise(spans))


def test_spans_keep_the_words_they_stand_for() -> None:
    assert find(["she", "paid", "ten", "dollars", "in", "nineteen", "ninety"]) == [
        Span(2, 4, "$10"),
        Span(5, 7, "1990"),
    ]
