"""The lexicon of a list of words, and its form in model files."""

import lzma
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.pronunciation import lexicon
from asr.pronunciation.dictionary import Dictionary, Phones
from asr.pronunciation.letters_to_sounds import train
from asr.pronunciation.lexicon import Lexicon

DICTIONARY = Dictionary(
    {
        "the": (("DH", "AH"), ("DH", "IY")),
        "cat": (("K", "AE", "T"),),
        "dog": (("D", "AO", "G"),),
        "judge": (("JH", "AH", "JH"),),
        "zoo": (("Z", "UW"),),
        "zoo's": (("Z", "UW", "Z", "Z"),),
        "house": (("HH", "AW", "S"), ("HH", "AW", "Z")),
    }
)

NAMES = st.text(st.characters(exclude_characters=" \n", exclude_categories=["Cs"]), min_size=1, max_size=6)


@st.composite
def lexicons(draw: st.DrawFn) -> Lexicon:
    phones = draw(st.lists(NAMES, min_size=1, max_size=60, unique=True))
    pronunciation = st.lists(st.sampled_from(phones), min_size=1, max_size=8).map(tuple)
    variants = st.lists(pronunciation, min_size=1, max_size=3, unique=True).map(tuple)
    words: Mapping[str, tuple[Phones, ...]] = draw(st.dictionaries(NAMES, variants, max_size=8))
    return Lexicon(tuple(sorted(phones)), words)


SAMPLE = Lexicon(("A", "B"), {"ab": (("A", "B"), ("B",)), "b": (("B",),)})


def test_words_are_taken_from_the_dictionary_with_all_alternatives() -> None:
    made = Lexicon.of_words(["The", "cat", "cow", "42"], DICTIONARY)
    assert made.words == {"The": (("DH", "AH"), ("DH", "IY")), "cat": (("K", "AE", "T"),)}
    assert made.phones == DICTIONARY.phones


def test_possessives_end_by_rule() -> None:
    words = ["cat's", "dog's", "judge's", "zoo's", "house's", "cow's", "'s"]
    assert Lexicon.of_words(words, DICTIONARY).words == {
        "cat's": (("K", "AE", "T", "S"),),
        "dog's": (("D", "AO", "G", "Z"),),
        "judge's": (("JH", "AH", "JH", "AH", "Z"),),
        "zoo's": (("Z", "UW", "Z", "Z"),),  # the dictionary comes first
        "house's": (("HH", "AW", "S", "AH", "Z"), ("HH", "AW", "Z", "AH", "Z")),
    }
    other = Dictionary({"chat": (("sh", "a"),)})
    assert Lexicon.of_words(["chat's"], other).words == {}


def test_other_words_are_converted() -> None:
    converter = train({"no": (("n", "o"),), "on": (("o", "n"),), "non": (("n", "o", "n"),)})
    made = Lexicon.of_words(["dog", "noon", "no-", "now"], DICTIONARY, converter)
    assert made.words.keys() == {"dog", "noon"}
    assert made.words["noon"] == (converter.pronounce("noon"),)
    assert set(made.phones) == {*DICTIONARY.phones, *made.words["noon"][0]}


@given(lexicons())
def test_what_is_written_is_read(written: Lexicon) -> None:
    data = written.to_bytes()
    read = Lexicon.from_bytes(data)
    assert read == written
    assert read.to_bytes() == data


def test_an_empty_lexicon_is_read() -> None:
    empty = Lexicon((), {})
    assert Lexicon.from_bytes(empty.to_bytes()) == empty


@given(lexicons(), st.data())
def test_damage_is_an_error(written: Lexicon, data: st.DataObject) -> None:
    content = bytearray(written.to_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ModelError, match="The pronunciations in the model are damaged"):
        Lexicon.from_bytes(bytes(content))


def test_incomplete_data_and_other_data_are_an_error() -> None:
    content = SAMPLE.to_bytes()
    for length in range(len(content)):
        with pytest.raises(ModelError, match="damaged"):
            Lexicon.from_bytes(content[:length])
    with pytest.raises(ModelError, match="followed by other data"):
        Lexicon.from_bytes(content + b"x")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 lines instead of 3"),
        ("A B\nab b\n01/1 1\n", "4 lines instead of 3"),
        ("B A\nab b\n01/1 1", "its phones are not sorted"),
        ("A A\nab b\n01/1 1", "its phones are not sorted"),
        ("A B\nb ab\n1 1", "its words are not sorted"),
        ("A B\nab ab\n1 1", "its words are not sorted"),
        ("A B\n b\n1 1", "its words are not sorted"),
        ("A B\nab b\n01/1", "1 pronunciations of 2 words"),
        ("A B\nab b\n01/1 ", "a word has no phones"),
        ("A B\nab b\n01/ 1", "a word has no phones"),
        ("A B\nab b\n/01 1", "a word has no phones"),
        ("A B\nab b\n01/2 1", "an unknown phone"),
    ],
)
def test_text_in_another_form_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        Lexicon.from_bytes(lzma.compress(text.encode()))


def test_text_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(ModelError, match="damaged"):
        Lexicon.from_bytes(lzma.compress(b"A\na\xff\n0"))


def test_unpacking_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"[Mm]emory"):
        Lexicon.from_bytes(lzma.compress(b"A\na\n0", preset=9))
    monkeypatch.setattr(lexicon, "MAX_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(ModelError, match="more than 1 MiB"):
        Lexicon.from_bytes(lzma.compress(bytes(1 << 22)))
