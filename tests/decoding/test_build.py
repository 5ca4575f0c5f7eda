"""The decoder built from a model's settings and the user's options, and its output."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asr
from asr.decoding import build
from asr.decoding.greedy import GreedySearch
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError, ModelError
from asr.lm import packed
from asr.models.decoding_settings import Settings
from asr.models.description import AcousticDescription
from asr.text import CharTokenizer

PLAIN = AcousticDescription(name="toy", tokenizer=CharTokenizer(" abr"), sample_rate=8000, frame_shift_s=0.04)


@pytest.fixture
def arpa_file(tmp_path: Path) -> Path:
    """A unigram model in which `bra` is likely and `abra` is rare."""
    path = tmp_path / "lm.arpa"
    rows = ["-99 <s>", "-1 </s>", "-3 <unk>", "-0.1 bra", "-4 abra"]
    path.write_text("\n".join(["\\data\\", "ngram 1=5", "", "\\1-grams:", *rows, "", "\\end\\", ""]).replace(" ", "\t"))
    path.write_text(path.read_text().replace("ngram\t", "ngram "))
    return path


def spelled(text: str, sure: float = 0.9) -> np.ndarray:
    """Log-probs in which each letter of the text is likely for one frame, with blanks between them."""
    tokens = PLAIN.tokenizer.encode(text)
    rows = np.full((2 * len(tokens) + 1, 5), 0.02)
    for place, token in enumerate(tokens):
        rows[2 * place + 1, token] = sure
    rows[::2, 0] = sure
    return np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def text(decoder: build.Decoder, rows: np.ndarray) -> str:
    return PLAIN.tokenizer.decode([token.number for token in decoder(rows, PLAIN.tokenizer)])


def test_an_untuned_model_is_decoded_greedily() -> None:
    decoder = build.make(PLAIN)
    assert decoder.search == GreedySearch()
    assert (decoder.about, decoder.remark) == ("greedy (best path), no language model", "")


def test_a_language_model_changes_the_text_and_the_user_is_warned_that_it_is_untuned(arpa_file: Path) -> None:
    rows = spelled("abra")
    rows[1] = np.log([0.39, 0.01, 0.40, 0.1, 0.1])  # an `a` or nothing
    assert text(build.make(PLAIN), rows) == "abra"
    decoder = build.make(PLAIN, DecodingOptions(lm=arpa_file))
    assert text(decoder, rows) == "bra"
    assert "tune" in decoder.remark
    assert "lm.arpa (1-gram, weight 0.5, word bonus 1)" in decoder.about


def test_a_language_model_inside_the_model_is_used_unless_disabled(arpa_file: Path) -> None:
    ngram = packed.load(arpa_file)
    own = base64.b64encode(packed.dumps(ngram)).decode()
    tuned = replace(PLAIN, decoding=Settings(beam=9, lm_size=tuple(ngram.counts)), language_model=own)
    rows = spelled("abra")
    rows[1] = np.log([0.39, 0.01, 0.40, 0.1, 0.1])
    decoder = build.make(tuned)
    assert (text(decoder, rows), decoder.remark) == ("bra", "")
    assert "beam search of 9 prefixes" in decoder.about
    assert text(build.make(tuned, DecodingOptions(no_lm=True)), rows) == "abra"
    assert text(build.make(tuned, DecodingOptions(beam=0)), rows) == "abra"
    with pytest.raises(ModelError, match="inside the model 'toy' is a damaged"):
        build.make(replace(tuned, language_model=own[:-40]))
    with pytest.raises(ModelError, match="inside the model 'toy' is damaged"):
        build.make(replace(tuned, language_model=own[:-1]))


def test_a_hot_word_wins_over_a_slightly_likelier_text() -> None:
    rows = spelled("abra ra")
    rows[9] = np.log([0.04, 0.04, 0.04, 0.3, 0.58])  # of the second word's first frames: r, or perhaps b
    assert text(build.make(PLAIN), rows) == "abrarra"
    assert text(build.make(PLAIN, DecodingOptions(hot_words={"abrabra": 12.0})), rows) == "abrabra"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0, "hot_words": {"bar": 1.0}}, "Greedy decoding"),
        ({"lm": Path("lm.arpa"), "no_lm": True}, "cannot be both given"),
        ({"hot_words": {"queue": 1.0}}, "'queue' cannot be written in the model's alphabet"),
        ({"lm": Path("nowhere.arpa")}, "nowhere.arpa"),
    ],
)
def test_contradictory_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AsrError, match=message):
        build.make(PLAIN, DecodingOptions(**options))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"beam": -1}, r"beam width \(=-1\) must be 0 or more"),
        ({"min_confidence": 7}, r"\(=7\) must be between 0 and 1"),
        ({"threads": -2}, "threads is -2"),
    ],
)
def test_numbers_out_of_range_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(AsrError, match=message):
        asr.load("an4", **option)
