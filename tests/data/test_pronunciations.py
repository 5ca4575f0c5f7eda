"""Pronunciation dictionaries and their tokens."""

import lzma
from pathlib import Path

import pytest

from asr.data import pronunciations
from asr.data.pronunciations import BOUNDARY, load
from asr.errors import DataError

TEXT = ";;; a comment\nTHE DH AH0\nthe(2) DH IY0\ncat K AE1 T\n\ncat's K AE1 T S\n"


@pytest.mark.parametrize("suffix", [".txt", ".xz"])
def test_a_text_is_encoded_as_phones_with_boundaries(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"dictionary{suffix}"
    path.write_bytes(lzma.compress(TEXT.encode()) if suffix == ".xz" else TEXT.encode())
    loaded = load(path)
    names = ["AE", "AH", "DH", "K", "S", "T"]  # the first pronunciation, without stress
    assert loaded.size == len(names) + 2
    number = {name: index for index, name in enumerate(names, start=BOUNDARY + 1)}
    assert loaded.encode("the cat's") == [
        number["DH"],
        number["AH"],
        BOUNDARY,
        *(number[p] for p in ("K", "AE", "T", "S")),
    ]
    assert loaded.encode("the dog") == []
    assert loaded.encode("") == []


def test_other_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.txt")
    (tmp_path / "damaged.xz").write_bytes(lzma.compress(TEXT.encode())[:-20])
    with pytest.raises(DataError, match=r"damaged\.xz' cannot be unpacked"):
        load(tmp_path / "damaged.xz")
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9 K AE F EY\n")
    with pytest.raises(DataError, match="are not UTF-8"):
        load(tmp_path / "latin1.txt")
    (tmp_path / "words.txt").write_text("the\ncat\n")
    with pytest.raises(DataError, match="no line with a word and its phones"):
        load(tmp_path / "words.txt")


def test_a_dictionary_is_not_unpacked_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pronunciations, "MAX_BYTES", 1 << 20)
    (tmp_path / "bomb.xz").write_bytes(lzma.compress(b"the DH AH0\n" * 200_000))
    with pytest.raises(DataError, match="larger than 1 MiB: give a smaller dictionary"):
        load(tmp_path / "bomb.xz")
