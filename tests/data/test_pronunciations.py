"""Pronunciation dictionaries and their tokens."""

import lzma
from pathlib import Path

import pytest

from asr.data.pronunciations import BOUNDARY, load
from asr.errors import DataError

TEXT = ";;; a comment\nTHE DH AH0\nthe(2) DH IY0\ncat K AE1 T\n\ncat's K AE1 T S\n"


@pytest.mark.parametrize("suffix", [".txt", ".xz"])
def test_a_text_is_encoded_as_phones_with_boundaries(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"dictionary{suffix}"
    path.write_bytes(lzma.compress(TEXT.encode()) if suffix == ".xz" else TEXT.encode())
    pronunciations = load(path)
    names = ["AE", "AH", "DH", "K", "S", "T"]  # the first pronunciation, without stress
    assert pronunciations.size == len(names) + 2
    number = {name: index for index, name in enumerate(names, start=BOUNDARY + 1)}
    assert pronunciations.encode("the cat's") == [
        number["DH"],
        number["AH"],
        BOUNDARY,
        *(number[p] for p in ("K", "AE", "T", "S")),
    ]
    assert pronunciations.encode("the dog") == []
    assert pronunciations.encode("") == []


def test_other_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.txt")
    (tmp_path / "words.txt").write_text("the\ncat\n")
    with pytest.raises(DataError, match="no line with a word and its phones"):
        load(tmp_path / "words.txt")
