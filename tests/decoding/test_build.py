"""Which decoder comes of a model's settings and a user's wishes, and what it finds."""

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
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription
from asr.text import CharTokenizer

PLAIN = AcousticDescription(name="toy", tokenizer=CharTokenizer(" abr"), sample_rate=8000, frame_shift_s=0.04)


@pytest.fixture
def arpa_file(tmp_path: Path) -> Path:
    """Knows `bra` and hardly `abra`."""
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


def test_a_language_model_changes_the_text_and_the_user_hears_that_it_is_untuned(arpa_file: Path) -> None:
    rows = spelled("abra")
    rows[1] = np.log([0.39, 0.01, 0.40, 0.1, 0.1])  # an `a` or nothing
    assert text(build.make(PLAIN), rows) == "abra"
    decoder = build.make(PLAIN, DecodingOptions(lm=arpa_file))
    assert text(decoder, rows) == "bra"
    assert "tune" in decoder.remark
    assert "lm.arpa (1-gram, weight 0.5, bonus 1 a word)" in decoder.about


def test_a_language_model_inside_the_model_is_used_unless_forbidden(arpa_file: Path) -> None:
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


def test_a_hot_word_is_found_where_it_nearly_stands() -> None:
    rows = spelled("abra ra")
    rows[9] = np.log([0.04, 0.04, 0.04, 0.3, 0.58])  # of the second word's first frames: r, or perhaps b
    assert text(build.make(PLAIN), rows) == "abrarra"
    assert text(build.make(PLAIN, DecodingOptions(hot_words={"abrabra": 12.0})), rows) == "abrabra"


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"beam": 0, "hot_words": {"bar": 1.0}}, "Greedy decoding"),
        ({"lm": Path("lm.arpa"), "no_lm": True}, "given and forbidden"),
        ({"hot_words": {"queue": 1.0}}, "'queue' is not one word in the model's alphabet"),
        ({"lm": Path("nowhere.arpa")}, "nowhere.arpa"),
    ],
)
def test_wishes_that_cannot_be(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(AsrError, match=message):
        build.make(PLAIN, DecodingOptions(**wishes))


def test_settings_survive_the_file() -> None:
    settings = Settings(
        beam=7,
        lm_weight=0.75,
        word_bonus=-1.5,
        rescoring=Rescoring(weight=0.4, lm_weight=0.2, word_bonus=0.5),
        temperature=1.7,
        least_confidence=0.3,
        lm_size=(5, 4, 3),
        tuned={"dev_wer": {"greedy": 0.5}},
    )
    assert Settings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    "damaged",
    [
        {"beams": 3},
        {"beam": "x"},
        {"temperature": 0.0},
        {"least_confidence": 1.5},
        {"lm_weight": float("nan")},
        {"rescoring": {"weight": 1.0}},
    ],
)
def test_damaged_settings_are_told(damaged: dict[str, Any]) -> None:
    with pytest.raises(AsrError, match="the settings of the decoding are damaged"):
        Settings.from_dict(damaged)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"beam": -1}, "A beam of -1 prefixes"),
        ({"least_confidence": 7}, r"\(=7\) must be from 0 to 1"),
        ({"threads": -2}, "-2 threads"),
    ],
)
def test_numbers_out_of_range_are_refused(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(AsrError, match=message):
        asr.load("an4", **wish)


def test_another_channel_than_a_number_or_split_is_refused() -> None:
    with pytest.raises(AsrError, match="no channel 'both'"):
        asr.load("an4").transcribe(np.zeros(16_000, np.float32), channel="both")  # type: ignore[arg-type]


def test_samples_that_lie_on_their_side_are_refused() -> None:
    with pytest.raises(AsrError, match=r"\(2, 16000\) would have 16,000 channels"):
        asr.load("an4").transcribe(np.zeros((2, 16_000), np.float32))
