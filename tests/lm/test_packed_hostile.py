"""Packed models from strangers: whatever their arrays say, they are refused before compiled code reads them."""

import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asr.errors import ModelError
from asr.lm import arpa, packed

ARPA = """\\data\\
ngram 1=5
ngram 2=4

\\1-grams:
-1\t<unk>
-99\t<s>\t-0.3
-0.5\t</s>
-0.4\ta\t-0.2
-0.6\tb\t-0.1

\\2-grams:
-0.1\t<s> a
-0.2\ta b
-0.3\tb </s>
-0.4\tb a

\\end\\
"""


@pytest.fixture
def mapped(tmp_path: Path) -> bytes:
    (tmp_path / "m.arpa").write_text(ARPA)
    packed.save(arpa.read(tmp_path / "m.arpa"), tmp_path / "m.bin")
    return (tmp_path / "m.bin").read_bytes()


def header_of(data: bytes) -> tuple[dict, int]:
    end = data.find(b"\n", len(packed.MAGIC)) + 1
    return json.loads(data[len(packed.MAGIC) : end]), end


def with_array(data: bytes, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The file with one array changed."""
    header, start = header_of(data)
    changed = bytearray(data)
    for entry in header["arrays"]:
        start += -start % packed.ALIGNMENT
        if entry["name"] == name:
            array = np.frombuffer(data, entry["dtype"], entry["items"], start)
            changed[start : start + entry["bytes"]] = change(array.copy()).astype(entry["dtype"]).tobytes()
        start += entry["bytes"]
    return bytes(changed)


def test_the_file_itself_is_read(mapped: bytes) -> None:
    assert packed.loads(mapped, "it").order == 2


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("suffix", lambda a: np.full_like(a, 2**31 - 1)),
        ("suffix", lambda a: np.arange(len(a), dtype=a.dtype)),
        ("suffix", lambda a: np.full_like(a, -1)),
        ("first_child", lambda a: np.r_[a[:2], np.full(len(a) - 2, 2**31 - 2)]),
        ("first_child", lambda a: a[::-1]),
        ("first_child", np.zeros_like),
        ("word", lambda a: np.full_like(a, 1000)),
        ("word", lambda a: np.full_like(a, -5)),
        ("log_prob", lambda a: np.full_like(a, np.nan)),
        ("backoff", lambda a: np.full_like(a, np.inf)),
        ("words", lambda a: np.full_like(a, 0xFF)),
    ],
)
def test_arrays_out_of_their_bounds_are_refused(
    mapped: bytes, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    with pytest.raises(ModelError, match="is a damaged n-gram model"):
        packed.loads(with_array(mapped, name, change), "it")


def made(header: dict, content: bytes = b"") -> bytes:
    data = packed.MAGIC + json.dumps(header).encode() + b"\n"
    return data + bytes(-len(data) % packed.ALIGNMENT) + content


@pytest.mark.parametrize("items", [3_000_000_000, 2**30 + 1, -1, 1.5, True, "5"])
def test_a_size_that_cannot_be_is_refused_before_anything_is_unpacked(items: object) -> None:
    content = lzma.compress(bytes(1000))
    entry = {"name": "words", "dtype": "|u1", "items": items, "bytes": len(content)}
    header = {"order": 1, "counts": [3], "form": "small", "steps": 16, "arrays": [entry]}
    with pytest.raises(ModelError, match="is a damaged n-gram model"):
        packed.loads(made(header, content), "it")


def test_content_of_another_size_than_stated_is_not_unpacked_further() -> None:
    content = lzma.compress(bytes(50_000_000))
    entry = {"name": "words", "dtype": "|u1", "items": 100, "bytes": len(content)}
    header = {"order": 1, "counts": [3], "form": "small", "steps": 16, "arrays": [entry]}
    with pytest.raises(ModelError, match="101 bytes instead of 100"):
        packed.loads(made(header, content), "it")


def test_more_children_than_stated_are_not_allocated(mapped: bytes) -> None:
    """A small file could have asked for 2 GB of 2-grams."""
    data = packed.dumps(packed.loads(mapped, "it"))
    header, start = header_of(data)
    contents = []
    for entry in header["arrays"]:
        start += -start % packed.ALIGNMENT
        contents.append(data[start : start + entry["bytes"]])
        start += entry["bytes"]
        if entry["name"] == "children1":
            children = np.full(entry["items"], 2**32 - 1, np.uint32)
            contents[-1] = lzma.compress(children.tobytes())
            entry["bytes"] = len(contents[-1])
    changed = packed.MAGIC + json.dumps(header).encode() + b"\n"
    for content in contents:
        changed += bytes(-len(changed) % packed.ALIGNMENT) + content
    with pytest.raises(ModelError, match=r"21,474,836,475 2-grams instead of 4"):
        packed.loads(changed, "it")


def with_small_array(mapped: bytes, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The file in its small form with one array changed, which may get another length."""
    data = packed.dumps(packed.loads(mapped, "it"))
    header, start = header_of(data)
    contents = []
    for entry in header["arrays"]:
        start += -start % packed.ALIGNMENT
        contents.append(data[start : start + entry["bytes"]])
        start += entry["bytes"]
        if entry["name"] == name:
            dtype = np.dtype(entry["dtype"])
            planes = np.frombuffer(lzma.decompress(contents[-1]), np.uint8).reshape(dtype.itemsize, -1)
            array = change(np.ascontiguousarray(planes.T).reshape(-1).view(dtype).copy()).astype(dtype)
            contents[-1] = lzma.compress(array.view(np.uint8).reshape(-1, dtype.itemsize).T.tobytes())
            entry |= {"items": len(array), "bytes": len(contents[-1])}
    changed = packed.MAGIC + json.dumps(header).encode() + b"\n"
    for content in contents:
        changed += bytes(-len(changed) % packed.ALIGNMENT) + content
    return changed


def with_value(place: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    """A change of one value."""

    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


@pytest.mark.parametrize("form", ["mapped", "small"])
@pytest.mark.parametrize("word", ["<s>", "</s>", "<unk>"])
def test_a_model_without_the_words_that_scoring_needs_is_refused(mapped: bytes, word: str, form: str) -> None:
    def change(array: np.ndarray) -> np.ndarray:
        text = array.tobytes().replace(word.encode(), word.replace(">", "?").encode())  # still sorted
        return np.frombuffer(text, np.uint8)

    data = (with_array if form == "mapped" else with_small_array)(mapped, "words", change)
    with pytest.raises(ModelError, match=f"it lacks the word `{word}`"):
        packed.loads(data, "it")


@pytest.mark.parametrize(
    "change", [np.zeros_like, with_value(0, 4_000_000_000), with_value(2, 1000), with_value(-1, 5)]
)
def test_small_files_with_n_grams_twice_or_of_unknown_words_are_refused(mapped: bytes, change: Callable) -> None:
    """The search for their suffixes had no end."""
    with pytest.raises(ModelError, match="its 2-grams are not in order"):
        packed.loads(with_small_array(mapped, "gap2", change), "it")


def test_absurd_numbers_are_rounded_within_bounds(mapped: bytes) -> None:
    absurd = packed.loads(with_array(mapped, "log_prob", with_value(1, -(2**100))), "it")
    assert packed.loads(packed.dumps(absurd), "it").trie.log_prob[1] == -(2**15) / packed.STEPS


def test_counts_that_the_arrays_do_not_have_are_refused(mapped: bytes) -> None:
    header, end = header_of(mapped)
    for order, counts in ((2, [4, 5]), (3, [5, 3, 1]), (1, [5])):
        changed = packed.MAGIC + json.dumps(header | {"order": order, "counts": counts}).encode() + b"\n"
        changed += bytes(-len(changed) % packed.ALIGNMENT) + mapped[end + -end % packed.ALIGNMENT :]
        with pytest.raises(ModelError, match="is a damaged n-gram model"):
            packed.loads(changed, "it")


@pytest.mark.parametrize("header", [b"[" * 60_000 + b"]" * 1000, b"{}", b"5", b'{"order": 1e400}', b"\xff"])
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(ModelError, match="is a damaged n-gram model"):
        packed.loads(packed.MAGIC + header + b"\n", "it")


def test_random_damage_is_refused_or_harmless(mapped: bytes) -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(mapped)
        for place in random.integers(len(packed.MAGIC), len(data), size=3):
            data[place] = random.integers(256)
        try:
            model = packed.loads(bytes(data), "it")
        except ModelError:
            continue
        state = model.start()
        for word in ("a", "b", "a", "x", "b"):
            log_prob, state = model.advance(state, word)
            assert np.isfinite(log_prob)
