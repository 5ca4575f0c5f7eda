"""A cached language model equals the packed one, and problems with the cache folder never cause a failure."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from asr.errors import ModelError
from asr.lm import packed
from asr.lm.arpa import read
from asr.lm.cache import MAX_AGE_S, Order, open_unpacked

ARPA = r"""\data\
ngram 1=5
ngram 2=3

\1-grams:
-1.0 <unk>
-99 <s> -0.5
-0.8 </s>
-0.6 go -0.3
-0.9 stop -0.2

\2-grams:
-0.3 <s> go
-0.7 go stop
-0.2 stop </s>

\end\
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: folder / name)
    return folder / "asr"


@pytest.fixture
def contents(tmp_path: Path) -> bytes:
    (tmp_path / "lm.arpa").write_text(ARPA)
    return packed.dumps(read(tmp_path / "lm.arpa"))


def same(a: packed.Ngram, b: packed.Ngram) -> bool:
    return a.words == b.words and all(map(np.array_equal, a.trie, b.trie))


def is_mapped(ngram: packed.Ngram) -> bool:
    """Whether the arrays are memory-mapped."""
    return not ngram.trie.word.flags.owndata and not ngram.trie.word.flags.writeable


def test_it_is_unpacked_once(cache: Path, contents: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = packed.loads(contents, "x")
    first = open_unpacked(contents, "x")
    monkeypatch.setattr(packed, "loads", None)  # unpacking again would fail
    second = open_unpacked(contents, "x")
    assert same(first, expected)
    assert same(second, expected)
    assert is_mapped(first)
    assert is_mapped(second)
    assert len(list(cache.iterdir())) == 1


def test_another_model_is_another_file(cache: Path, contents: bytes, tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(ARPA.replace("-0.7 go stop", "-0.1 go stop"))
    other = packed.dumps(read(tmp_path / "lm.arpa"))
    assert not same(open_unpacked(contents, "x"), open_unpacked(other, "x"))
    assert same(open_unpacked(contents, "x"), packed.loads(contents, "x"))
    assert len(list(cache.iterdir())) == 2


def test_another_order_of_the_words_is_another_file(cache: Path, contents: bytes) -> None:
    backwards = Order(b"backwards", lambda words: range(len(words))[::-1])
    plain, first, second = (open_unpacked(contents, "x", order) for order in (None, backwards, backwards))
    assert list(first.words) == list(plain.words)[::-1]
    assert same(first, second)
    assert is_mapped(second)
    assert len(list(cache.iterdir())) == 2
    texts = ["go stop", "stop go go", "unheard of"]
    assert second.score(texts) == pytest.approx(plain.score(texts))


@pytest.mark.parametrize("damage", [b"", b"asr n-gram 1\n", b"hello", None])
def test_a_damaged_file_is_unpacked_again(cache: Path, contents: bytes, damage: bytes | None) -> None:
    open_unpacked(contents, "x")
    (cached,) = cache.iterdir()
    original = cached.read_bytes()
    cached.write_bytes(original[:-1] if damage is None else damage)
    assert same(open_unpacked(contents, "x"), packed.loads(contents, "x"))
    assert cached.read_bytes() == original


def test_it_works_without_a_cache_folder(tmp_path: Path, contents: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "file" / name)
    assert same(open_unpacked(contents, "x"), packed.loads(contents, "x"))


def test_old_files_are_deleted(cache: Path, contents: bytes) -> None:
    cache.mkdir(parents=True)
    for name, age_s in (("old.ngram", MAX_AGE_S + 60), ("young.ngram", MAX_AGE_S - 60)):
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (time.time() - age_s, time.time() - age_s))
    open_unpacked(contents, "x")
    names = {file.name for file in cache.iterdir()}
    assert "young.ngram" in names
    assert "old.ngram" not in names
    assert len(names) == 2


def test_damaged_contents_are_reported(cache: Path, contents: bytes) -> None:
    with pytest.raises(ModelError, match="The model's is a damaged"):
        open_unpacked(contents[:-5], "The model's")
    assert not cache.exists()
