"""Hot words and phrases: an automaton over letters that finds them in a text (Aho and Corasick 1975), and their boosts.

A phrase is spelled with a letter of its own between its words, `between`. Unlike in the original automaton, a text that
leaves a phrase may only be in another one that began where a word did.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from asr.decoding.beam import lexicon
from asr.errors import AsrError
from asr.text import Tokenizer

BETWEEN = "\U0010ffff"
"""Stands between the words of a phrase; sorts after every letter, whose numbers stay as they are."""


class HotWords(NamedTuple):
    """The automaton, with N nodes: the trie of the phrases, a single word being the shortest of them."""

    trie: lexicon.Lexicon
    between: int
    """The letter between two words."""
    fallback: np.ndarray
    """Where a text continues that cannot in a node: the longest phrase begun at a later word; else -1. Shape: (N,)"""
    boost: np.ndarray
    """The boosts of all phrases that end in each node. Shape: (N,)"""
    partial_boost: np.ndarray
    """The share of its boost granted to the letters so far of a phrase. Shape: (N,)"""
    is_hot: np.ndarray
    """Whether a word that ends in a node belongs to a phrase. Shape: (N,)"""


def build(tokenizer: Tokenizer, boosts: Mapping[str, float]) -> HotWords:
    """Build the automaton of phrases and their boosts.

    Raises:
        AsrError: a phrase cannot be written in the model's alphabet, or a boost is not finite.
    """
    alphabet = "".join(sorted({*tokenizer.alphabet} - {BETWEEN}))
    phrases = []
    for phrase in boosts:
        words = tokenizer.normalise(phrase).split()
        if not words or set("".join(words)) - (set(alphabet) - {" "}):
            raise AsrError(
                f"The hot word {phrase!r} cannot be written in the model's alphabet {tokenizer.alphabet!r}: spell it "
                "as it is spoken."
            )
        phrases.append(BETWEEN.join(words))
    values = np.array([*boosts.values(), 0.0])
    if not np.isfinite(values).all():
        raise AsrError("A hot word's boost must be a finite number.")

    trie, between = lexicon.build(phrases, alphabet + BETWEEN), len(alphabet)
    texts = _texts(trie, alphabet + BETWEEN)
    nodes = {text: node for node, text in enumerate(texts)}
    fallback = np.full(len(texts), -1, np.int32)
    own = np.where(trie.word >= 0, values[trie.word], 0.0)
    boost, is_hot = own.copy(), trie.word >= 0
    for node, text in enumerate(texts):  # of fewer letters first
        is_hot[node] |= text + BETWEEN in nodes
        words = text.split(BETWEEN)
        later = (BETWEEN.join(words[skipped:]) for skipped in range(1, len(words)))
        fallback[node] = next((nodes[text] for text in later if text in nodes), -1)
        if fallback[node] >= 0:
            boost[node] += boost[fallback[node]]
            is_hot[node] |= is_hot[fallback[node]]
    depth = np.array([len(text) for text in texts])
    share = np.where(trie.word >= 0, own / np.maximum(depth, 1), -np.inf)
    partial_boost = depth * np.where(len(phrases), lexicon.best_below(trie, share), 0.0)
    return HotWords(trie, between, fallback, boost, partial_boost, is_hot)


def _texts(trie: lexicon.Lexicon, alphabet: str) -> list[str]:
    """The letters that lead to each node."""
    texts = [""]
    for node, letters in enumerate(trie.letters.tolist()):  # nodes are in breadth-first order
        text = texts[node]
        texts += [text + letter for at, letter in enumerate(alphabet) if letters[at // 64] >> (at % 64) & 1]
    return texts
