"""The trie compared with a scorer on a dictionary of n-grams, and with the scores of a reference implementation."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lm import lookup, packed
from asr.lm.ngram import Ngram
from asr.lm.trie import Level, Misfit, build, check, keys_of, rearranged, renumbered

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "kn-check"
WORDS = ["</s>", "<s>", "<unk>", "a", "b", "c"]

Model = dict[tuple[int, ...], tuple[float, float]]
"""n-gram -> log-probability and back-off weight."""


@st.composite
def models(draw: st.DrawFn, order: int = 4) -> Model:
    """Random n-grams, each with its context, some without their suffix, some with no back-off weight."""
    log_probs = st.floats(-5, 0, width=32)
    backoffs = st.just(0.0) | st.floats(-2, 0.5, width=32)
    model: Model = {(word,): (draw(log_probs), draw(backoffs)) for word in range(len(WORDS))}
    level = list(model)
    for _ in range(order - 1):
        longer = draw(st.sets(st.tuples(st.sampled_from(level), st.integers(0, 5)), min_size=1, max_size=12))
        level = sorted((*context, word) for context, word in longer)
        model |= {gram: (draw(log_probs), draw(backoffs)) for gram in level}
    return model


def to_ngram(model: Model, order: int = 4) -> Ngram:
    levels = []
    for length in range(1, order + 1):
        grams = [gram for gram in model if len(gram) == length]
        if length > 1:
            grams = grams[::-1]
        numbers = np.array([model[gram] for gram in grams], np.float32)
        levels.append(Level(np.array(grams, np.int32), numbers[:, 0], numbers[:, 1]))
    return Ngram(order, WORDS, build(levels))


def slow_score(model: Model, history: tuple[int, ...], word: int, order: int) -> float:
    """Katz's recursion, literally, over the whole history."""
    history = history[len(history) - min(len(history), order - 1) :]
    if (*history, word) in model:
        return model[*history, word][0]
    backoff = model[history][1] if history in model else 0.0
    return backoff + slow_score(model, history[1:], word, order)


def matters(model: Model, order: int, context: tuple[int, ...]) -> bool:
    """Whether an n-gram or the back-off weight depends on this context."""
    weight = len(context) < order and context in model and model[context][1] != 0
    return weight or any(gram[:-1] == context for gram in model)


@settings(max_examples=60, deadline=None)
@given(models(), st.lists(st.integers(0, 5), max_size=12))
def test_scores_equal_those_of_the_dictionary_and_the_state_is_minimal(model: Model, sentence: list[int]) -> None:
    ngram = to_ngram(model)
    state, history = 0, ()
    for word in sentence:
        log_prob, state = ngram.advance(state, WORDS[word])
        assert log_prob == pytest.approx(slow_score(model, history, word, 4), abs=1e-5)
        history = (*history, word)
        longest = next(
            context for start in range(len(history) + 1) if matters(model, 4, context := history[start:]) or not context
        )
        assert gram_of(ngram, state) == longest


def gram_of(ngram: Ngram, node: int) -> tuple[int, ...]:
    """The n-gram of a node, found by walking up."""
    gram = []
    while node:
        gram.append(int(ngram.trie.word[node]))
        node = int(np.searchsorted(ngram.trie.first_child, node, "right")) - 1
    return tuple(gram[::-1])


@settings(max_examples=20, deadline=None)
@given(models(order=2))
def test_bigrams_alone(model: Model) -> None:
    ngram = to_ngram(model, order=2)
    for first in range(6):
        _, state = ngram.advance(0, WORDS[first])
        for second in range(6):
            expected = slow_score(model, (first,), second, 2)
            assert ngram.advance(state, WORDS[second])[0] == pytest.approx(expected, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(models(), st.lists(st.lists(st.sampled_from([2, 3, 4, 5]), max_size=5), min_size=1, max_size=4))
def test_sentences_in_a_row_equal_sentences_one_by_one(model: Model, sentences: list[list[int]]) -> None:
    ngram = to_ngram(model)
    words = np.array([word for sentence in sentences for word in [*sentence, ngram.end]], np.int32)
    log_probs = np.empty(len(words))
    lookup.sentence_log_probs(ngram.trie, ngram.start(), words, ngram.end, log_probs)
    totals = np.add.reduceat(log_probs, np.r_[0, np.flatnonzero(words == ngram.end)[:-1] + 1])
    for sentence, total in zip(sentences, totals, strict=True):
        history = [ngram.begin, *sentence, ngram.end]
        expected = sum(slow_score(model, tuple(history[:at]), history[at], 4) for at in range(1, len(history)))
        assert total == pytest.approx(expected, abs=1e-4)


def test_children_are_sorted_and_found() -> None:
    model: Model = {(word,): (-1.0, -0.5) for word in range(6)}
    model |= {(first, second): (-first - second / 10, 0.0) for first in range(3, 6) for second in (5, 0, 3)}
    trie = to_ngram(model, order=2).trie
    for node in range(len(trie.backoff)):
        children = trie.word[trie.first_child[node] : trie.first_child[node + 1]]
        assert all(left < right for left, right in pairwise(children.tolist()))
    assert trie.first_child[-1] == len(trie.word) == 1 + 6 + 9


@settings(deadline=None)
@given(models(), st.permutations(range(len(WORDS))))
def test_renumbering_the_words_gives_the_same_model(model: Model, rank: list[int]) -> None:
    trie, size = to_ngram(model).trie, len(WORDS)
    new_keys, was = renumbered(keys_of(trie, size), to_ngram(model).counts, np.array(rank))
    renamed = {tuple(rank[word] for word in gram): weights for gram, weights in model.items()}
    expected = to_ngram({gram: renamed[gram] for gram in sorted(renamed, key=lambda gram: (len(gram), gram))})
    assert new_keys.tolist() == keys_of(expected.trie, size).tolist()
    assert trie.log_prob[was].tolist() == expected.trie.log_prob.tolist()
    ours = rearranged(trie, to_ngram(model).counts, np.array(rank))
    for array, theirs in zip(ours, expected.trie, strict=True):
        np.testing.assert_array_equal(array, theirs)
        assert array.dtype == theirs.dtype
    check(ours, size)


def test_misfits_are_reported() -> None:
    unigrams = Level(np.arange(3, dtype=np.int32)[:, None], np.zeros(3, np.float32), np.zeros(3, np.float32))
    zeros = np.zeros(2, np.float32)
    with pytest.raises(Misfit, match="twice") as twice:
        build([unigrams, Level(np.array([[1, 2], [1, 2]], np.int32), zeros, zeros)])
    assert (twice.value.order, twice.value.index) == (2, 1)
    with pytest.raises(Misfit, match="context") as context:
        build(
            [
                unigrams,
                Level(np.array([[1, 2], [1, 1]], np.int32), zeros, zeros),
                Level(np.array([[1, 2, 0], [2, 1, 1]], np.int32), zeros, zeros),
            ]
        )
    assert (context.value.order, context.value.index) == (3, 1)


@pytest.mark.skipif(not REFERENCES.exists(), reason="needs the reference models in ../shared/data/text/kn-check")
@pytest.mark.parametrize("name", ["o4", "o3p011"])
def test_sentence_scores_equal_the_reference(name: str) -> None:
    ngram = packed.load(REFERENCES / f"{name}.arpa.xz")
    sentences = (REFERENCES.parent / "dev.txt").read_text(encoding="utf-8").split("\n")
    scores = (REFERENCES / f"{name}.dev-first200.scores.txt").read_text(encoding="utf-8").splitlines()
    assert len(scores) == 200
    for sentence, line in zip(sentences, scores, strict=False):
        state, total = ngram.start(), 0.0
        for word in sentence.split():
            log_prob, state = ngram.advance(state, word)
            total += log_prob
        unknown = sum(word not in ngram.vocabulary for word in sentence.split())
        _, expected, _, expected_unknown = line.split()
        assert (total + ngram.finish(state)) / math.log(10) == pytest.approx(float(expected), abs=1e-4)
        assert unknown == int(expected_unknown)
