"""Grapheme-to-phoneme conversion with a joint n-gram model (Bisani and Ney 2008).

A graphone is a letter with its phones. The model is an n-gram model over the graphones of the words of a dictionary;
the pronunciation of another word is that of its most likely graphones.
"""

import functools
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.compiled import compiled
from asr.errors import DataError
from asr.lm import arpa
from asr.lm.estimation import train_ngram
from asr.lm.lookup import advance
from asr.lm.ngram import Ngram
from asr.lm.trie import Trie
from asr.pronunciation.alignment import MAX_PHONES, align
from asr.pronunciation.dictionary import Phones

ORDER = 6
"""Of the n-gram model."""
BEAM = 12
"""Hypotheses kept after each letter."""

Graphone = tuple[str, Phones]


@dataclass(frozen=True, eq=False)
class Converter:
    """Converts words to phones."""

    graphones: Sequence[Graphone]
    """Sorted."""
    ngram: Ngram
    """Its word number g names graphone g; the special words follow."""

    @classmethod
    def of_ngram(cls, ngram: Ngram) -> "Converter":
        """A converter from its n-gram model alone."""
        names = [str(word) for word in ngram.words if word[:1].isdigit()]
        return cls([_graphone(name) for name in names], ngram)

    @functools.cached_property
    def _letters(self) -> dict[str, tuple[int, int]]:
        """Letter -> its first graphone, and the one after its last."""
        letters = [letter for letter, _ in self.graphones]
        starts = [g for g, letter in enumerate(letters) if g == 0 or letters[g - 1] != letter]
        return {letters[first]: (first, end) for first, end in itertools.pairwise([*starts, len(letters)])}

    @functools.cached_property
    def _names(self) -> list[str]:
        return sorted({phone for _, phones in self.graphones for phone in phones})

    @functools.cached_property
    def _phones(self) -> np.ndarray:
        """The numbers of each graphone's phones, then -1. Shape: (G, MAX_PHONES)"""
        number = {name: index for index, name in enumerate(self._names)}
        table = np.full((len(self.graphones), MAX_PHONES), -1, np.int32)
        for row, (_, phones) in zip(table, self.graphones, strict=True):
            row[: len(phones)] = [number[phone] for phone in phones]
        return table

    def pronounce(self, word: str) -> Phones:
        """The phones of a word; empty if it has no letter, or a character unknown from training."""
        if not any(map(str.isalpha, word)) or not self._letters.keys() >= set(word):
            return ()
        candidates = np.array([self._letters[letter] for letter in word])
        phones = _search(self.ngram.trie, (self.ngram.start(), self.ngram.end), candidates, self._phones, BEAM)
        return tuple(self._names[phone] for phone in phones)


def train(dictionary: Mapping[str, tuple[Phones, ...]]) -> Converter:
    """Train on the first pronunciation of each word.

    Words with digits or more than two phones per letter are not spelled by their sounds and are skipped.

    Raises:
        DataError: no words are left.
    """
    entries = {
        word: variants[0]
        for word, variants in dictionary.items()
        if len(variants[0]) <= MAX_PHONES * len(word) and not any(map(str.isdigit, word))
    }
    alignments = align(list(entries), list(entries.values())) if entries else []
    words = [list(zip(word, phones, strict=True)) for word, phones in zip(entries, alignments, strict=True) if phones]
    graphones = sorted({graphone for word in words for graphone in word})
    if not graphones:
        raise DataError(
            f"None of the {len(dictionary):,} words of the dictionary has at most {MAX_PHONES} phones per letter: give "
            "a dictionary of words that are spelled by their sounds."
        )
    names = {graphone: _name(number, graphone) for number, graphone in enumerate(graphones)}
    with tempfile.TemporaryDirectory(prefix="asr-g2p-") as folder:
        text, model = Path(folder, "graphones.txt"), Path(folder, "graphones.arpa")
        with text.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(map(names.__getitem__, word)) + "\n" for word in words)
        train_ngram.train([text], model, order=ORDER)
        ngram = arpa.read(model)
    assert list(ngram.words[: len(names)]) == list(names.values()), "digits sort before the special words"
    return Converter(graphones, ngram)


def _name(number: int, graphone: Graphone) -> str:
    """A graphone as a word of the n-gram model; such words are sorted like the graphones. Neither has white space."""
    letter, phones = graphone
    return "\u00b7".join((f"{number:09}{letter}", *phones))


def _graphone(name: str) -> Graphone:
    return name[9], tuple(name[10:].split("\u00b7")[1:])


@compiled
def _search(trie: Trie, edges: tuple[int, int], candidates: np.ndarray, phones_of: np.ndarray, beam: int) -> np.ndarray:
    """Beam search over the graphones of a word; hypotheses with the same model state and phones are recombined.

    `edges`: the state at the beginning of a word, and the number of the word `</s>` that ends it.

    Shape: candidates (letters, 2): the first graphone of each letter and the one after its last; phones_of (G,
    MAX_PHONES) -> the best phones (P,)
    """
    start, end = edges
    size = len(candidates) * phones_of.shape[1]
    scores, states = np.zeros(beam), np.full(beam, start)
    phones, lengths, hypotheses = np.zeros((beam, size), np.int32), np.zeros(beam, np.int64), 1
    new_scores, new_states = np.zeros(beam), np.zeros(beam, np.int64)
    new_phones, new_lengths = np.zeros((beam, size), np.int32), np.zeros(beam, np.int64)
    extended = np.zeros(size + phones_of.shape[1], np.int32)
    for first, last in candidates:
        count = 0
        for h in range(hypotheses):
            extended[: lengths[h]] = phones[h, : lengths[h]]
            for graphone in range(first, last):
                log_prob, state = advance(trie, states[h], graphone)
                score = scores[h] + log_prob
                if count == beam and score <= new_scores[beam - 1]:
                    continue
                length = lengths[h]
                for phone in phones_of[graphone]:
                    if phone >= 0:
                        extended[length] = phone
                        length += 1
                place = 0
                while place < count and not (
                    new_states[place] == state
                    and new_lengths[place] == length
                    and (new_phones[place, :length] == extended[:length]).all()
                ):
                    place += 1
                if place == count:  # no hypothesis to recombine with: add one, or replace the worst
                    count = min(count + 1, beam)
                    place = count - 1
                elif score <= new_scores[place]:
                    continue
                while place > 0 and new_scores[place - 1] < score:  # keep them sorted
                    new_scores[place], new_states[place] = new_scores[place - 1], new_states[place - 1]
                    new_phones[place], new_lengths[place] = new_phones[place - 1], new_lengths[place - 1]
                    place -= 1
                new_scores[place], new_states[place], new_lengths[place] = score, state, length
                new_phones[place, :length] = extended[:length]
        scores, new_scores, states, new_states = new_scores, scores, new_states, states
        phones, new_phones, lengths, new_lengths = new_phones, phones, new_lengths, lengths
        hypotheses = count
    best, best_score = 0, -np.inf
    for h in range(hypotheses):
        score = scores[h] + advance(trie, states[h], end)[0]
        if score > best_score:
            best, best_score = h, score
    return phones[best, : lengths[best]].copy()
