"""Sorting in runs on disk compared with sorting in memory."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lm.estimation.external_sort import Sorter, changed, keys_of, up_to, whole_groups


def records(words: list[tuple[int, ...]]) -> np.ndarray:
    order = len(words[0])
    array = np.empty(len(words), np.dtype([("words", np.uint32, (order,)), ("count", np.int64)]))
    array["words"], array["count"] = words, np.arange(1, len(words) + 1)
    return array


@pytest.mark.parametrize("vocabulary_size", [4, 1 << 31])
@settings(max_examples=40, deadline=None)
@given(
    batches=st.lists(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=20), min_size=1, max_size=6),
    block=st.integers(1, 30),
    columns=st.permutations([0, 1, 2]),
)
def test_the_output_is_sorted_and_summed(
    tmp_path_factory: pytest.TempPathFactory, vocabulary_size: int, batches: list, block: int, columns: list[int]
) -> None:
    """A vocabulary of 2^31 words needs two keys for three words, one of 4 words needs one."""
    sorter = Sorter(tmp_path_factory.mktemp("runs"), columns, vocabulary_size, block, sums=True)
    expected: dict[tuple[int, ...], int] = {}
    for batch in batches:
        added = records(batch)
        sorter.add(added)
        for words, count in zip(batch, added["count"].tolist(), strict=True):
            expected[words] = expected.get(words, 0) + count
    merged = np.concatenate(list(sorter))
    ngrams = [tuple(words) for words in merged["words"].tolist()]
    assert ngrams == sorted(expected, key=lambda words: [words[column] for column in columns])
    assert merged["count"].tolist() == [expected[words] for words in ngrams]


def test_without_sums_every_record_comes_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = [tuple(row) for row in random.integers(0, 5, (200, 2)).tolist()]
    sorter = Sorter(tmp_path, [1, 0], 5, 17)
    for first in range(0, 200, 10):
        sorter.add(records(words[first : first + 10]))
    merged = np.concatenate(list(sorter))
    assert [tuple(row) for row in merged["words"].tolist()] == sorted(words, key=lambda pair: pair[::-1])


def test_an_empty_sorter_yields_nothing(tmp_path: Path) -> None:
    assert list(Sorter(tmp_path, [0], 5, 17)) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1), st.data())
def test_groups_stay_whole(words: list[tuple[int, int]], data: st.DataObject) -> None:
    words.sort()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(words)))))
    all_records = records(words)
    pieces = list(whole_groups(iter(np.split(all_records, cuts)), [0]))
    np.testing.assert_array_equal(np.concatenate(pieces), all_records)
    firsts = [set(piece["words"][:, 0].tolist()) for piece in pieces]
    assert sum(map(len, firsts)) == len(set[int]().union(*firsts))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_up_to(words: list[tuple[int, int]], high: int, low: int) -> None:
    words.sort()
    keys = keys_of(np.array(words, np.uint32), [0, 1], bits=40)
    assert keys.shape == (2, len(words))
    assert up_to(keys, (high, low)) == sum(pair <= (high, low) for pair in words)


def test_changed() -> None:
    words = np.array([[1, 1], [1, 2], [1, 2], [2, 2]])
    assert changed(words, [0]).tolist() == [True, False, False, True]
    assert changed(words, [0, 1]).tolist() == [True, True, False, True]
