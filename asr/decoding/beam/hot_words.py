"""Hot words and phrases: an automaton over letters that finds them in a text (Aho and Corasick 1975), and their boosts.

Each word of a phrase ends with a letter of its own. Unlike in the original automaton, a text that leaves a phrase may
only be in another one that began where a word did. In a search over phones the letters are phones, and each word has
another letter at its end than those that may sound like it.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from asr.decoding.beam import lexicon
from asr.errors import AsrError
from asr.text import Tokenizer

FIRST_END = 0x100000
"""Code point of the first letter that ends a word; these sort after those of all scripts, whose numbers stay as they
are."""
MAX_PRONUNCIATIONS = 8
"""Ways to say a phrase that a search over phones listens for."""


class HotWords(NamedTuple):
    """The automaton, with N nodes: the trie of the phrases, a single word being the shortest of them."""

    trie: lexicon.Lexicon
    ends: np.ndarray
    """The letter that ends each word of the vocabulary in a search over phones, -1 for words in no phrase; else one for
    all. Shape: (words,) or (1,)"""
    fallback: np.ndarray
    """Where a text continues that cannot in a node: the longest phrase begun at a later word; else -1. Shape: (N,)"""
    boost: np.ndarray
    """The boosts of all phrases that end in each node. Shape: (N,)"""
    resume: np.ndarray
    """Where the next word begins after each node that ends one. Shape: (N,)"""
    partial_boost: np.ndarray
    """The share of its boost granted to the letters so far of a phrase. Shape: (N,)"""


def phrases(tokenizer: Tokenizer, boosts: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    """The words of each phrase, as the tokenizer normalises them, and its boost.

    Raises:
        AsrError: a phrase cannot be written in the model's alphabet, or a boost is not finite.
    """
    found = {}
    for phrase, boost in boosts.items():
        words = tuple(tokenizer.normalise(phrase).split())
        if not words or set("".join(words)) - (set(tokenizer.alphabet) - {" "}):
            raise AsrError(
                f"The hot word {phrase!r} cannot be written in the model's alphabet {tokenizer.alphabet!r}: spell it "
                "as it is spoken."
            )
        found[words] = boost
    if not np.isfinite([*found.values(), 0.0]).all():
        raise AsrError("A hot word's boost must be a finite number.")
    return found


def spelled(tokenizer: Tokenizer, boosts: Mapping[tuple[str, ...], float]) -> HotWords:
    """The automaton of phrases by their letters."""
    alphabet, end = "".join(sorted(tokenizer.alphabet)), chr(FIRST_END)
    texts = [("".join(word + end for word in words), boost) for words, boost in boosts.items()]
    return _build(alphabet, end, texts, np.array([len(alphabet)], np.int32), lowest_share=-np.inf)


def pronounced(
    alphabet: str,
    vocabulary: Sequence[str],
    boosts: Mapping[tuple[str, ...], float],
    sounds_of: Callable[[str], Sequence[str]],
) -> HotWords:
    """The automaton of phrases by their phones, in each of the first `MAX_PRONUNCIATIONS` ways to say them.

    Args:
        alphabet: the characters that stand for the phones, sorted.
        vocabulary: all words that can be found.
        boosts: words of each phrase -> its boost.
        sounds_of: a word -> its pronunciations in these characters.
    """
    hot = {word: sounds_of(word) for word in sorted({word for words in boosts for word in words})}
    numbers = _apart(hot)
    texts = [
        ("".join(sound + chr(FIRST_END + numbers[word]) for sound, word in zip(sounds, words, strict=True)), boost)
        for words, boost in boosts.items()
        for sounds in itertools.islice(itertools.product(*(hot[word] for word in words)), MAX_PRONUNCIATIONS)
    ]
    endings = "".join(chr(FIRST_END + number) for number in range(1 + max(numbers.values(), default=0)))
    ends = np.array([len(alphabet) + numbers[word] if word in numbers else -1 for word in vocabulary], np.int32)
    return _build(alphabet, endings, texts, ends, lowest_share=0.0)  # what sounds like a word pays no fine


def _apart(hot: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """A number for each word that differs from those of the words that may sound like it, as small as possible."""
    numbers: dict[str, int] = {}
    taken: dict[str, set[int]] = {}
    for word, sounds in hot.items():
        others = set[int]().union(*(taken.get(sound, ()) for sound in sounds))
        numbers[word] = next(number for number in itertools.count() if number not in others)
        for sound in sounds:
            taken.setdefault(sound, set()).add(numbers[word])
    return numbers


def _build(
    alphabet: str, endings: str, spellings: Sequence[tuple[str, float]], ends: np.ndarray, lowest_share: float
) -> HotWords:
    """Build the automaton of spellings, each with its boost, in sorted letters and those that end words."""
    values = np.array([*(boost for _, boost in spellings), 0.0])
    trie = lexicon.build([text for text, _ in spellings], alphabet + endings)
    texts = _texts(trie, alphabet + endings)
    nodes = {text: node for node, text in enumerate(texts)}
    boost = np.where(trie.word >= 0, values[trie.word], 0.0)
    share = np.full(len(texts), -np.inf)  # of a phrase's boost, for each of its letters but the last, which ends it
    for node in np.flatnonzero(trie.word >= 0).tolist():
        parent = int(trie.parent[node])
        share[parent] = max(share[parent], boost[node] / (len(texts[node]) - 1))
    fallback, resume = np.full(len(texts), -1, np.int32), np.zeros(len(texts), np.int32)
    for node, text in enumerate(texts):  # of fewer letters first
        later = (text[place:] for place in range(1, len(text) + 1) if text[place - 1] in endings)
        fallback[node] = next((nodes[text] for text in later if text in nodes), -1)
        if fallback[node] >= 0:
            boost[node] += boost[fallback[node]]
            resume[node] = node if trie.letters[node].any() else resume[fallback[node]]
    best = lexicon.best_below(trie, np.maximum(share, lowest_share))
    partial_boost = np.array([len(text) for text in texts]) * np.where(best > -np.inf, best, 0.0)
    return HotWords(trie, ends, fallback, boost, resume, partial_boost)


def _texts(trie: lexicon.Lexicon, alphabet: str) -> list[str]:
    """The letters that lead to each node."""
    texts = [""]
    for node, columns in enumerate(trie.letters.tolist()):  # nodes are in breadth-first order
        for column, letters in enumerate(columns):
            places = [bit for bit in range(letters.bit_length()) if letters >> bit & 1]
            texts += [texts[node] + alphabet[64 * column + bit] for bit in places]
    return texts
