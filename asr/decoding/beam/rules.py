"""Compiled rules of a search: what a prefix is worth beside its sound (numba)."""

from typing import Any, NamedTuple

import numpy as np

from asr.decoding.beam.lexicon import Lexicon, Spelling
from asr.decoding.compiled import njit_noalloc
from asr.lm.lookup import advance, child_from
from asr.lm.trie import Trie

Record = Any
"""One or an array of a structured type; numba reads its fields as attributes, which numpy's own types do not have."""


class Rules(NamedTuple):
    """What a prefix is worth beside its sound."""

    spelling: Spelling
    vocabulary: Lexicon
    """The words of the language model, by their numbers in it."""
    ahead: np.ndarray
    """The best 1-gram log-probability among the words that a node of the vocabulary can become. Shape: (N,)"""
    below: np.ndarray
    """The n-gram's numbers of these words: the first, and one more than the last. Shape: (N, 2)"""
    ngram: Trie
    asked: np.ndarray
    """State and node of the vocabulary that `lookahead` was last asked for, as one number: a slot for each hash."""
    answers: np.ndarray
    """What it said. A search of its own has its own pair. Shape: both (A,), a power of 2"""
    hot: Lexicon
    boost: np.ndarray
    """What a hot word adds that is complete in a node of `hot`. Shape: (N,)"""
    promise: np.ndarray
    """What the letters so far of a hot word add. Shape: (N,)"""
    unknown: int
    """The n-gram's number for words outside the vocabulary."""
    end: int
    """The n-gram's number for the sentence end."""
    has_vocabulary: bool
    has_ngram: bool
    closed: bool
    """Whether only words of the vocabulary may be written."""
    lm_weight: float
    word_bonus: float
    unknown_score: float
    unknown_letter: float
    """What each letter of an unknown word adds, 0 or less; nothing in a hot word."""
    reach: float
    """The most by which a letter can raise what hot words promise."""
    floor: float
    """The least that a word being spelled adds, hot words aside: less is never lost by one more letter."""
    floor_letter: float
    """What the floor sinks by for each letter of the word."""
    gain: float
    """The most by which the end of a word, and letters after it, can raise the score."""


@njit_noalloc
def spell(lexicon: Lexicon, node: int, letter: int) -> int:
    """The node that a letter leads to; -1 where no word goes on so."""
    if node < 0:
        return -1
    column, bit = letter >> 6, np.uint64(letter & 63)
    letters = lexicon.letters[node, column]
    if not (letters >> bit) & np.uint64(1):
        return -1
    child = lexicon.first[node] + num_bits(letters & ((np.uint64(1) << bit) - np.uint64(1)))
    for before in range(column):
        child += num_bits(lexicon.letters[node, before])
    return child


@njit_noalloc
def num_bits(x: np.uint64) -> int:
    """How many bits are set (Warren, Hacker's Delight, 5-1)."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit_noalloc
def mixed(text: np.uint64, letter: np.uint64) -> np.uint64:
    """The hash of a text and one more letter (the finaliser of splitmix64, Steele et al. 2014)."""
    text = (text ^ letter) + np.uint64(0x9E3779B97F4A7C15)
    text = (text ^ (text >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    text = (text ^ (text >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return text ^ (text >> np.uint64(31))


@njit_noalloc
def lookahead(rules: Rules, state: int, letters: int) -> float:
    """The best log-probability after a state among the words that begin so, or a little more (Ortmanns et al. 1996).

    More, because backing off to a word costs nothing extra where the longer n-gram of that word is there, too. One more
    letter can only lower it.
    """
    question = np.uint64(state) << np.uint64(32) | np.uint64(letters)
    slot = mixed(question, np.uint64(0)) & np.uint64(len(rules.asked) - 1)
    if rules.asked[slot] == question:
        return rules.answers[slot]
    first, last = rules.below[letters, 0], rules.below[letters, 1]
    trie = rules.ngram
    best, passed = -np.inf, 0.0
    while state != 0:
        child = child_from(trie, state, first)
        while child < trie.first_child[state + 1] and trie.word[child] < last:
            best = max(best, passed + trie.log_prob[child])
            child += 1
        passed += trie.backoff[state]
        state = int(trie.suffix[state])
    best = max(best, passed + rules.ahead[letters])
    rules.asked[slot], rules.answers[slot] = question, best
    return best


@njit_noalloc
def unknown(rules: Rules, is_hot: bool, length: int) -> float:
    """What a word outside the vocabulary adds that has so many letters."""
    return rules.unknown_score + (0.0 if is_hot else length * rules.unknown_letter)


@njit_noalloc
def judge(rules: Rules, node: Record) -> None:
    """Find what it means for the score if the last word of a prefix is over, unless it is known."""
    if node.is_judged:
        return
    node.is_judged = True
    node.next_state, node.next_settled, node.next_lm = node.state, node.settled, node.lm
    if node.letters == 0:
        return  # no letter, no word
    word = rules.vocabulary.word[node.letters] if node.letters > 0 else -1
    bonus = rules.word_bonus
    if node.hot > 0:
        bonus += rules.boost[node.hot]
    if rules.has_vocabulary and word < 0:
        is_hot = node.hot > 0 and bool(rules.hot.word[node.hot] >= 0)
        bonus += -np.inf if rules.closed else unknown(rules, is_hot, node.length)
    if rules.has_ngram:
        log_prob, state = advance(rules.ngram, int(node.state), int(word if word >= 0 else rules.unknown))
        node.next_state, node.next_lm = state, node.lm + log_prob
        bonus += rules.lm_weight * log_prob
    node.next_settled += bonus


@njit_noalloc
def grow(rules: Rules, node: Record, token: int) -> tuple[int, int, int, int, float, float]:
    """What a prefix becomes by one more token: letters, length, hot, state, settled, pending."""
    letters, length, hot, settled, pending = node.letters, node.length, node.hot, node.settled, node.pending
    state = node.state
    if rules.spelling.ends_word[token]:
        judge(rules, node)
        letters, length, hot, settled, pending = 0, 0, 0, node.next_settled, 0.0
        state = node.next_state
    first, last = rules.spelling.first[token], rules.spelling.first[token + 1]
    if first == last:
        return letters, length, hot, state, settled, pending
    for position in range(first, last):
        letter = rules.spelling.letters[position]
        letters = spell(rules.vocabulary, letters, letter)
        hot = spell(rules.hot, hot, letter)
    length += last - first
    pending = 0.0
    if hot > 0:
        pending = rules.promise[hot]
    if rules.has_vocabulary:
        if letters < 0:
            pending += -np.inf if rules.closed else unknown(rules, hot > 0, length)
        elif rules.has_ngram:
            pending += rules.lm_weight * lookahead(rules, state, letters)
    return letters, length, hot, state, settled, pending


@njit_noalloc
def future(letters: int, length: int, hot: int, state: int, token: int) -> np.uint64:
    """A hash of all that decides what a prefix can still gain: of its word, its state, and its last token."""
    where = np.uint64(letters) if letters >= 0 else np.uint64(length) << np.uint64(32)
    text = mixed(np.uint64(0), where)  # each number is mixed by itself, for 4 and 5 differ as 3 and 2 do
    return mixed(mixed(mixed(text, np.uint64(state)), np.uint64(hot + 1)), np.uint64(token))
