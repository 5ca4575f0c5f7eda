"""Numbers in digits: sentences by hand, and all numbers, years and times against num2words."""

from pathlib import Path

import pytest
from num2words import num2words

from asr.readable.cardinals import cardinal, ordinal
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
