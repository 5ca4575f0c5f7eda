"""Perplexity computed by hand, as a sum over sentences, and compared with a reference implementation."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from asr.errors import DataError
from asr.lm import packed
from asr.lm.estimation.train_ngram import train
from asr.lm.ngram import Ngram
from asr.lm.perplexity import Part, measure, measure_speller
from asr.lm.trie import Level, build
from asr.text import CharTokenizer

REFERENCES = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "kn-check"


@pytest.fixture
def unigrams() -> Ngram:
    """<unk> 1/32, </s> 1/4, zwei 1/2, b 1/8."""
    log_prob = np.log(np.array([1 / 32, 1, 1 / 4, 1 / 2, 1 / 8], np.float32))
    level = Level(np.arange(5, dtype=np.int32)[:, None], log_prob, np.zeros(5, np.float32))
    return Ngram(1, ["<unk>", "<s>", "</s>", "zwei", "b"], build([level]))


def test_by_hand(unigrams: Ngram, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("zwei b\n\nzwei öde\n", encoding="utf-8")
    result = measure(unigrams, [tmp_path / "text"])
    assert (result.sentences, result.words, result.unknown) == (2, 4, 1)
    assert (result.all.tokens, result.known.tokens) == (6, 5)
    assert (result.all.characters, result.known.characters) == (len("zwei b\nzwei öde\n"), len("zwei b\nzwei \n") - 1)
    bits = 1 + 3 + 2 + 1 + 5 + 2
    assert result.all.bits_per_word == pytest.approx(bits / 6)
    assert result.known.bits_per_word == pytest.approx((bits - 5) / 5)
    assert result.all.perplexity == pytest.approx(2 ** (bits / 6))
    assert result.all.bits_per_character == pytest.approx(bits / 16)
    assert result.known.bits_per_character == pytest.approx((bits - 5) / 12)


def test_normalised_text(unigrams: Ngram, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("ZWEI, b!\n...\n")
    result = measure(unigrams, [tmp_path / "text"], normalised=True)
    assert (result.sentences, result.words, result.unknown) == (1, 2, 0)
    assert result.all.characters == len("zwei b\n")


def test_a_text_without_words(unigrams: Ngram, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("\n")
    with pytest.raises(
        DataError, match=r"text: there are no words to evaluate; give text with one sentence per line\."
    ):
        measure(unigrams, [tmp_path / "text"])


def test_context_matters_and_sentences_are_independent(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("a b c\nb c\nc c a\na\nd a b\n" * 3)
    train([text], tmp_path / "lm.arpa", order=3)
    model = packed.load(tmp_path / "lm.arpa")
    total = 0.0
    for sentence in text.read_text().splitlines():
        state = model.start()
        for word in sentence.split():
            log_prob, state = model.advance(state, word)
            total += log_prob
        total += model.finish(state)
    assert measure(model, [text]).all.log_prob == pytest.approx(total)
    assert measure(model, [text, text]).all.log_prob == pytest.approx(2 * total)


@pytest.mark.skipif(not REFERENCES.exists(), reason="needs the reference models in ../shared/data/text/kn-check")
@pytest.mark.parametrize(
    ("name", "all_words", "known_words"),
    [
        ("o3", 493.4860410168006, 323.4906840408078),
        ("o4", 490.43789260043286, 321.48971052365135),
        ("o3p011", 541.9378765889726, 361.3491835783233),
    ],
)
def test_dev_perplexity_of_the_references(name: str, all_words: float, known_words: float) -> None:
    result = measure(packed.load(REFERENCES / f"{name}.arpa.xz"), [REFERENCES.parent / "dev.txt"])
    assert (result.all.tokens, result.unknown) == (276_708, 16_648)
    assert result.all.perplexity == pytest.approx(all_words, rel=1e-5)
    assert result.known.perplexity == pytest.approx(known_words, rel=1e-5)
    assert math.log2(result.known.perplexity) == pytest.approx(result.known.bits_per_word)


class Uniform:
    """A language model that gives every character, and the end, the same probability."""

    def score(self, texts: Sequence[str]) -> list[float]:
        return [-(len(text) + 1) * math.log(8) for text in texts]


def test_a_token_model_is_scored_on_every_character(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Ab ba!\n\nzebra\nb\n")
    result = measure_speller(Uniform(), CharTokenizer(" ab"), [tmp_path / "text"])
    assert (result.sentences, result.words, result.left_out) == (2, 3, 1)
    assert result.all.characters == len("ab ba\nb\n")
    assert result.all.bits_per_character == pytest.approx(3)
    assert result.all.bits_per_word == pytest.approx(3 * 8 / 5)


def test_a_token_model_without_a_sentence_in_its_alphabet(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("zebra\n")
    with pytest.raises(DataError, match="no sentence in the model's alphabet, ' ab'"):
        measure_speller(Uniform(), CharTokenizer(" ab"), [tmp_path / "text"])


def test_a_text_without_a_known_word(unigrams: Ngram, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("ZWEI B\n")
    with pytest.raises(
        DataError, match=r"none of the 2 words, such as 'ZWEI'; give text normalised like the training text, or --norm"
    ):
        measure(unigrams, [tmp_path / "text"])


def test_a_text_that_a_model_excludes_has_an_infinite_perplexity() -> None:
    assert Part(1, 1, -1000.0).perplexity == math.inf
