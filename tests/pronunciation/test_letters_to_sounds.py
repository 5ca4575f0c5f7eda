"""Grapheme-to-phoneme conversion of a toy language whose spelling follows rules."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from asr.errors import DataError
from asr.lm import packed
from asr.pronunciation import letters_to_sounds
from asr.pronunciation.dictionary import Phones
from asr.pronunciation.letters_to_sounds import Converter, train

ONSETS, VOWELS = ["b", "c", "d", "s", "sh", "k", "x", "ñ"], ["a", "e", "i", "o"]


def spoken(word: str) -> Phones:
    """C is soft before E and I, SH is one sound, X is two, and E at the end of a word is silent."""
    phones: list[str] = []
    for index, letter in enumerate(word):
        following, before = word[index + 1 : index + 2], word[index - 1 : index]
        if letter == "c":
            phones.append("S" if following in ("e", "i") else "K")
        elif letter == "s":
            phones.append("SH" if following == "h" else "S")
        elif letter == "x":
            phones += ["K", "S"]
        elif not (letter == "h" and before == "s") and not (letter == "e" and not following):
            phones.append({"ñ": "NY"}.get(letter, letter.upper()))
    return tuple(phones)


def some_words(number: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    words = set[str]()
    while len(words) < number:
        syllables = random.integers(1, 4)
        words.add("".join(f"{random.choice(ONSETS)}{random.choice(VOWELS)}" for _ in range(syllables)))
    return sorted(words)


@pytest.fixture(scope="module")
def converter() -> Converter:
    words = some_words(250, seed=1)
    odd = {"b4": (("B", "F", "O"),), "ab": (("K",) * 5,)}
    return train({word: (spoken(word), ("B", "B")) for word in words} | odd)


def test_unseen_words_follow_the_rules(converter: Converter) -> None:
    unseen = set(some_words(200, seed=2)) - set(some_words(250, seed=1))
    assert len(unseen) > 80
    assert {word: converter.pronounce(word) for word in unseen} == {word: spoken(word) for word in unseen}


def test_words_without_known_letters_have_no_pronunciation(converter: Converter) -> None:
    assert converter.pronounce("bad") == ("B", "A", "D")
    for word in ("", "'", "baz", "b4", "BAD", "b d"):
        assert converter.pronounce(word) == ()


def test_the_best_graphones_are_those_of_an_exhaustive_search(
    converter: Converter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_to_sounds, "BEAM", 500)
    ngram = converter.ngram
    for word in ("cede", "shis", "hexe", "ssce"):
        candidates = [[g for g, (letter, _) in enumerate(converter.graphones) if letter == other] for other in word]
        scored = []
        for path in itertools.product(*candidates):
            phones = tuple(phone for g in path for phone in converter.graphones[g][1])
            scored.append((ngram.score([" ".join(ngram.words[g] for g in path)])[0], phones))
        best = max(score for score, _ in scored)
        assert converter.pronounce(word) in {phones for score, phones in scored if score >= best - 1e-9}


def test_the_ngram_model_alone_is_the_converter(converter: Converter, tmp_path: Path) -> None:
    packed.save(converter.ngram, tmp_path / "sounds.ngram")
    read = Converter.of_ngram(packed.load(tmp_path / "sounds.ngram"))
    assert list(read.graphones) == list(converter.graphones)
    assert [read.pronounce(word) for word in some_words(50, seed=3)] == [
        converter.pronounce(word) for word in some_words(50, seed=3)
    ]


def test_a_letter_may_be_the_mark_between_the_phones_of_a_graphone() -> None:
    trained = train({"col\u00b7la": (("K", "O", "L", "A"),), "cola": (("K", "O", "L", "A"),)})
    assert ("\u00b7", ()) in trained.graphones
    assert list(Converter.of_ngram(trained.ngram).graphones) == list(trained.graphones)


def test_training_is_deterministic(converter: Converter) -> None:
    again = train({word: (spoken(word),) for word in some_words(250, seed=1)})
    assert again.graphones == converter.graphones
    for one, other in zip(again.ngram.trie, converter.ngram.trie, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("words", [{}, {"a": (("A", "B", "C"),), "b2": (("B",),)}])
def test_a_dictionary_without_spelled_words_is_an_error(words: dict[str, tuple[Phones, ...]]) -> None:
    with pytest.raises(DataError, match=f"None of the {len(words)} words .* at most 2 phones per letter: give"):
        train(words)
