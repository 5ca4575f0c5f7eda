"""Tree of the prefixes of a search, compiled with numba.

Equal prefixes share one node, so that no tokens are compared or hashed to find that two paths spell the same.
"""

import numpy as np

from asr.compiled import compiled, njit_noalloc
from asr.decoding.beam.rules import Record, Rules, extended, mixed, spell, word_at

NODE = np.dtype(
    [
        ("parent", np.int32),  # the prefix without its last token
        ("token", np.int32),  # the last token
        ("child", np.int32),  # the newest child; `sibling` links the others; 0: none
        ("sibling", np.int32),
        ("slot", np.int32),  # index in the beam; -1: not in it
        ("merged", np.int32),  # the last prefix recombined into this one: its index in `Beam.merges`; 0: none
        ("letters", np.int32),  # the unfinished word: node of the vocabulary, 0 before its first letter, -1 outside
        ("length", np.int32),  # its number of letters
        ("hot", np.int32),  # its node among the hot words
        ("state", np.int32),  # of the language model after the finished words
        ("text", np.uint64),  # a hash of the text; collisions among the few hypotheses compared are negligible
        ("settled", np.float64),  # score of the finished words
        ("pending", np.float64),  # provisional score of the unfinished word
        ("lm", np.float64),  # log-probability of the finished words
        ("scored_choice", np.int32),  # the homophone of the next three: the fields if the word ended here; -1: none
        ("next_state", np.int32),
        ("next_settled", np.float64),
        ("next_lm", np.float64),
    ]
)


@njit_noalloc
def child_of(rules: Rules, nodes: Record, counts: np.ndarray, parent: int, token: int) -> int:
    """The child of a node for a token; created, as node `counts[1]`, if it does not exist."""
    child = nodes[parent].child
    while child != 0:
        if nodes[child].token == token:
            return child
        child = nodes[child].sibling
    child = counts[1]
    counts[1] += 1
    old, new = nodes[parent], nodes[child]
    new.letters, new.length, new.hot, new.state, new.settled, new.pending = extended(rules, old, token)
    new.lm, new.text = old.lm, old.text
    if rules.spelling.ends_word[token]:
        new.lm = old.next_lm
        if rules.by_phones and old.letters != 0:
            new.text = mixed(new.text, np.uint64(word_at(rules, old.letters, rules.spelling.choice[token]) + 1))
    is_start = rules.spelling.ends_word[token] or old.letters == 0
    for position in range(rules.spelling.first[token], 0 if rules.by_phones else rules.spelling.first[token + 1]):
        if is_start:
            new.text = mixed(new.text, np.uint64(0))
            is_start = False
        new.text = mixed(new.text, np.uint64(rules.spelling.letters[position] + 1))
    new.scored_choice = -1
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
def words_of(rules: Rules, tokens: np.ndarray) -> np.ndarray:
    """The words that tokens of a head over phones end, by their numbers; an unfinished last one is not among them."""
    words, count, letters = np.empty(len(tokens), np.int64), 0, 0
    for token in tokens:
        if not rules.spelling.ends_word[token]:
            letters = spell(rules.vocabulary, letters, rules.spelling.letters[rules.spelling.first[token]])
        elif letters > 0:
            words[count] = word_at(rules, letters, rules.spelling.choice[token])
            count, letters = count + 1, 0
    return words[:count]


@compiled
def common_ancestor(nodes: Record, leaves: np.ndarray) -> int:
    """The longest prefix with which all `leaves` begin. Parents have smaller numbers than their children."""
    node = leaves[0]
    for leaf in leaves[1:]:
        other = leaf
        while node != other:
            if node > other:
                node = nodes[node].parent
            else:
                other = nodes[other].parent
    return node


@compiled
def descends(nodes: Record, leaves: np.ndarray, ancestor: int) -> np.ndarray:
    """Whether each of the `leaves` begins with the prefix `ancestor`."""
    result = np.zeros(len(leaves), np.bool_)
    for place in range(len(leaves)):
        node = leaves[place]
        while node > ancestor:
            node = nodes[node].parent
        result[place] = node == ancestor
    return result


@compiled
def compact(nodes: Record, count: int, alive: np.ndarray) -> int:
    """Remove all of `count` nodes except the `alive` ones, which are renumbered in place, and their ancestors.

    The remaining nodes keep their order; returns their number.
    """
    is_needed = np.zeros(count, np.bool_)
    is_needed[0] = True
    for leaf in alive:
        node = leaf
        while not is_needed[node]:
            is_needed[node] = True
            node = nodes[node].parent
    new_number = np.zeros(count, np.int32)
    num_kept = 0
    for node in range(count):
        if is_needed[node]:
            new_number[node] = num_kept
            nodes[num_kept] = nodes[node]
            nodes[num_kept].child = nodes[num_kept].sibling = 0
            if num_kept > 0:
                parent = new_number[nodes[num_kept].parent]
                nodes[num_kept].parent, nodes[num_kept].sibling = parent, nodes[parent].child
                nodes[parent].child = num_kept
            num_kept += 1
    alive[:] = new_number[alive]
    return num_kept
