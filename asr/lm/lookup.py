"""Look-up in an n-gram trie, compiled with numba; the beam search calls it for every word of every hypothesis."""

import numpy as np

from asr.compiled import compiled
from asr.lm.trie import Trie


@compiled
def state_of(trie: Trie, node: int) -> int:
    """The state of a node: itself, or its suffix if it has neither a longer n-gram nor a back-off weight."""
    if node < len(trie.backoff) and (
        trie.first_child[node] < trie.first_child[node + 1] or trie.backoff[node] != 0 or node == 0
    ):
        return node
    return int(trie.suffix[node])


@compiled
def child_from(trie: Trie, node: int, word: int) -> int:
    """The first child of a node whose word number is at least `word`; one past its last child if there is none."""
    low, high = int(trie.first_child[node]), int(trie.first_child[node + 1])
    while low < high:
        middle = (low + high) // 2
        if trie.word[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def advance(trie: Trie, state: int, word: int) -> tuple[float, int]:
    """Natural log-probability of a word number after a state, and the next state; backs off as needed."""
    log_prob = 0.0
    while state != 0:
        child = child_from(trie, state, word)
        if child < trie.first_child[state + 1] and trie.word[child] == word:
            return float(log_prob + trie.log_prob[child]), state_of(trie, child)
        log_prob += trie.backoff[state]
        state = int(trie.suffix[state])
    return log_prob + trie.log_prob[word + 1], state_of(trie, word + 1)


@compiled
def sentence_log_probs(trie: Trie, start: int, words: np.ndarray, end: int, log_probs: np.ndarray) -> None:
    """Score consecutive sentences, each of which ends with the word `end`, into `log_probs`; natural logarithm.

    Shape: words (T,), int; log_probs (T,), float64
    """
    state = start
    for position in range(len(words)):
        log_probs[position], state = advance(trie, state, int(words[position]))
        if words[position] == end:
            state = start
