"""Prefix beam search compared with sums over all paths, and with a simple implementation with dictionaries."""

import itertools
import math
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.beam import kernel, n_best
from asr.decoding.beam import rules as rules_of
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch, Hypothesis
from asr.decoding.greedy import greedy
from asr.decoding.protocol import decode
from asr.errors import AsrError, DataError
from asr.lm import arpa
from asr.lm.ngram import Ngram
from asr.text import BLANK, CharTokenizer, SubwordTokenizer, Tokenizer

CHARACTERS = CharTokenizer(" ab")
SUBWORDS = SubwordTokenizer(" ab", ("▁", "▁a", "b", "▁ab"), b"")
TOKENIZERS = {"characters": CHARACTERS, "subwords": SUBWORDS}
NGRAMS = {
    ("<unk>",): (-1.3, 0.0),
    ("<s>",): (-99, -0.3),
    ("</s>",): (-0.9, 0.0),
    ("a",): (-0.6, -0.2),
    ("ab",): (-0.8, -0.35),
    ("bb",): (-1.1, 0.0),
    ("<s>", "a"): (-0.4, -0.15),
    ("<s>", "ab"): (-0.5, 0.0),
    ("a", "ab"): (-0.2, 0.0),
    ("a", "</s>"): (-0.7, 0.0),
    ("ab", "a"): (-0.45, -0.1),
    ("<s>", "a", "ab"): (-0.1, 0.0),
    ("<s>", "a", "a"): (-1.2, 0.0),
}
"""log10 probability and back-off of a made-up 3-gram."""
EVERYTHING: dict[str, Any] = {
    "width": 100_000,
    "threshold": math.inf,
    "tokens": 100,
    "token_threshold": -math.inf,
    "recombine": False,
}
HOT = {"ab": 1.5, "bb": -0.7, "abb": 2.0, "a b": 0.9, "b a b": -1.1, "b a a": 0.6}


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory) -> Ngram:
    lines = ["\\data\\"]
    orders = [[words for words in NGRAMS if len(words) == order] for order in (1, 2, 3)]
    lines += [f"ngram {order}={len(group)}" for order, group in enumerate(orders, start=1)]
    for order, group in enumerate(orders, start=1):
        lines += ["", f"\\{order}-grams:"]
        lines += [f"{NGRAMS[words][0]}\t{' '.join(words)}\t{NGRAMS[words][1]}".removesuffix("\t0.0") for words in group]
    path = tmp_path_factory.mktemp("lm") / "made-up.arpa"
    path.write_text("\n".join([*lines, "", "\\end\\", ""]))
    return arpa.read(path)


def log_probs(frames: int, tokens: int, seed: int, sharpness: float = 1.5) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(frames, tokens)) * sharpness
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def all_texts(rows: np.ndarray, tokenizer: Tokenizer) -> dict[str, float]:
    """Text -> natural-log probability, by enumerating every path."""
    texts: dict[str, float] = defaultdict(lambda: -math.inf)
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        tokens = [token for token, _ in itertools.groupby(path) if token != BLANK]
        text = " ".join(tokenizer.decode(tokens).split())
        texts[text] = float(np.logaddexp(texts[text], sum(float(rows[t, token]) for t, token in enumerate(path))))
    return texts


def slow_lm(text: str) -> float:
    """Natural-log probability of a sentence, by the definition of back-off."""

    def score(history: tuple[str, ...], word: str) -> float:
        if (*history, word) in NGRAMS:
            return NGRAMS[*history, word][0]
        return NGRAMS.get(history, (0, 0))[1] + score(history[1:], word)

    words = [word if (word,) in NGRAMS else "<unk>" for word in text.split()]
    sentence = ["<s>", *words, "</s>"]
    return sum(score(tuple(sentence[max(0, i - 2) : i]), sentence[i]) for i in range(1, len(sentence))) * math.log(10)


def slow_hot_words(words: list[str], hot: dict[str, float]) -> tuple[int, float]:
    """The letters of unknown words that are in no hot phrase so far, and the boosts, by comparing all stretches."""
    letters, boost = 0, 0.0
    for end in range(1, len(words) + 1):
        heard = {" ".join(words[start:end]) for start in range(end)}
        boost += sum(value for phrase, value in hot.items() if phrase in heard)
        in_phrase = any(f"{phrase} ".startswith(f"{text} ") for phrase in hot for text in heard)
        letters += 0 if in_phrase or (words[end - 1],) in NGRAMS else len(words[end - 1])
    return letters, boost


def check(texts: list[Hypothesis], expected: dict[str, float]) -> None:
    expected = {text: score for text, score in expected.items() if score > -math.inf}
    assert {h.text: h.score for h in texts} == pytest.approx(expected, abs=1e-5)
    assert len(texts) == len(expected)
    assert [h.score for h in texts] == sorted((h.score for h in texts), reverse=True)


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_without_pruning_it_is_the_sum_over_all_paths(tokenizer: Tokenizer, frames: int) -> None:
    for seed in range(3):
        rows = log_probs(frames, tokenizer.size, seed)
        found = BeamSearch(tokenizer, BeamOptions(**EVERYTHING)).decode(rows, n_best=10**6)
        check(found, all_texts(rows, tokenizer))
        assert [h.score for h in found] == pytest.approx([h.ctc_log_prob for h in found])
        assert [h.text for h in found] == [" ".join(tokenizer.decode(h.tokens).split()) for h in found]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("hot", [{}, HOT], ids=["", "hot"])
@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_with_a_language_model_and_hot_words_it_matches_a_slow_scorer(
    ngram: Ngram, tokenizer: Tokenizer, hot: dict[str, float], closed: bool
) -> None:
    options = BeamOptions(**EVERYTHING, lm_weight=0.7, word_bonus=0.4, unknown_score=-1.7, closed=closed)
    decoder = BeamSearch(tokenizer, options, ngram=ngram, hot_words=hot)
    for seed in range(3):
        rows = log_probs(5, tokenizer.size, seed)
        expected = {}
        for text, ctc in all_texts(rows, tokenizer).items():
            unknown = sum((word,) not in NGRAMS for word in text.split())
            letters, boost = slow_hot_words(text.split(), hot)
            score = ctc + 0.7 * slow_lm(text) + 0.4 * len(text.split()) + boost
            score += -1.7 * unknown + 0.7 * math.log(1 / 2) * letters  # the alphabet has two letters
            expected[text] = -math.inf if closed and unknown else score
        found = decoder.decode(rows, n_best=10**6)
        check(found, expected)
        assert [h.lm_log_prob for h in found] == pytest.approx([slow_lm(h.text) for h in found], abs=1e-5)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "ab", "bb"]), max_size=3), st.text("ab", max_size=4))
def test_the_look_ahead_is_an_upper_bound_and_decreases_with_each_letter(
    ngram: Ngram, history: list[str], text: str
) -> None:
    rules = BeamSearch(CHARACTERS, ngram=ngram).start()._rules
    state = ngram.start()
    for word in history:
        _, state = ngram.advance(state, word)
    node, before = 0, 0.0
    for end, letter in enumerate(text, start=1):
        node = rules_of.spell(rules.vocabulary, node, " ab".index(letter))
        if node < 0:
            assert not any(word.startswith(text[:end]) for word in ("a", "ab", "bb"))
            return
        best = rules_of.lookahead(rules, state, node)
        assert best <= before
        assert best == rules_of.lookahead(rules, state, node)  # from the cache
        for word in ("a", "ab", "bb"):
            if word.startswith(text[:end]):
                assert best >= ngram.advance(state, word)[0] - 1e-6
        before = best


def test_of_prefixes_with_equal_keys_the_best_is_kept(ngram: Ngram) -> None:
    """The best text is nearly always that of a full search; its score lacks the paths of recombined prefixes."""
    options = {**EVERYTHING, "lm_weight": 0.7, "word_bonus": 0.4, "unknown_score": -1.7}
    same = 0
    for seed in range(40):
        rows = log_probs(12, CHARACTERS.size, seed, sharpness=6)
        (best,) = BeamSearch(CHARACTERS, BeamOptions(**options), ngram=ngram).decode(rows)
        stream = BeamSearch(CHARACTERS, BeamOptions(**options | {"recombine": True}), ngram=ngram).start()
        stream.feed(rows)
        (recombined,) = stream.hypotheses()
        assert recombined.score <= best.score + 1e-9
        same += recombined.text == best.text
        keys = stream._beam.prefixes["key"][: stream._beam.counts[0]]
        assert len(set(keys.tolist())) == len(keys)
    assert same >= 36


def non_acoustic_score(hypothesis: Hypothesis) -> float:
    return hypothesis.score - hypothesis.ctc_log_prob


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), max_size=8), st.integers(0, 300), st.integers(0, 10**6))
def test_the_sum_over_all_paths_matches_torch(tokens: list[int], frames: int, seed: int) -> None:
    rows = log_probs(frames, 4, seed, sharpness=8)
    found = n_best.forward(np.exp(rows, dtype=np.float64), np.array(tokens, np.int64))
    if frames == 0:
        assert found == (-math.inf if tokens else 0.0)
        return
    lengths = torch.tensor([frames]), torch.tensor([len(tokens)])
    arguments = torch.from_numpy(rows)[:, None].double(), torch.tensor([tokens], dtype=torch.long), *lengths
    assert found == pytest.approx(-float(torch.nn.functional.ctc_loss(*arguments, reduction="sum")), rel=1e-6)


@pytest.mark.parametrize("hot", [{}, HOT], ids=["", "hot"])
def test_n_best_lists_contain_recombined_prefixes(ngram: Ngram, hot: dict[str, float]) -> None:
    """The list has the texts of a search without recombination, with the same scores."""
    options = {**EVERYTHING, "lm_weight": 0.7, "word_bonus": 0.4, "unknown_score": -1.7}
    decoder = BeamSearch(CHARACTERS, BeamOptions(**options), ngram=ngram, hot_words=hot)
    merging = BeamSearch(CHARACTERS, BeamOptions(**options | {"recombine": True}), ngram=ngram, hot_words=hot)
    same = 0
    for seed in range(20):
        rows = log_probs(12, CHARACTERS.size, seed, sharpness=6)
        wanted = {h.text: h for h in decoder.decode(rows, n_best=20)}
        found = merging.decode(rows, n_best=20)
        assert len({h.text for h in found}) == len(found) == 20
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
        for h in found:
            assert h.text == " ".join(CHARACTERS.decode(h.tokens).split())
            assert h.lm_log_prob == pytest.approx(slow_lm(h.text), abs=1e-4)
            arguments = (
                torch.from_numpy(rows)[:, None],
                torch.tensor([h.tokens]),
                torch.tensor([12]),
                torch.tensor([len(h.tokens)]),
            )
            alone = -float(torch.nn.functional.ctc_loss(*arguments, reduction="sum"))
            assert h.ctc_log_prob >= alone - 1e-4
            if h.text in wanted:  # a space at an end is not written: the full search sums such paths
                assert h.ctc_log_prob <= wanted[h.text].ctc_log_prob + 1e-4
                assert non_acoustic_score(h) == pytest.approx(non_acoustic_score(wanted[h.text]), abs=1e-4)
                same += 1
    assert same >= 0.7 * 20 * 20


def slow_search(rows: np.ndarray, width: int) -> tuple[tuple[int, ...], float]:
    """The search of Hannun et al. (2014) without a language model; prefixes are tuples in dictionaries."""
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for row in rows.astype(float):
        new: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for prefix, (blank, other) in beam.items():
            total = np.logaddexp(blank, other)
            new[prefix][0] = np.logaddexp(new[prefix][0], total + row[BLANK])
            for token in range(1, len(row)):
                repeats = prefix[-1:] == (token,)
                if repeats:
                    new[prefix][1] = np.logaddexp(new[prefix][1], other + row[token])
                longer = (*prefix, token)
                new[longer][1] = np.logaddexp(new[longer][1], (blank if repeats else total) + row[token])
        totals = {prefix: float(np.logaddexp(blank, other)) for prefix, (blank, other) in new.items()}
        beam = {prefix: (new[prefix][0], new[prefix][1]) for prefix in sorted(new, key=lambda p: -totals[p])[:width]}
    return max(((prefix, float(np.logaddexp(*both))) for prefix, both in beam.items()), key=lambda pair: pair[1])


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_narrow_beam_matches_the_slow_search_over_many_frames(width: int) -> None:
    """Long enough for dead prefixes to be removed and for the arrays to grow."""
    tokenizer = CharTokenizer(" abcde")
    rows = log_probs(400, tokenizer.size, seed=width)
    tokens, score = slow_search(rows, width)
    options = BeamOptions(**{**EVERYTHING, "width": width})
    stream = BeamSearch(tokenizer, options).start()
    stream.feed(rows)
    found = stream.hypotheses(width)
    assert (found[0].tokens, found[0].ctc_log_prob) == (tokens, pytest.approx(score, abs=1e-3))


options = st.builds(
    BeamOptions,
    width=st.integers(1, 9),
    threshold=st.sampled_from([3.0, 20.0]),
    tokens=st.integers(1, 4),
    token_threshold=st.sampled_from([-1.0, -6.0]),
    lm_weight=st.sampled_from([0.0, 0.8]),
    closed=st.sampled_from([False, True]),
    recombine=st.sampled_from([False, True]),
)


@settings(deadline=None, max_examples=60)
@given(options, st.lists(st.integers(0, 40), max_size=6), st.integers(0, 10**6), st.sampled_from(["", "hot"]))
def test_in_chunks_and_in_threads_the_result_is_the_same(
    ngram: Ngram, options: BeamOptions, cuts: list[int], seed: int, hot: str
) -> None:
    rows = log_probs(40, CHARACTERS.size, seed)
    decoder = BeamSearch(CHARACTERS, options, ngram=ngram, hot_words=HOT if hot else None)
    whole = decoder.decode(rows, n_best=5)
    stream = decoder.start(several=True)
    for first, last in itertools.pairwise([0, *sorted(cuts), 40]):
        stream.feed(rows[first:last])
        stream.hypotheses()
    assert stream.hypotheses(5) == whole
    assert decoder.decode_batch([rows[:20], rows, rows[:0]], 5, threads=2)[1] == whole


@settings(deadline=None, max_examples=60)
@given(options, st.integers(0, 10**6))
def test_pruning_can_only_lower_probabilities(ngram: Ngram, options: BeamOptions, seed: int) -> None:
    rows = log_probs(5, CHARACTERS.size, seed)
    sums = all_texts(rows, CHARACTERS)
    found = BeamSearch(CHARACTERS, options, ngram=ngram).decode(rows, n_best=100)
    assert len({h.text for h in found}) == len(found) >= 1
    for h in found:
        if options.closed:
            assert all((word,) in NGRAMS for word in h.text.split())
        else:
            assert h.ctc_log_prob <= sums[h.text] + 1e-5


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60))
def test_on_clear_speech_the_tokens_are_those_of_greedy(path: list[int]) -> None:
    """Including frames and log-probabilities, so that word times and confidence are comparable."""
    rows = np.log(np.full((len(path), 4), 0.01) + 0.96 * np.eye(4)[path]).astype(np.float32).reshape(-1, 4)
    assert decode(BeamSearch(CHARACTERS), rows) == greedy(rows)


def test_a_hot_word_wins_where_the_acoustic_model_is_undecided() -> None:
    tokenizer = CharTokenizer(" abc")
    path = [tokenizer.encode("c")[0], 0, *tokenizer.encode("a"), 0]
    rows = np.full((4, tokenizer.size), 0.02)
    rows[np.arange(4), path] = 0.92
    rows[2, tokenizer.encode("b")[0]] = 0.9
    rows = np.log(rows / rows.sum(axis=1, keepdims=True))
    plain = BeamSearch(tokenizer).decode(rows)
    boosted = BeamSearch(tokenizer, hot_words={"CB!": 1.0}).decode(rows)
    assert [plain[0].text, boosted[0].text] == ["ca", "cb"]


def test_a_hot_phrase_wins_as_a_whole_and_only_then() -> None:
    tokenizer = CharTokenizer(" abc")
    space, a, b, c = 1, 2, 3, 4  # the tokens of the alphabet; 0 is the blank
    rows = np.full((6, tokenizer.size), 0.01)
    for frame, (first, second) in enumerate([(c, c), (space, space), (a, b), (0, 0), (space, space), (c, c)]):
        rows[frame, second] = 0.6
        rows[frame, first] = 0.9
    rows = np.log(rows / rows.sum(axis=1, keepdims=True))
    assert BeamSearch(tokenizer).decode(rows)[0].text == "c a c"
    assert BeamSearch(tokenizer, hot_words={"C b": 1.0}).decode(rows)[0].text == "c b c"
    assert BeamSearch(tokenizer, hot_words={"b b": 3.0}).decode(rows)[0].text == "c a c"


@pytest.mark.parametrize("word", ["", " ", "a1", "a b1", "ä"])
def test_a_hot_word_that_cannot_be_written_is_an_error(word: str) -> None:
    with pytest.raises(AsrError, match=r"The hot word .* cannot be written in the model's alphabet ' ab'"):
        BeamSearch(CHARACTERS, hot_words={"ab": 1.0, word: 1.0})


def test_mistakes_are_reported(ngram: Ngram) -> None:
    with pytest.raises(AsrError, match=r"`width` \(=0\) must be 1 or more"):
        BeamOptions(width=0)
    with pytest.raises(AsrError, match="boost must be a finite number"):
        BeamSearch(CHARACTERS, hot_words={"ab": math.nan})
    with pytest.raises(AsrError, match=r"closed vocabulary .* needs words"):
        BeamSearch(CHARACTERS, BeamOptions(closed=True))
    with pytest.raises(AsrError, match="None of the 6 words of the vocabulary, such as 'bb', can be written"):
        BeamSearch(CharTokenizer(" xyz"), ngram=ngram)
    with pytest.raises(DataError, match=r"shape \(3, 5\) cannot be searched: they must have 4 columns"):
        BeamSearch(CHARACTERS).decode(np.zeros((3, 5), np.float32))
    with pytest.raises(DataError, match="no NaN"):
        BeamSearch(CHARACTERS).decode(np.full((3, 4), np.nan, np.float32))


def test_is_compiled_looks_into_the_cache(tmp_path: Path) -> None:
    code = "from asr.decoding.beam import kernel; print(kernel.is_compiled())"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    BeamSearch(CharTokenizer(" a")).decode(np.zeros((9, 3), np.float32))
    assert kernel.is_compiled()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"  # cached by the search above
