"""The search over phones: compared with sums over all paths, for words that sound alike or in several ways."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest

from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch, without_prior
from asr.decoding.phone_search import AGREEMENT_SCALE, PhoneSearch, agreement
from asr.decoding.tokens_to_words import to_words
from asr.errors import AsrError
from asr.lm import arpa
from asr.lm.ngram import Ngram
from asr.lm.trie import Level, build
from asr.pronunciation.lexicon import Lexicon
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" eknotw")
LEXICON = Lexicon(
    ("N", "OW", "T"),
    {
        "no": (("N", "OW"),),
        "know": (("N", "OW"),),
        "one": (("OW", "N"), ("N",)),
        "two": (("T", "OW"),),
        "to": (("T",), ("T", "OW")),
        "too": (("T", "OW"),),
    },
)
ARPA = """\\data\\
ngram 1=9
ngram 2=4

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.3
-0.9\t</s>
-0.8\tknow\t-0.2
-0.6\tno\t-0.1
-1.1\tone
-0.5\tto\t-0.3
-1.2\ttoo
-0.7\ttwo

\\2-grams:
-0.2\t<s> know
-0.4\tno one
-0.1\tto know
-0.3\ttwo </s>

\\end\\
"""
EVERYTHING = BeamOptions(
    width=100_000,
    threshold=math.inf,
    tokens=100,
    token_threshold=-math.inf,
    recombine=False,
    lm_weight=0.7,
    word_bonus=0.4,
)
BLANK, BOUNDARY = 0, 1


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory) -> Ngram:
    path = tmp_path_factory.mktemp("lm") / "made-up.arpa"
    path.write_text(ARPA)
    return arpa.read(path)


def log_probs(frames: int, columns: int, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(frames, columns)) * 1.5
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def texts_of(tokens: list[int]) -> Iterator[str]:
    """All texts that tokens can stand for: words with a boundary between them, and perhaps one at the end."""
    groups: list[list[str]] = [[]]
    for token in tokens:
        if token == BOUNDARY:
            groups.append([])
        else:
            groups[-1].append(LEXICON.phones[token - 2])
    if groups[-1] == []:  # also of no token at all
        groups.pop()
    alike = [[word for word, spoken in LEXICON.words.items() if tuple(group) in spoken] for group in groups]
    yield from (" ".join(words) for words in itertools.product(*alike))


def all_texts(rows: np.ndarray) -> dict[str, float]:
    """Text -> natural-log probability, by enumerating every path."""
    totals: dict[str, float] = defaultdict(lambda: -math.inf)
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        log_prob = sum(float(rows[t, token]) for t, token in enumerate(path))
        for text in set(texts_of([token for token, _ in itertools.groupby(path) if token != BLANK])):
            totals[text] = float(np.logaddexp(totals[text], log_prob))
    return totals


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_without_pruning_it_is_the_sum_over_all_paths_and_pronunciations(ngram: Ngram, frames: int) -> None:
    search = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON)
    for seed in range(3):
        rows = log_probs(frames, 5, seed)
        lm = {text: ngram.score([text])[0] for text in all_texts(rows)}
        expected = {
            text: ctc + 0.7 * lm[text] + 0.4 * len(text.split())
            for text, ctc in all_texts(rows).items()
            if ctc > -math.inf
        }
        found = search.decode(rows, n_best=10**6)
        assert {h.text: h.score for h in found} == pytest.approx(expected, abs=1e-5)
        assert [h.lm_log_prob for h in found] == pytest.approx([lm[h.text] for h in found], abs=1e-5)
        assert search.decode(rows)[0].text == max(expected, key=lambda text: expected[text])


def test_the_order_of_the_words_does_not_matter(ngram: Ngram) -> None:
    by_sound = ngram.in_order(LEXICON.in_order(ngram.words))
    assert list(by_sound.words) == ["</s>", "<s>", "<unk>", "know", "no", "one", "to", "too", "two"]
    rows = log_probs(12, 5, 3)
    plain, ordered = (
        BeamSearch(TOKENIZER, EVERYTHING, ngram=lm, pronunciations=LEXICON).decode(rows, 20) for lm in (ngram, by_sound)
    )
    assert [hypothesis.text for hypothesis in plain] == [hypothesis.text for hypothesis in ordered]
    assert [hypothesis.score for hypothesis in plain] == pytest.approx([hypothesis.score for hypothesis in ordered])


HOT = {"to know": 2.5, "too": -1.0, "one": 0.75, "know one": 1.5}


def test_each_occurrence_of_a_hot_phrase_adds_its_boost(ngram: Ngram) -> None:
    rows = log_probs(7, 5, 11)
    plain = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON)
    expected = {found.text: found.score + boosts_in(found.text) for found in plain.decode(rows, n_best=10**6)}
    for hot in (
        BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON, hot_words=HOT),
        plain.with_hot_words(HOT),
    ):
        scores = {found.text: found.score for found in hot.decode(rows, n_best=10**6)}
        both = sorted(scores.keys() & expected.keys())
        assert len(both) > 200
        assert [scores[text] for text in both] == pytest.approx([expected[text] for text in both], abs=1e-6)
    best = max(expected, key=expected.__getitem__)
    pruned = BeamSearch(TOKENIZER, BeamOptions(lm_weight=0.7, word_bonus=0.4), ngram=ngram, pronunciations=LEXICON)
    assert pruned.with_hot_words(HOT).decode(rows)[0].text == best


def boosts_in(text: str) -> float:
    """The sum of the boosts of all phrases in a text."""
    words = text.split()
    spans = [" ".join(words[first:last]) for first in range(len(words)) for last in range(first + 1, len(words) + 1)]
    return sum(HOT.get(span, 0.0) for span in spans)


def test_a_hot_word_outside_the_language_model_is_found_by_its_pronunciation(ngram: Ngram) -> None:
    rows = spoken("N-T-N|-T-O--", "k-e-n -t-o--")
    assert "ken" not in text_of(make(ngram), rows)
    assert text_of(make(ngram).with_hot_words({"Ken": 12.0}), rows).split()[0] == "ken"
    assert text_of(make(ngram).with_hot_words({"ken to": 12.0}), rows) == "ken to"
    assert text_of(make(ngram).with_hot_words({"ken": -50.0}), rows) == text_of(make(ngram), rows)


def test_a_hot_word_outside_the_language_model_counts_as_unknown(ngram: Ngram) -> None:
    known = replace(LEXICON, words={**LEXICON.words, "ken": (("N",),)})
    plain = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON)
    assert plain.with_hot_words({"ken": 3.0}).words == plain.words, "it has no pronunciation"
    found = plain.with_hot_words({"ken": 3.0}, known).decode(log_probs(3, 5, 1), 10**6)
    (ken,) = [one for one in found if one.text == "ken"]
    ln = math.log(10)
    in_language = (-0.3 - 1.5 - 0.9) * ln  # the back-off weight of <s>, <unk>, </s>
    assert ken.lm_log_prob == pytest.approx(in_language, abs=1e-5)
    assert ken.score - ken.ctc_log_prob == pytest.approx(0.7 * in_language + 0.4 - 5.0 + 3.0, abs=1e-5)


def test_a_hot_word_without_a_sound_is_an_error(ngram: Ngram) -> None:
    search = make(ngram).with_hot_words({"know": 1.0, "w": 2.0})
    with pytest.raises(AsrError, match="'w' cannot be pronounced"):
        search.start()


def test_a_fine_for_a_word_is_not_paid_by_what_sounds_like_it(ngram: Ngram) -> None:
    rows = spoken("T-O---", "------")
    assert text_of(make(ngram), rows) == "to"
    assert text_of(make(ngram).with_hot_words({"to": -40.0}), rows) in {"two", "too"}


def test_many_hot_words_and_many_phones() -> None:
    """More letters than one number has bits."""
    phones = tuple(f"P{number:02}" for number in range(70))
    words = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    lexicon = Lexicon(phones, {word: ((phones[n % 70], phones[-n % 70]),) for n, word in enumerate(words)})
    search = with_unigrams(words[:50], lexicon)
    rows = np.full((8, 72), -9.0, np.float32)
    for frame, token in enumerate([2 + 69, 0, 2 + 1, 1, 2 + 60, 0, 2 + 10, 0]):  # "gt gk", the 70th and the 61st word
        rows[frame, token] = 0.0
    boosts = dict.fromkeys(words, 20.0)
    assert [found.text for found in search.with_hot_words(boosts, lexicon).decode(rows)] == ["gt gk"]
    assert "gt" not in search.decode(rows)[0].text


def test_prefixes_that_have_all_begun_a_word_which_does_not_go_on_like_the_sound_get_out_of_it() -> None:
    """The search wrote nothing more to the end: the only word with a T needs a second one, and others were pruned."""
    lexicon = Lexicon(("N", "OW", "T"), {"bed": (("N", "OW"),), "bad": (("T", "N", "T"),)})
    blank, boundary, n, ow, t = range(5)
    rows = np.full((12, 5), -20.0, np.float32)
    for frame, column in enumerate([t, blank, n, ow, boundary, n, ow, boundary, n, ow, boundary, blank]):
        rows[frame, column] = 0.0
    assert with_unigrams(["bad", "bed"], lexicon).decode(rows)[0].text == "bad bed bed"


def with_unigrams(words: Sequence[str], lexicon: Lexicon) -> BeamSearch:
    """A search for words that are all as likely."""
    names = sorted(["<unk>", "<s>", "</s>", *words])
    numbers, zeros = np.arange(len(names), dtype=np.int32)[:, None], np.zeros(len(names), np.float32)
    known = replace(lexicon, words={word: lexicon.words[word] for word in words})
    alphabet = CharTokenizer(" abcdefghijklmnopqrst")
    return BeamSearch(alphabet, ngram=Ngram(1, names, build([Level(numbers, zeros - 3, zeros)])), pronunciations=known)


def test_the_compiled_search_has_one_type(ngram: Ngram) -> None:
    """Else it would be compiled again, which takes ten seconds."""
    by_phones = BeamSearch(TOKENIZER, ngram=ngram, pronunciations=LEXICON)
    searches = [
        BeamSearch(TOKENIZER),
        BeamSearch(TOKENIZER, ngram=ngram),
        by_phones,
        by_phones.with_hot_words({"two": 1.0}),
    ]
    types = [[numba.typeof(part) for part in search.start()._rules] for search in searches]
    assert all(one == types[0] for one in types)


def test_of_words_that_sound_alike_the_hot_one_is_found(ngram: Ngram) -> None:
    rows = spoken("T-O---", "------")
    for word in ("too", "to", "two"):
        assert text_of(make(ngram).with_hot_words({word: 9.0}), rows) == word


def test_of_many_homophones_the_likeliest_are_found(ngram: Ngram, monkeypatch: pytest.MonkeyPatch) -> None:
    same = Lexicon(("N", "T"), dict.fromkeys(LEXICON.words, (("N",),)))
    rows = log_probs(3, 4, 1)
    everything = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=same).decode(rows, n_best=99)
    assert {h.text for h in everything if " " not in h.text} == {"", *LEXICON.words}
    monkeypatch.setattr("asr.decoding.beam.search.MAX_HOMOPHONES", 3)
    found = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=same).decode(rows, n_best=99)
    likeliest = {"", "to", "no", "two"}
    assert {h.text for h in found} == {h.text for h in everything if {*h.text.split()} <= likeliest}


def test_the_prior_is_taken_out_first(ngram: Ngram) -> None:
    prior = np.array([-0.5, -2.0, -1.0, -3.0, -2.5])
    rows = log_probs(4, 5, 7)
    with_prior = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON, log_prior=prior)
    plain = BeamSearch(TOKENIZER, EVERYTHING, ngram=ngram, pronunciations=LEXICON)
    probabilities = np.exp(rows.astype(np.float64)) / np.exp(prior)
    divided = np.log(probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    assert without_prior(rows, prior) == pytest.approx(divided, abs=1e-6)
    a, b = (search.decode(frames, n_best=50) for search, frames in ((with_prior, rows), (plain, divided)))
    assert {h.text: h.score for h in a} == pytest.approx({h.text: h.score for h in b}, abs=1e-4)
    assert without_prior(rows, np.zeros(0)) is rows


def spoken(columns: str, letters: str) -> np.ndarray:
    """Log-probs in which each frame is nearly certain: a phone `N O T`, a boundary `|` or a blank `-`; and a letter."""
    rows = np.full((len(columns), TOKENIZER.size + 5), 0.001, np.float32)
    for frame, (phone, letter) in enumerate(zip(columns, letters, strict=True)):
        rows[frame, TOKENIZER.size + "-|NOT".index(phone)] = 1.0
        rows[frame, 0 if letter == "-" else 1 + TOKENIZER.alphabet.index(letter)] = 1.0
    return np.log(rows)


class MadeUp:
    """Pronounces words."""

    def pronounce(self, word: str) -> tuple[str, ...]:
        return {"ken": ("N", "T", "N"), "w": ()}[word]


MADE_UP: Any = MadeUp()


def make(ngram: Ngram) -> PhoneSearch:
    options = BeamOptions(lm_weight=0.7, word_bonus=0.4)
    by_phones = BeamSearch(TOKENIZER, options, ngram=ngram, pronunciations=LEXICON)
    return PhoneSearch(
        lambda: by_phones,
        np.zeros(0),
        lambda: BeamSearch(TOKENIZER, options, ngram=ngram),
        lambda: MADE_UP,
    )


def text_of(search: PhoneSearch, rows: np.ndarray) -> str:
    stream = search.start()
    stream.feed(rows)
    return TOKENIZER.decode([token.number for token in stream.finish()])


def test_the_letters_choose_between_words_that_sound_alike(ngram: Ngram) -> None:
    search = make(ngram)
    assert text_of(search, spoken("T-O---", "t-o---")) == "to"
    assert text_of(search, spoken("T-O---", "t-o-o-")) == "too"
    assert text_of(search, spoken("T-O---", "t-w-o-")) == "two"


def test_words_are_timed_by_their_letters(ngram: Ngram) -> None:
    stream = make(ngram).start()
    rows = spoken("--T-O-|-N--O---", "--two- -kn-ow--")
    for start in range(0, len(rows), 4):
        stream.feed(rows[start : start + 4])
    tokens = stream.finish()
    assert TOKENIZER.decode([token.number for token in tokens]) == "two know"
    assert [token.start for token in tokens if token.number == 1 + TOKENIZER.alphabet.index("t")] == [2]
    assert all(token.start < token.end <= len(rows) for token in tokens)


def test_a_word_with_more_letters_than_frames_is_spread_over_them(ngram: Ngram) -> None:
    stream = make(ngram).start()
    stream.feed(spoken("TO", "--"))
    tokens = stream.finish()
    assert TOKENIZER.decode([token.number for token in tokens]) in {"two", "too", "to"}
    assert all(0 <= token.start < token.end <= 2 for token in tokens)


def test_a_word_is_as_likely_as_the_texts_that_have_it_in_its_place() -> None:
    texts = [text.split() for text in ("to know one", "two know one", "to know", "know one to")]
    scores = np.array([-3.0, -4.0, -7.0, -math.inf])
    weights = np.exp(AGREEMENT_SCALE * scores) / np.exp(AGREEMENT_SCALE * scores).sum()
    to, know, one = weights[0] + weights[2], 1.0, weights[0] + weights[1]
    np.testing.assert_allclose(agreement(texts, scores, 0), [to, know, one])
    np.testing.assert_allclose(agreement(texts, scores, 2), [to, know])
    np.testing.assert_allclose(agreement(texts[:1], scores[:1], 0), [1, 1, 1])
    assert len(agreement([[]], np.zeros(1), 0)) == 0


def test_words_that_could_be_others_are_less_certain(ngram: Ngram) -> None:
    clear, unclear = spoken("O--N--", "o-n-e-"), spoken("O--N--", "o-n-e-")
    unclear[:, TOKENIZER.size :] = np.log(1 / 5)
    certain, doubtful = (_confidences(make(ngram), rows) for rows in (clear, unclear))
    assert doubtful[0] < certain[0] - 0.1
    assert all(0 < confidence <= 1 for confidence in (*certain, *doubtful))


def test_words_that_do_not_fit_the_sound_are_less_certain(ngram: Ngram) -> None:
    """No word begins with N T: any text leaves out phones that are as clear as those of words."""
    fits, misses = spoken("T--O--|--", "t--o-- --"), spoken("N--T--T--", "t--o-- --")
    stream = make(ngram).start()
    stream.feed(fits)
    assert {token.fit for token in stream.best()} == {token.fit for token in stream.finish()} == {1.0}
    stream = make(ngram).start()
    stream.feed(misses)
    (misfit,) = {token.fit for token in stream.finish()}
    assert 0 < misfit < 0.5
    assert max(_confidences(make(ngram), misses)) < min(_confidences(make(ngram), fits)) - 0.3


def _confidences(search: PhoneSearch, rows: np.ndarray) -> list[float]:
    stream = search.start()
    stream.feed(rows)
    assert all(token.agreement is not None for token in stream.best() if TOKENIZER.decode([token.number]) != " ")
    return [word.confidence for word in to_words(stream.finish(), TOKENIZER, 0.04, math.inf)]


def test_live_words_agree_and_are_kept(ngram: Ngram) -> None:
    stream = make(ngram).start()
    assert stream.best() == []
    assert stream.agreed(5.0) == 0
    stream.feed(spoken("T-O--|-", "t-w-o -"))
    assert TOKENIZER.decode([token.number for token in stream.best()]) in {"two", "to", "too"}
    count = len(stream.best())
    first = [token.number for token in stream.best()]
    stream.commit(count + 1)
    assert stream.agreed(100.0) == count + 1
    stream.feed(spoken("N-O---", "n-o---"))
    assert [token.number for token in stream.finish()][:count] == first


def test_an_empty_stream_has_no_words(ngram: Ngram) -> None:
    stream = make(ngram).start()
    assert stream.finish() == []
    stream.feed(np.zeros((0, TOKENIZER.size + 5), np.float32))
    assert stream.finish() == []


def test_nothing_but_blanks_is_silence(ngram: Ngram) -> None:
    assert text_of(make(ngram), spoken("------", "------")) == ""
