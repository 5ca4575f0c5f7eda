"""The trie holds exactly the words that the alphabet can spell, each once."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.beam.lexicon import Lexicon, best_below, build, spelling, words_below
from asr.text import CharTokenizer, SubwordTokenizer

WIDE = " " + "".join(chr(code) for code in range(0x4E00, 0x4E00 + 150))
"""An alphabet whose bit sets need three columns."""


def walked(lexicon: Lexicon, alphabet: str) -> dict[str, list[int]]:
    """Every word of a trie and its index in the list, by visiting all nodes."""
    known, places = sorted(alphabet), {}

    def visit(node: int, text: str) -> None:
        others = lexicon.others[lexicon.others_first[node] : lexicon.others_first[node + 1]].tolist()
        if lexicon.word[node] >= 0:
            places[text] = [int(lexicon.word[node]), *others]
        else:
            assert not others
        letters = [i for i in range(len(known)) if int(lexicon.letters[node, i // 64]) >> (i % 64) & 1]
        for child, letter in enumerate(letters, start=int(lexicon.first[node])):
            assert lexicon.parent[child] == node
            visit(child, text + known[letter])

    visit(0, "")
    return places


@settings(deadline=None)
@given(
    st.sampled_from([" ab'é", WIDE]).flatmap(lambda a: st.tuples(st.just(a), st.lists(st.text(a + "x", max_size=5))))
)
def test_it_holds_the_words_and_only_them(case: tuple[str, list[str]]) -> None:
    alphabet, words = case
    lexicon = build(words, alphabet)
    expected: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        if word and set(word) <= set(alphabet):
            expected.setdefault(word, []).append(place)
    assert walked(lexicon, alphabet) == expected
    assert len(lexicon.word) == len({word[:end] for word in expected for end in range(len(word) + 1)} | {""})


@settings(deadline=None)
@given(st.lists(st.text("abc", max_size=5)), st.randoms(use_true_random=False))
def test_best_below_is_the_maximum_of_the_subtree(words: list[str], random: Random) -> None:
    lexicon = build(words, " abc")
    values = np.array([random.uniform(-9, 0) for _ in lexicon.word])
    expected = values.copy()
    for node in range(len(values)):
        above = node
        while above:
            above = int(lexicon.parent[above])
            expected[above] = max(expected[above], values[node])
    assert best_below(lexicon, values).tolist() == expected.tolist()


@settings(deadline=None)
@given(st.sets(st.text("abcd", min_size=1, max_size=4), min_size=1))
def test_the_words_below_a_node_begin_with_its_letters(words: set[str]) -> None:
    """Words that the alphabet cannot spell may lie between."""
    in_order = sorted(words)
    lexicon = build(in_order, " abc")
    below = words_below(lexicon, len(in_order))
    fewer = words_below(lexicon, len(in_order) - 1)
    spelled = {"": 0}
    for word in sorted(walked(lexicon, " abc")):
        node = 0
        for length in range(1, len(word) + 1):
            letters = [i for i in range(64) if int(lexicon.letters[node, 0]) >> i & 1]
            node = int(lexicon.first[node]) + letters.index(" abc".index(word[length - 1]))
            spelled[word[:length]] = node
    for text, node in spelled.items():
        places = [place for place, word in enumerate(in_order) if word.startswith(text) and "d" not in word]
        if places:
            assert below[node].tolist() == [min(places), max(places) + 1]
        if places := [place for place in places if place < len(in_order) - 1]:
            assert fewer[node].tolist() == [min(places), max(places) + 1]
        else:
            assert fewer[node, 0] >= fewer[node, 1]


def test_the_spelling_of_tokens() -> None:
    characters = spelling(CharTokenizer(" ba"))
    assert characters.ends_word.tolist() == [False, True, False, False]
    assert (characters.first.tolist(), characters.letters.tolist()) == ([0, 0, 0, 1, 2], [2, 1])
    pieces = spelling(SubwordTokenizer(" ab", ("▁", "▁ab", "b"), b""))
    assert pieces.ends_word.tolist() == [False, True, True, False]
    assert (pieces.first.tolist(), pieces.letters.tolist()) == ([0, 0, 0, 2, 3], [1, 2, 2])
