"""Packed n-gram models: round trips, rounding errors, and damaged files."""

from pathlib import Path

import numpy as np
import pytest

from asr.errors import DataError, ModelError
from asr.lm import packed
from asr.lm.ngram import Ngram
from asr.lm.trie import Level, build, keys_of, link


@pytest.fixture(scope="module")
def ngram() -> Ngram:
    """Random n-grams over 300 words, with more distinct values than the small form has."""
    random = np.random.default_rng(0)
    words = sorted(["<unk>", "<s>", "</s>", *(f"wörd{number}" for number in range(297))])
    pairs = np.unique(random.integers(0, 300, (4000, 2)), axis=0)
    triples = np.unique(np.c_[pairs[random.integers(0, len(pairs), 6000)], random.integers(0, 300, 6000)], axis=0)
    levels = []
    for grams in (np.arange(300)[:, None], pairs, triples):
        log_prob = -random.gamma(3, 2, len(grams)).astype(np.float32)
        backoff = np.where(random.random(len(grams)) < 0.3, 0, -random.gamma(1, 1, len(grams))).astype(np.float32)
        levels.append(Level(grams.astype(np.int32), log_prob, backoff))
    return Ngram(3, words, build(levels))


def test_the_mapped_form_is_exact(ngram: Ngram, tmp_path: Path) -> None:
    packed.save(ngram, tmp_path / "lm.bin")
    restored = packed.load(tmp_path / "lm.bin")
    assert (restored.order, list(restored.words), restored.counts) == (3, ngram.words, ngram.counts)
    for name, array in ngram.trie._asdict().items():
        other = getattr(restored.trie, name)
        np.testing.assert_array_equal(other, array)
        assert other.dtype == array.dtype
        assert not other.flags.owndata and not other.flags.writeable


def test_the_small_form_rounds_numbers_and_nothing_else(ngram: Ngram, tmp_path: Path) -> None:
    packed.save(ngram, tmp_path / "lm.bin")
    packed.save(ngram, tmp_path / "lm.small", "small")
    restored = packed.load(tmp_path / "lm.small")
    assert (restored.order, list(restored.words), restored.counts) == (3, ngram.words, ngram.counts)
    for name in ("word", "first_child"):
        np.testing.assert_array_equal(getattr(restored.trie, name), getattr(ngram.trie, name))
    for name in ("log_prob", "backoff"):
        rounded, exact = getattr(restored.trie, name), getattr(ngram.trie, name)
        np.testing.assert_array_equal(rounded, np.round(exact * packed.STEPS) / packed.STEPS)
    assert (tmp_path / "lm.small").stat().st_size < (tmp_path / "lm.bin").stat().st_size / 5


def test_scores_of_the_small_form_are_those_of_the_rounded_model(ngram: Ngram, tmp_path: Path) -> None:
    packed.save(ngram, tmp_path / "lm.small", "small")
    restored = packed.load(tmp_path / "lm.small")
    trie = ngram.trie
    rounded = link(keys_of(trie, 300), 300, restored.trie.log_prob.copy(), restored.trie.backoff.copy())
    np.testing.assert_array_equal(restored.trie.suffix, rounded.suffix)
    random = np.random.default_rng(1)
    state = other = ngram.start()
    for word in random.choice(ngram.words, 500):
        (exact, state), (log_prob, other) = ngram.advance(state, word), restored.advance(other, word)
        assert log_prob == pytest.approx(
            exact, abs=3 / (2 * packed.STEPS) + 1e-5
        )  # two back-off weights and a log-probability


def test_unsorted_words_are_refused(ngram: Ngram, tmp_path: Path) -> None:
    packed.save(Ngram(3, ngram.words[::-1], ngram.trie), tmp_path / "lm.bin")
    with pytest.raises(ModelError, match="its words are not sorted"):
        packed.load(tmp_path / "lm.bin")


def test_packing_again_changes_nothing(ngram: Ngram, tmp_path: Path) -> None:
    packed.save(ngram, tmp_path / "once", "small")
    packed.save(packed.load(tmp_path / "once"), tmp_path / "twice", "small")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()


def test_an_order_may_be_empty(tmp_path: Path) -> None:
    unigrams = Level(np.arange(3, dtype=np.int32)[:, None], np.array([-1, -2, -3], np.float32), np.zeros(3, np.float32))
    levels = [unigrams] + [
        Level(np.empty((0, order), np.int32), np.empty(0, np.float32), np.empty(0, np.float32)) for order in (2, 3)
    ]
    ngram = Ngram(3, ["</s>", "<s>", "<unk>"], build(levels))
    assert ngram.counts == [3, 0, 0]
    for form in ("mapped", "small"):
        packed.save(ngram, tmp_path / form, form)
        restored = packed.load(tmp_path / form)
        assert restored.counts == [3, 0, 0]
        assert restored.finish(restored.start()) == pytest.approx(-1)


@pytest.mark.parametrize("form", ["mapped", "small"])
@pytest.mark.parametrize("keep", [20, 300, -1])
def test_a_truncated_file(ngram: Ngram, tmp_path: Path, form: packed.Form, keep: int) -> None:
    path = tmp_path / "lm.bin"
    packed.save(ngram, path, form)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"lm\.bin is a damaged n-gram model \(.*\): pack it again with `asr lm pack`"):
        packed.load(path)


def test_a_file_that_is_too_long(ngram: Ngram, tmp_path: Path) -> None:
    path = tmp_path / "lm.bin"
    packed.save(ngram, path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"bytes instead of"):
        packed.load(path)


def test_files_that_are_not_models(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none cannot be read: No such file or directory\."):
        packed.load(tmp_path / "none")
    (tmp_path / "text").write_text("hello\n")
    with pytest.raises(DataError, match=r"it is not an ARPA file"):
        packed.load(tmp_path / "text")
