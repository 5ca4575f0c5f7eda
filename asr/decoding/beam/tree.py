"""Compiled tree of the prefixes that a search has seen (numba).

Equal prefixes are one node, a number, so nothing is compared or hashed to find out that two paths write the same.
"""

import numpy as np

from asr.decoding.beam.rules import Record, Rules, grow, mixed
from asr.decoding.compiled import compiled, njit_noalloc

NODE = np.dtype(
    [
        ("parent", np.int32),  # the prefix without its last token
        ("token", np.int32),  # the last token
        ("child", np.int32),  # the youngest child, and through `sibling` the others; 0: none
        ("sibling", np.int32),
        ("slot", np.int32),  # place in the beam; -1: not in it
        ("merged", np.int32),  # the last prefix that was left out for this one: its place in `Beam.merges`; 0: none
        ("letters", np.int32),  # the word being spelled: node of the vocabulary, 0 before its first letter, -1 outside
        ("length", np.int32),  # its letters
        ("hot", np.int32),  # the same in the hot words
        ("state", np.int32),  # of the language model after the words that are over
        ("text", np.uint64),  # a hash of the text; surely unique among the few hypotheses that are compared by it
        ("settled", np.float64),  # what the words that are over add to the score
        ("pending", np.float64),  # what the word being spelled adds until it is over
        ("lm", np.float64),  # log-probability of the words that are over
        ("is_judged", np.bool_),  # whether the three below are known: state, settled and lm if the word ended here
        ("next_state", np.int32),
        ("next_settled", np.float64),
        ("next_lm", np.float64),
    ]
)


@njit_noalloc
def child_of(rules: Rules, nodes: Record, counts: np.ndarray, parent: int, token: int) -> int:
    """The node of a prefix and one more token, made, as number `counts[1]`, if it is not there."""
    child = nodes[parent].child
    while child != 0:
        if nodes[child].token == token:
            return child
        child = nodes[child].sibling
    child = counts[1]
    counts[1] += 1
    old, new = nodes[parent], nodes[child]
    new.letters, new.length, new.hot, new.state, new.settled, new.pending = grow(rules, old, token)
    new.lm, new.text = old.lm, old.text
    if rules.spelling.ends_word[token]:
        new.lm = old.next_lm
    is_start = rules.spelling.ends_word[token] or old.letters == 0
    for position in range(rules.spelling.first[token], rules.spelling.first[token + 1]):
        if is_start:
            new.text = mixed(new.text, np.uint64(0))
            is_start = False
        new.text = mixed(new.text, np.uint64(rules.spelling.letters[position] + 1))
    new.is_judged = False
    new.parent, new.token, new.child, new.slot, new.merged = parent, token, 0, -1, 0
    new.sibling = old.child
    old.child = child
    return child


@compiled
def tokens_of(nodes: Record, node: int) -> np.ndarray:
    """The tokens of a prefix."""
    length, place = 0, node
    while place != 0:
        length, place = length + 1, nodes[place].parent
    tokens = np.empty(length, np.int64)
    while node != 0:
        length -= 1
        tokens[length] = nodes[node].token
        node = nodes[node].parent
    return tokens


@compiled
def compact(nodes: Record, count: int, alive: np.ndarray) -> int:
    """Forget all of `count` nodes but those that lead to one of `alive`, which gets their new numbers.

    What is left keeps its order; returns how many these are.
    """
    is_needed = np.zeros(count, np.bool_)
    is_needed[0] = True
    for youngest in alive:
        node = youngest
        while not is_needed[node]:
            is_needed[node] = True
            node = nodes[node].parent
    moved = np.zeros(count, np.int32)
    kept = 0
    for node in range(count):
        if is_needed[node]:
            moved[node] = kept
            nodes[kept] = nodes[node]
            nodes[kept].child = nodes[kept].sibling = 0
            if kept > 0:
                parent = moved[nodes[kept].parent]
                nodes[kept].parent, nodes[kept].sibling = parent, nodes[parent].child
                nodes[parent].child = kept
            kept += 1
    alive[:] = moved[alive]
    return kept
