"""The ARPA reader: a small model number by number, a reference file line by line, and each error message."""

import bz2
import gzip
import lzma
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asr.errors import DataError
from asr.lm import arpa
from asr.lm.trie import bounds

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "kn-check"
MODEL = """made by hand

\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-2.5\t<unk>
-99\t<s>\t-0.25
-0.5\t</s>
-0.75\tä\t-0.5
-1\tb\t0.125

\\2-grams:
-0.3\t<s> b\t0
-0.1\tb ä\t-1
-0.2\tä </s>

\\3-grams:
-0.05\t<s> b ä

\\end\\
"""
LINES = MODEL.split("\n")


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_numbers_of_a_small_model(tmp_path: Path) -> None:
    model = arpa.read(write(tmp_path / "m.arpa", MODEL))
    assert (model.order, model.counts) == (3, [5, 3, 1])
    assert model.words == ["</s>", "<s>", "<unk>", "b", "ä"]
    assert (model.unknown, model.begin, model.end) == (2, 1, 0)
    ln10 = math.log(10)
    log_prob, state = model.advance(model.start(), "b")
    assert log_prob == pytest.approx(-0.3 * ln10)
    log_prob, state = model.advance(state, "ä")
    assert log_prob == pytest.approx(-0.05 * ln10)
    assert model.finish(state) == pytest.approx((-1 + -0.2) * ln10)
    assert model.advance(state, "b")[0] == pytest.approx((-1 - 0.5 - 1) * ln10)
    log_prob, state = model.advance(state, "zebra")
    assert log_prob == pytest.approx((-1 - 0.5 - 2.5) * ln10)
    assert model.advance(state, "b")[0] == pytest.approx(-1 * ln10)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(MODEL.encode()),
        lzma.compress(MODEL.encode()),
        MODEL.replace("\n", "\r\n").encode(),
        MODEL.replace("\t", " ").encode(),
        MODEL.encode().removesuffix(b"\n"),
    ],
    ids=["gzip", "xz", "windows", "spaces", "no last newline"],
)
def test_compression_and_white_space_do_not_matter(tmp_path: Path, content: bytes) -> None:
    expected = arpa.read(write(tmp_path / "plain.arpa", MODEL))
    model = arpa.read(write(tmp_path / "other", content))
    assert model.words == expected.words
    for array, other in zip(model.trie, expected.trie, strict=True):
        np.testing.assert_array_equal(array, other)


def test_the_block_size_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.arpa", MODEL)
    expected = arpa.read(path)
    for size in (1, 7, 50):
        monkeypatch.setattr(arpa, "BLOCK", size)
        for array, other in zip(arpa.read(path).trie, expected.trie, strict=True):
            np.testing.assert_array_equal(array, other)


def test_without_unk_unknown_words_have_negligible_probability(tmp_path: Path) -> None:
    text = MODEL.replace("-2.5\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    model = arpa.read(write(tmp_path / "m.arpa", text))
    assert model.advance(model.start(), "zebra")[0] == pytest.approx((-0.25 - 100) * math.log(10))


def test_upper_case_unk_is_read_as_unk(tmp_path: Path) -> None:
    model = arpa.read(write(tmp_path / "m.arpa", MODEL.replace("<unk>", "<UNK>")))
    assert (model.words[2], model.unknown) == ("<unk>", 2)
    assert model.advance(0, "zebra")[0] == pytest.approx(-2.5 * math.log(10))


def changed(line: int, text: str) -> str:
    """The model with one line replaced; lines are counted from 1."""
    return "\n".join([*LINES[: line - 1], text, *LINES[line:]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no `\\data\\` section with counts: it is not an ARPA file, or it is incomplete."),
        ("\\data\\\n\n", "has no `\\data\\` section with counts: it is not an ARPA file, or it is incomplete."),
        (changed(5, "ngram 3=3"), "line 5: expected `ngram 2=` and a count, got 'ngram 3=3'."),
        (changed(4, "ngram 1=five"), "line 4: expected `ngram 1=` and a count, got 'ngram 1=five'."),
        (
            changed(5, "ngram 2=4"),
            "line 20: the section has 3 2-grams, but the header of the file says 4: the file is damaged, or its header "
            "is wrong.",
        ),
        (
            changed(15, "\\3-grams:"),
            "line 15: expected `\\2-grams:`, got '\\\\3-grams:'; "
            "the sections of an ARPA file must be in order, one for each count in its header.",
        ),
        ("\n".join(LINES[:17]), "ends before `\\3-grams:`: it is incomplete; download it again."),
        ("\n".join(LINES[:22]), "ends before `\\end\\`: it is incomplete; download it again."),
        (changed(16, "nan\t<s> b\t0"), "line 16: the log-probability 'nan' must be a finite number."),
        (changed(16, "x\t<s> b\t0"), "line 16: the log-probability 'x' must be a finite number."),
        (changed(16, "0.5\t<s> b\t0"), "line 16: the log-probability '0.5' must be 0 or less."),
        (changed(16, "-1\t<s> b\tinf"), "line 16: the back-off weight 'inf' must be a finite number."),
        (
            changed(16, "-1\t<s>"),
            "line 16: expected a log-probability and 2 words, then optionally a back-off weight, got '-1\\t<s>'.",
        ),
        (
            changed(21, "-1\t<s> b ä\t-0.5"),
            "line 21: the back-off weight '-0.5' must be 0 or left out, because no longer n-gram can back off to this "
            "one.",
        ),
        (changed(17, "-1\tb c\t0"), "line 17: the word 'c' is not among the 1-grams."),
        (changed(13, "-1\tä\t0"), "line 13: duplicate 1-gram 'ä'; keep one."),
        (changed(17, "-1\t<s> b\t0"), 'line 17: duplicate 2-gram "<s> b"; keep one.'),
        (
            changed(21, "-1\tä b ä"),
            'line 21: the 3-gram "ä b ä" lacks its context, the 2-gram "ä b", whose back-off weight is needed.',
        ),
        (MODEL.replace("</s>", "</S>"), "has no 1-gram `</s>`, with which every sentence ends."),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / "m.arpa", text)
    with pytest.raises(DataError) as error:
        arpa.read(path)
    assert str(error.value).removeprefix(str(path)).lstrip(", ") == sentence


def test_invalid_utf8_is_reported_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "m.arpa", MODEL.encode("latin-1"))
    with pytest.raises(DataError, match=r"line 12: the word '\\\\xe4' is not UTF-8; save the file as UTF-8\."):
        arpa.read(path)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_truncated_compressed_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path / "m.arpa.xz", pack(MODEL.encode())[:-20])
    with pytest.raises(DataError, match=r"cannot be unpacked \(.*\): it is damaged or incomplete; download it again\."):
        arpa.read(path)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_a_changed_compressed_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    content = bytearray(pack(MODEL.encode()))
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    with pytest.raises(DataError, match=r"cannot be unpacked \(.*\): it is damaged or incomplete; download it again\."):
        arpa.read(write(tmp_path / "m.arpa", bytes(content)))


def test_a_line_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """150 KB of xz were a line of 1 GB, and each piece of it was copied again and again."""
    path = write(tmp_path / "m.arpa", lzma.compress(b"one\n" + b"a" * 100_000_000, preset=1))
    with pytest.raises(DataError, match=r"m\.arpa, line 2 is longer than 1 MiB: it is not an ARPA file\."):
        arpa.read(path)


def test_absurd_headers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.arpa", b"\\data\\\nngram 1=" + b"9" * 5000 + b"\n")
    with pytest.raises(DataError, match="line 2: expected `ngram 1=` and a count"):
        arpa.read(path)
    counts = "".join(f"ngram {order}=0\n" for order in range(1, 31))
    path = write(tmp_path / "m.arpa", f"\\data\\\n{counts}\n\\1-grams:\n".encode())
    with pytest.raises(DataError, match="n-grams of up to 30 words; it may have up to 20"):
        arpa.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.arpa cannot be read: No such file or directory\."):
        arpa.read(tmp_path / "none.arpa")


@pytest.mark.skipif(not REFERENCES.exists(), reason="needs the reference models in ../shared/data/text/kn-check")
def test_every_line_of_a_reference_file() -> None:
    model = arpa.read(REFERENCES / "o3p011.arpa.xz")
    first = bounds(model.trie, model.order)
    ids = {}  # of each node: its n-gram
    parents = np.repeat(np.arange(len(model.trie.backoff)), np.diff(model.trie.first_child))
    for node in range(1, first[-1]):
        ids[node] = (*ids.get(parents[node - 1], ()), model.words[model.trie.word[node]])
    nodes = {gram: node for node, gram in ids.items()}
    num_checked = 0
    for line in lzma.decompress((REFERENCES / "o3p011.arpa.xz").read_bytes()).decode().splitlines(keepends=True):
        if match := re.fullmatch(r"(\S+)\t(.+?)(?:\t(\S+))?\n", line):
            node = nodes[tuple(match[2].split(" "))]
            assert model.trie.log_prob[node] == pytest.approx(float(match[1]) * math.log(10), rel=1e-6)
            if match[3]:
                assert model.trie.backoff[node] == pytest.approx(float(match[3]) * math.log(10), rel=1e-6)
            num_checked += 1
    assert num_checked == len(nodes) == 22924 + 31677 + 20087


def test_what_kenlm_reads_is_read(tmp_path: Path) -> None:
    """A back-off weight of 0 at the highest order, -inf, a byte order mark and bzip2."""
    text = changed(21, LINES[20] + "\t0").encode()
    expected = arpa.read(write(tmp_path / "expected.arpa", MODEL))
    for content in (
        text,
        b"\xef\xbb\xbf" + text,
        b"\xef\xbb\xbf" + text.removeprefix(b"made by hand\n\n"),
        bz2.compress(text),
    ):
        model = arpa.read(write(tmp_path / "m.arpa", content))
        np.testing.assert_array_equal(model.trie.log_prob, expected.trie.log_prob)
    model = arpa.read(write(tmp_path / "m.arpa", changed(16, "-inf\t<s> b\t0")))
    assert model.trie.log_prob.min() == pytest.approx(-100 * math.log(10))
