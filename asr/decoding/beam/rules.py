"""Scores of a prefix from everything except the acoustic model, compiled with numba."""

from typing import Any, NamedTuple

import numpy as np

from asr.compiled import njit_noalloc
from asr.decoding.beam.hot_words import HotWords
from asr.decoding.beam.lexicon import Lexicon, Spelling
from asr.lm.lookup import advance, child_from
from asr.lm.trie import Trie

Record = Any
"""A structured scalar or array. Any, because numba reads fields as attributes, which numpy's types do not declare."""


class Rules(NamedTuple):
    """Everything that scores a prefix except the acoustic model."""

    spelling: Spelling
    vocabulary: Lexicon
    """The words of the language model, indexed as in it, and hot words that it lacks."""
    best_unigram: np.ndarray
    """The best 1-gram log-probability among the words below each node of the vocabulary. Shape: (N,)"""
    word_range: np.ndarray
    """The word numbers below each node: the first, and one past the last. Shape: (N, 2)"""
    ngram: Trie
    cache_keys: np.ndarray
    """Direct-mapped cache of `lookahead`: the LM state and vocabulary node of each slot, packed into one number."""
    cache_values: np.ndarray
    """The cached results. Every utterance has its own cache. Shape: both (A,), a power of 2"""
    hot: HotWords
    num_known: int
    """Words from this number on are hot ones that the language model does not have."""
    unknown: int
    """The n-gram's number of `<unk>`."""
    end: int
    """The n-gram's number of `</s>`."""
    has_vocabulary: bool
    has_ngram: bool
    closed: bool
    """Whether only words of the vocabulary are allowed."""
    by_phones: bool
    """Whether the letters are phones, so that the text is known by its words and not by its tokens."""
    lm_weight: float
    word_bonus: float
    unknown_score: float
    unknown_letter: float
    """Score of each letter of an unknown word, 0 or less; not applied to hot words."""
    max_boost_step: float
    """Upper bound on the increase of the partial boost by one letter or the end of a word."""
    min_pending: float
    """Lower bound on the pending score, hot words aside, to which a word can rise by leaving the vocabulary; before its
    letters are counted."""
    min_pending_per_letter: float
    """Change of that bound for each letter of the word."""
    max_gain: float
    """Upper bound on the increase of the score by the end of a word and the letters after it."""


@njit_noalloc
def spell(lexicon: Lexicon, node: int, letter: int) -> int:
    """The child of a node for a letter; -1 if no word continues like that."""
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
def find_hot(hot: HotWords, node: int, letter: int) -> int:
    """The node among the hot words after a letter; -1 if none continues like that and none began after a word."""
    while node >= 0:
        child = spell(hot.trie, node, letter)
        if child >= 0:
            return int(child)
        node = hot.fallback[node]
    return -1


@njit_noalloc
def num_bits(x: np.uint64) -> int:
    """The number of bits set (Warren, Hacker's Delight, 5-1)."""
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit_noalloc
def mixed(text: np.uint64, letter: np.uint64) -> np.uint64:
    """Update the hash of a text with one more letter (the finaliser of splitmix64, Steele et al. 2014)."""
    text = (text ^ letter) + np.uint64(0x9E3779B97F4A7C15)
    text = (text ^ (text >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    text = (text ^ (text >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return text ^ (text >> np.uint64(31))


@njit_noalloc
def lookahead(rules: Rules, state: int, letters: int) -> float:
    """Language model look-ahead: an upper bound on the log-probability of the words in a node (Ortmanns et al. 1996).

    A bound and not the maximum, because a word's back-off path is considered even if its longer n-gram exists. It never
    increases with one more letter.
    """
    key = np.uint64(state) << np.uint64(32) | np.uint64(letters)
    slot = mixed(key, np.uint64(0)) & np.uint64(len(rules.cache_keys) - 1)
    if rules.cache_keys[slot] == key:
        return float(rules.cache_values[slot])
    first, last = rules.word_range[letters, 0], rules.word_range[letters, 1]
    trie = rules.ngram
    best, backoff = float(-np.inf), 0.0
    while state != 0:
        child = child_from(trie, state, first)
        while child < trie.first_child[state + 1] and trie.word[child] < last:
            best = max(best, backoff + trie.log_prob[child])
            child += 1
        backoff += trie.backoff[state]
        state = int(trie.suffix[state])
    best = max(best, backoff + rules.best_unigram[letters])
    rules.cache_keys[slot], rules.cache_values[slot] = key, best
    return float(best)


@njit_noalloc
def unknown_word_score(rules: Rules, is_hot: bool, length: int) -> float:
    """The score of a word outside the vocabulary with `length` letters."""
    return rules.unknown_score + (0.0 if is_hot else length * rules.unknown_letter)


@njit_noalloc
def num_choices(rules: Rules, node: Record) -> int:
    """The number of homophones that end in a prefix; 1 for a text by letters, and where no word ends."""
    if not rules.by_phones or node.letters <= 0:
        return 1
    others_first, most = rules.vocabulary.others_first, 1 + int(rules.spelling.choice[-1])
    return min(most, 1 + int(others_first[node.letters + 1] - others_first[node.letters]))


@njit_noalloc
def word_at(rules: Rules, letters: int, choice: int) -> int:
    """The word that ends in a node of the vocabulary, of homophones the one with this number; -1 for none."""
    if letters <= 0:
        return -1
    if choice == 0:
        return int(rules.vocabulary.word[letters])
    return int(rules.vocabulary.others[rules.vocabulary.others_first[letters] + choice - 1])


@njit_noalloc
def hot_after(rules: Rules, node: Record, word: int) -> int:
    """The node among the hot words in which a prefix is if this word ends it; -1 if that is in no phrase."""
    if node.hot <= 0 or (rules.by_phones and word < 0):
        return -1
    letter = rules.hot.ends[word if rules.by_phones else 0]
    return find_hot(rules.hot, node.hot, letter) if letter >= 0 else -1


@njit_noalloc
def score_word_end(rules: Rules, node: Record, choice: int) -> None:
    """Compute the LM state and scores of a prefix if its last word ends here, unless already known.

    `choice` is the number of the homophone, less than `num_choices`.
    """
    if node.scored_choice == choice:
        return
    node.scored_choice = choice
    node.next_state, node.next_settled, node.next_lm = node.state, node.settled, node.lm
    if node.letters == 0:
        return  # no word has begun
    word = word_at(rules, node.letters, choice)
    bonus = rules.word_bonus
    hot = hot_after(rules, node, word)
    if hot >= 0:
        bonus += rules.hot.boost[hot]
    is_known = 0 <= word < rules.num_known
    if rules.has_vocabulary and not is_known:
        bonus += -np.inf if rules.closed and word < 0 else unknown_word_score(rules, hot >= 0, node.length)
    if rules.has_ngram:
        log_prob, state = advance(rules.ngram, int(node.state), int(word if is_known else rules.unknown))
        node.next_state, node.next_lm = state, node.lm + log_prob
        bonus += rules.lm_weight * log_prob
    node.next_settled += bonus


@njit_noalloc
def extended(rules: Rules, node: Record, token: int) -> tuple[int, int, int, int, float, float]:
    """The fields of a prefix extended by a token: letters, length, hot, state, settled, pending."""
    letters, length, hot, settled, pending = node.letters, node.length, node.hot, node.settled, node.pending
    state = node.state
    if rules.spelling.ends_word[token]:
        if rules.by_phones and (letters == 0 or rules.spelling.choice[token] >= num_choices(rules, node)):
            return letters, length, hot, state, -np.inf, pending
        score_word_end(rules, node, rules.spelling.choice[token])
        if node.letters != 0:
            hot = hot_after(rules, node, word_at(rules, node.letters, rules.spelling.choice[token]))
            hot = int(rules.hot.resume[hot]) if hot >= 0 else 0
        letters, length, settled, pending = 0, 0, node.next_settled, rules.hot.partial_boost[hot]
        state = node.next_state
    first, last = rules.spelling.first[token], rules.spelling.first[token + 1]
    if first == last:
        return letters, length, hot, state, settled, pending
    for position in range(first, last):
        letter = rules.spelling.letters[position]
        letters = spell(rules.vocabulary, letters, letter)
        hot = find_hot(rules.hot, hot, letter)
    length += last - first
    pending = 0.0
    if hot > 0:
        pending = rules.hot.partial_boost[hot]
    if rules.has_vocabulary:
        if letters < 0:
            pending += -np.inf if rules.closed else unknown_word_score(rules, hot > 0, length)
        elif rules.has_ngram:
            pending += rules.lm_weight * lookahead(rules, state, letters)
    return letters, length, hot, state, settled, pending


@njit_noalloc
def recombination_key(letters: int, length: int, hot: int, state: int, token: int) -> np.uint64:
    """Hash everything that affects the scores of continuations: unfinished word, LM state, and last token."""
    word = np.uint64(letters) if letters >= 0 else np.uint64(length) << np.uint64(32)
    key = mixed(np.uint64(0), word)  # numbers are mixed one by one: combined by xor, (4, 5) would collide with (3, 2)
    return mixed(mixed(mixed(key, np.uint64(state)), np.uint64(hot + 1)), np.uint64(token))
