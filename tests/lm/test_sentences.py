"""Text for language models: words, sentences, and the error messages."""

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asr.lm.sentences
from asr.errors import DataError
from asr.lm.sentences import Encoder, blocks, count_words, encode_all, read_vocabulary

MARKS = {b"<unk>": 0, b"<s>": 1, b"</s>": 2}


def file(folder: Path, content: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_words_are_counted_in_the_order_of_appearance(tmp_path: Path) -> None:
    paths = [file(tmp_path, "b a b\n\nc"), file(tmp_path, "d a\tb\u00a0b\r\n", "b.txt")]
    counts = count_words(paths, normalised=False)
    assert list(counts.items()) == [(b"b", 2), (b"a", 2), (b"c", 1), (b"d", 1), ("b\u00a0b".encode(), 1)]


def test_normalised_words_are_those_of_the_recogniser(tmp_path: Path) -> None:
    path = file(tmp_path, "The well-known\u2019s END. \u2014 the end!\n")
    assert count_words([path], normalised=True) == {b"the": 2, b"well": 1, b"known's": 1, b"end": 2}


def test_numbers_of_sentences() -> None:
    encoder = Encoder(MARKS | {b"a": 3, b"b": 4}, normalised=False)
    assert encoder.sentences(b"\n\na b c\n \na\nb").tolist() == [3, 4, 0, 2, 3, 2, 4, 2]
    assert encoder.sentences(b"\n \n").tolist() == []
    normalising = Encoder(MARKS | {b"a": 3, b"b": 4}, normalised=True)
    assert normalising.sentences(b"A-B, c\n...\na\n").tolist() == [3, 4, 0, 2, 3, 2]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_compressed_text_reads_as_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    content = "".join(f"line {number} ä\n" for number in range(50))
    path = file(tmp_path, pack(content.encode()))
    monkeypatch.setattr(asr.lm.sentences, "BLOCK", 37)
    read = list(blocks(path))
    assert b"".join(block for _, block in read).decode() == content
    assert all(block.startswith(f"line {number - 1} ".encode()) for number, block in read if block)


@settings(deadline=None)  # the time of one example depends on what else the machine does
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4), max_size=8), st.integers(1, 9))
def test_sentences_stay_whole_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]], size: int
) -> None:
    path = file(tmp_path_factory.mktemp("text"), "\n".join(map(" ".join, sentences)))
    encoder = Encoder(MARKS | {b"a": 3, b"b": 4, b"c": 5}, normalised=False)
    expected = [number for words in sentences if words for number in [*("   abc".index(word) for word in words), 2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asr.lm.sentences, "BLOCK", size)
        encoded = [block.tolist() for _, block in encode_all([path], encoder)]
    assert [number for block in encoded for number in block] == expected
    assert all(block[-1] == 2 for block in encoded if block)


def test_the_reported_share_rises_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asr.lm.sentences, "BLOCK", 10)
    shares: list[float] = []
    count_words([file(tmp_path, "a b c\n" * 10), file(tmp_path, "d\n", "b.txt")], False, shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 5
    assert shares[-1] == 1


def test_invalid_utf8_is_reported_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asr.lm.sentences, "BLOCK", 8)
    path = file(tmp_path, b"one\ntwo two two\nthr\xe9\xe9\n")
    with pytest.raises(DataError, match=r"a\.txt, line 3: the byte 0xe9 is not UTF-8; save the file as UTF-8\."):
        count_words([path], normalised=False)


@pytest.mark.parametrize("mark", ["<s>", "</s>", "<unk>"])
def test_special_words_are_refused_but_not_as_part_of_a_word(tmp_path: Path, mark: str) -> None:
    assert count_words([file(tmp_path, f"a{mark}\n")], normalised=False) == {f"a{mark}".encode(): 1}
    with pytest.raises(DataError, match=rf"a\.txt, line 2: the text contains `{mark}`, a special word .*; remove it\."):
        count_words([file(tmp_path, f"one\ntwo {mark}\n")], normalised=False)


def test_a_line_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    content = lzma.compress(b"one\ntwo " + b"a" * 100_000_000, preset=1)
    with pytest.raises(DataError, match=r"a\.txt, line 2 is longer than 16 MiB: give a text with a sentence per line"):
        list(blocks(file(tmp_path, content)))


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a\.txt cannot be unpacked \(.*\): it is damaged or incomplete; download it again\."
    ):
        list(blocks(file(tmp_path, lzma.compress(b"one two\n" * 100)[:-10])))
    with pytest.raises(DataError, match=r"none cannot be read: No such file or directory\."):
        list(blocks(tmp_path / "none"))


def test_vocabulary_lists(tmp_path: Path) -> None:
    assert read_vocabulary(file(tmp_path, "one 12\n\ntwo\t3\nthree"), normalised=False) == {b"one", b"two", b"three"}
    assert read_vocabulary(file(tmp_path, "One\nwell-known\n"), normalised=True) == {b"one", b"well", b"known"}
    with pytest.raises(DataError, match=r"line 2: expected one word, optionally with a count, got 'two three'\."):
        read_vocabulary(file(tmp_path, "one\ntwo three\n"), normalised=False)
    with pytest.raises(DataError, match=r"a\.txt has no words; give one word per line\."):
        read_vocabulary(file(tmp_path, "\n"), normalised=False)
