"""Pronunciation dictionaries."""

import lzma
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.pronunciation import dictionary
from asr.pronunciation.dictionary import load

TEXT = (
    ";;; a comment\nTHE DH AH0\nthe(2) DH IY0\nthe(3) DH AH1\ncat K AE1 T # an animal\n\ncat's K AE1 T S\n"
    "read(2) R EH1 D\nREAD R IY1 D\n(2) T UW1\n4 4\n"
)


@pytest.mark.parametrize("suffix", [".txt", ".xz"])
def test_all_different_pronunciations_are_read_without_stress(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"dictionary{suffix}"
    path.write_bytes(lzma.compress(TEXT.encode()) if suffix == ".xz" else TEXT.encode())
    loaded = load(path)
    assert loaded.words == {
        "the": (("DH", "AH"), ("DH", "IY")),
        "cat": (("K", "AE", "T"),),
        "cat's": (("K", "AE", "T", "S"),),
        "read": (("R", "EH", "D"), ("R", "IY", "D")),
        "(2)": (("T", "UW"),),
        "4": (("4",),),
    }
    assert loaded.phones == ("4", "AE", "AH", "D", "DH", "EH", "IY", "K", "R", "S", "T", "UW")


def test_other_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "none.txt")
    (tmp_path / "damaged.xz").write_bytes(lzma.compress(TEXT.encode())[:-20])
    with pytest.raises(DataError, match=r"damaged\.xz' cannot be unpacked"):
        load(tmp_path / "damaged.xz")
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9 K AE F EY\n")
    with pytest.raises(DataError, match="are not UTF-8"):
        load(tmp_path / "latin1.txt")
    (tmp_path / "words.txt").write_text("the\ncat # an animal\n")
    with pytest.raises(DataError, match="no line with a word and its phones"):
        load(tmp_path / "words.txt")


def test_a_dictionary_is_not_unpacked_without_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "MAX_BYTES", 1 << 20)
    (tmp_path / "bomb.xz").write_bytes(lzma.compress(b"the DH AH0\n" * 200_000))
    with pytest.raises(DataError, match="larger than 1 MiB: give a smaller dictionary"):
        load(tmp_path / "bomb.xz")
