"""Normalisation never drops spoken characters silently, and tokenizers round-trip text."""

import string
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asr.errors import DataError, ModelError
from asr.text import BLANK, CharTokenizer, SubwordTokenizer, normalise, tokenizer_from_json, train_subwords

ENGLISH = " '" + string.ascii_lowercase
SCRIPTS = [
    (0x61, 0x17F),  # Latin with accents
    (0x300, 0x36F),  # combining accents, which may compose with the letters
    (0x370, 0x3FF),  # Greek
    (0x400, 0x4FF),  # Cyrillic
    (0x5D0, 0x5EA),  # Hebrew
    (0x621, 0x6FF),  # Arabic
    (0x900, 0x97F),  # Devanagari
    (0x1100, 0x11FF),  # Hangul jamo, which compose to syllables
    (0x4E00, 0x4FFF),  # Chinese
    (0xAC00, 0xACFF),  # Hangul syllables
]


def is_valid_in_an_alphabet(character: str) -> bool:
    """Checks, independently of the code under test: composed, lower case, no white space, no second apostrophe."""
    lower = unicodedata.normalize("NFKC", character.lower())
    return (
        unicodedata.category(character) != "Cc"
        and lower == character
        and not character.isspace()
        and character not in "\u02bc\u02b9"
    )


characters = st.one_of(
    [st.characters(min_codepoint=a, max_codepoint=b).filter(is_valid_in_an_alphabet) for a, b in SCRIPTS]
)
alphabets = st.lists(characters, min_size=1, max_size=30, unique=True).flatmap(lambda cs: st.permutations([" ", *cs]))


@settings(deadline=None)
@given(alphabets, st.data())
def test_text_over_any_alphabet_round_trips_in_composed_form(alphabet: list[str], data: st.DataObject) -> None:
    tokenizer = CharTokenizer("".join(alphabet))
    text = "".join(data.draw(st.lists(st.sampled_from(alphabet), max_size=40)))
    expected = " ".join(unicodedata.normalize("NFKC", text).split())
    if set(expected) <= set(alphabet):
        assert tokenizer.decode(tokenizer.encode(text)) == expected
    else:  # two characters of the alphabet composed to a third one outside it
        with pytest.raises(DataError, match="outside the alphabet"):
            tokenizer.encode(text)


@pytest.mark.parametrize(
    ("alphabet", "text", "normalised"),
    [
        (ENGLISH, "Don’t STOP, Mr. O’Neill!", "don't stop mr o'neill"),
        (" άέήαδεηικλμοσςυ", "ΟΔΥΣΣΕΥΣ, καλημε\u0301ρα".replace("ρ", "λ"), "οδυσσευς καλημέλα"),
        (" तनमसेद्ुिया", "नमस्ते, दुनिया।", "नमस्ते दुनिया"),
        (" 你好世界", "你好，世界。", "你好 世界"),
        (" 가나다", unicodedata.normalize("NFD", "가나 다"), "가나 다"),
        (" 'efil", "ﬁle ＦＩＬＥ", "file file"),
    ],
)
def test_other_scripts_and_unicode_forms_are_normalised(alphabet: str, text: str, normalised: str) -> None:
    tokenizer = CharTokenizer(alphabet)
    assert tokenizer.normalise(text) == normalised
    assert tokenizer.decode(tokenizer.encode(text)) == normalised


@settings(deadline=None)
@given(st.text())
def test_normalisation_is_idempotent(text: str) -> None:
    once = normalise(text, ENGLISH)
    assert normalise(once, ENGLISH) == once
    assert once == " ".join(once.split())
    assert once.lower() == once


@settings(deadline=None)
@given(st.text(st.sampled_from(string.ascii_letters + string.digits + " éßñ中ш"), max_size=30))
def test_no_letter_or_digit_is_dropped(text: str) -> None:
    spoken = [c for c in unicodedata.normalize("NFKC", text.lower()) if c != " "]
    assert [c for c in normalise(text, " ab") if c != " "] == spoken


@pytest.mark.parametrize("apostrophe", ["'", "‘", "’", "ʼ", "ʹ", "′", "`", "\u00b4", "＇"])
def test_every_apostrophe_becomes_the_ascii_one_or_is_removed(apostrophe: str) -> None:
    assert normalise(f"don{apostrophe}t", ENGLISH) == "don't"
    assert normalise(f"don{apostrophe}t", " dnot") == "dont"


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"])
def test_zero_width_characters_are_removed_unless_in_the_alphabet(invisible: str) -> None:
    assert normalise(f"co{invisible}-op{invisible}erate", ENGLISH) == "co operate"
    assert normalise(f"co{invisible}op", ENGLISH + invisible) == f"co{invisible}op"


def test_punctuation_separates_words_unless_in_the_alphabet() -> None:
    assert normalise("well-known\tfact\u00a0— yes…", ENGLISH) == "well known fact yes"
    assert normalise("well-known fact", ENGLISH + "-") == "well-known fact"
    assert normalise("50 € + 3 %", ENGLISH) == "50 3"
    assert normalise(" .,! ", ENGLISH) == ""


def test_the_blank_is_0_and_stands_for_no_character() -> None:
    tokenizer = CharTokenizer(ENGLISH)
    assert BLANK == 0
    assert tokenizer.size == 29
    assert tokenizer.encode("a'bcdefghijklmnopqrstuvwxyz") == [3, 2, *range(4, 29)]
    assert tokenizer.encode("a a") == [3, 1, 3]
    assert tokenizer.decode([0, 3, 0, 0, 1, 3, 0]) == "a a"
    assert tokenizer.encode("") == []


def test_digits_and_foreign_letters_are_each_named_once() -> None:
    with pytest.raises(DataError) as caught:
        CharTokenizer(ENGLISH).encode("Room 1001, café")
    message = str(caught.value)
    assert "'0' (U+0030), '1' (U+0031), 'é' (U+00E9), outside" in message
    assert "'room 1001 café'" in message
    assert "spell it out" in message


@settings(deadline=None)
@given(st.text(st.sampled_from(" ab"), max_size=30))
def test_words_match_str_split(text: str) -> None:
    tokenizer = CharTokenizer("a b")
    tokens = ["a b".index(c) + 1 for c in text]
    spans = tokenizer.words(tokens)
    assert [text[first:last] for first, last in spans] == text.split()
    assert [tokenizer.decode(tokens[first:last]) for first, last in spans] == text.split()
    assert spans == sorted(spans)


@settings(deadline=None)
@given(st.text(st.sampled_from(string.ascii_lowercase), min_size=1, max_size=6), st.data())
def test_a_repeated_character_is_refused(letters: str, data: st.DataObject) -> None:
    repeated = data.draw(st.sampled_from(letters))
    assume(len(set(letters)) == len(letters))
    with pytest.raises(DataError, match=rf"contains '{repeated}' \(U\+{ord(repeated):04X}\) more than once"):
        CharTokenizer(f" {letters}{repeated}")


def test_an_alphabet_without_the_space_is_refused() -> None:
    with pytest.raises(DataError, match="'abc' lacks the space"):
        CharTokenizer("abc")


@pytest.mark.parametrize("character", ["A", "’", "ﬁ", "\u00a0", "\t", "\n", "\u0958", "Σ", "İ"])
def test_an_alphabet_that_could_never_match_is_refused(character: str) -> None:
    with pytest.raises(DataError, match=rf"\(U\+{ord(character):04X}\), which normalised text never does"):
        CharTokenizer(f" b{character}")


@settings(deadline=None)
@given(alphabets)
def test_a_tokenizer_round_trips_through_json(alphabet: list[str]) -> None:
    tokenizer = CharTokenizer("".join(alphabet))
    assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="of type 'unigram', but this version of asr only knows 'characters'"):
        tokenizer_from_json('{"type": "unigram", "units": []}')


# Sub-words

SPOKEN = ["the cat sat on the mat", "a dog ate the cat's food", "don't let the fat cat sit on the mat", "feed it"] * 5
LETTERS = "".join(sorted({letter for text in SPOKEN for letter in text if letter != " "}))


@pytest.fixture(scope="module")
def subwords() -> SubwordTokenizer:
    return train_subwords([text.upper() + "!" for text in SPOKEN], ENGLISH, 25)


known_words = st.text(st.sampled_from(LETTERS), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(known_words, min_size=1, max_size=6).map(" ".join).map(lambda text: normalise(text, ENGLISH)))
def test_text_round_trips_through_subwords(subwords: SubwordTokenizer, text: str) -> None:
    tokens = subwords.encode(text.upper())
    assert subwords.decode(tokens) == text
    assert all(0 < token < subwords.size for token in tokens)
    assert [subwords.decode(tokens[first:last]) for first, last in subwords.words(tokens)] == text.split()


def test_the_requested_number_of_subwords_shortens_the_text(subwords: SubwordTokenizer) -> None:
    assert subwords.size == 25
    assert len(set(subwords.pieces)) == 24
    assert len(subwords.encode(SPOKEN[0])) < len(SPOKEN[0]) / 1.3


@settings(deadline=None)
@given(st.data())
def test_words_of_any_subword_sequence_are_those_of_its_text(subwords: SubwordTokenizer, data: st.DataObject) -> None:
    tokens = data.draw(st.lists(st.integers(1, subwords.size - 1), min_size=1, max_size=12))
    spans = subwords.words(tokens)
    assert [subwords.decode(tokens[first:last]).strip() for first, last in spans] == subwords.decode(tokens).split()
    blanks_between = [0, *(n for token in tokens for n in (token, 0))]
    assert subwords.decode(blanks_between) == subwords.decode(tokens)


def test_no_subwords_are_no_words(subwords: SubwordTokenizer) -> None:
    assert subwords.encode("") == []
    assert subwords.words([]) == []
    assert subwords.decode([]) == ""


def test_subwords_round_trip_through_json(subwords: SubwordTokenizer) -> None:
    restored = tokenizer_from_json(subwords.to_json())
    assert restored == subwords
    assert restored.encode(SPOKEN[1]) == subwords.encode(SPOKEN[1])


def test_subwords_name_characters_outside_the_alphabet(subwords: SubwordTokenizer) -> None:
    with pytest.raises(DataError, match=r"contains '9' \(U\+0039\), outside the alphabet"):
        subwords.encode("9 cats")
    with pytest.raises(DataError, match=r"contains 'é' \(U\+00E9\), outside the alphabet"):
        train_subwords(["café"], ENGLISH, 10)


def test_a_letter_unseen_in_training_is_refused_and_not_encoded_as_the_blank(subwords: SubwordTokenizer) -> None:
    assert "z" in ENGLISH
    with pytest.raises(DataError, match=r"'the zebra' contains a character that no training transcript contained"):
        subwords.encode("The zebra!")


def test_more_subwords_than_the_texts_support_are_refused() -> None:
    with pytest.raises(DataError, match=r"Cannot train `text\.subwords` \(=4000\) tokens on .*value <= \d+"):
        train_subwords(SPOKEN, ENGLISH, 4000)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("\u2018The captain,\u2019 of the \u2018man\u2019 of few", "the captain of the man of few"),
        ("'The captain' of the 'man' of few", "the captain of the man of few"),
        ("' alone ' and '' two", "alone and two"),
        ("'Tis the boys' room, 'twas o'clock", "'tis the boys' room 'twas o'clock"),
        ("\u2019Tis the boys\u2019 room", "'tis the boys' room"),
        ("he said 'the boys' and left", "he said the boys and left"),
        ("rock 'n' roll, goin' t' town wi' \u02bcem", "rock 'n' roll goin' t town wi' 'em"),
        ("don\u2019t\u00a0stop so\u00adft cafe\u0301", "don't stop soft caf\u00e9"),
        ("\u2018\u2019Tis mine,\u2019 he said", "'tis mine he said"),
    ],
)
def test_quotation_marks_are_not_apostrophes(written: str, expected: str) -> None:
    once = normalise(written, ENGLISH)
    assert once == expected
    assert normalise(once, ENGLISH) == once
