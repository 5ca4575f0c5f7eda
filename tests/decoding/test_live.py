"""Live decoding: final words never change, utterances end by the rules, and the state stays bounded."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.decoding.decoder import Decoder
from asr.decoding.greedy import greedy
from asr.decoding.live import LiveDecoder, Rules, Update
from asr.decoding.tokens_to_words import to_words
from asr.errors import AsrError
from asr.models.description import AcousticDescription
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" bc")
SHIFT_S = 0.04
DESCRIPTION = AcousticDescription(name="fake", sample_rate=100, frame_shift_s=SHIFT_S, tokenizer=TOKENIZER)
BEAM = Decoder(BeamSearch(TOKENIZER, BeamOptions(width=8)))


def spoken(text: str, *, length: int = 3, sure: float = 0.99) -> np.ndarray:
    """Log-probs of a text, `length` frames for each letter; "." is a blank."""
    rows = np.full((len(text) * length, TOKENIZER.size), (1 - sure) / (TOKENIZER.size - 1))
    rows[:, 0] = sure
    for place, letter in enumerate(text):
        if letter != ".":
            rows[place * length] = (1 - sure) / (TOKENIZER.size - 1)
            rows[place * length, 1 + TOKENIZER.alphabet.index(letter)] = sure
    return np.log(rows).astype(np.float32)


def decode(rows: np.ndarray, decoder: Decoder = BEAM, rules: Rules | None = None, size: int = 5) -> list[Update]:
    live = LiveDecoder(decoder, DESCRIPTION, rules or Rules())
    updates = [live.feed(rows[first : first + size]) for first in range(0, len(rows), size)]
    return [*updates, live.finish(rows[:0], len(rows) * SHIFT_S)]


def text(updates: list[Update]) -> str:
    return " ".join(word.text for update in updates for word in update.words)


def random_rows(frames: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(frames, TOKENIZER.size)) * 3
    for first in random.integers(0, frames, frames // 10):
        logits[first : first + random.integers(1, 40), 0] += 20
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 600), st.integers(0, 10_000), st.integers(1, 40))
def test_greedy_words_are_those_of_the_whole_recording(frames: int, seed: int, size: int) -> None:
    """However they are cut, unless an utterance ends within a word, which a pause between letters is."""
    rows = random_rows(frames, seed)
    live = text(decode(rows, Decoder(), size=size))
    whole = " ".join(word.text for word in to_words(greedy(rows), TOKENIZER, SHIFT_S, frames * SHIFT_S))
    assert live.replace(" ", "") == whole.replace(" ", "")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 600), st.integers(0, 10_000), st.integers(1, 40), st.floats(0, 1), st.floats(0, 15))
def test_words_are_in_order_and_within_the_recording(
    frames: int, seed: int, size: int, wait_s: float, margin: float
) -> None:
    updates = decode(random_rows(frames, seed), BEAM, Rules(wait_s=wait_s, margin=margin), size)
    words = [word for update in updates for word in update.words]
    times = [0.0, *(time for word in words for time in (word.start_s, word.end_s)), frames * SHIFT_S + 1e-9]
    assert times == sorted(times)
    for update in updates:
        assert all(word.end_s <= update.time_s + 1e-9 for word in (*update.words, *update.tail))


def test_clear_words_are_final_after_the_next_has_begun_and_the_last_after_the_wait() -> None:
    rules = Rules(wait_s=0.4, tail_s=0.0)
    updates = decode(spoken("b c b......"), rules=rules, size=1)
    frames = [number for number, update in enumerate(updates) for _ in update.words]
    assert text(updates) == "b c b"
    assert frames[:2] == [3, 9], "with the frames of the spaces"
    assert frames[2] == 12 + 10, "after ten frames"
    assert [word.text for word in updates[0].tail] == ["b"]


def test_a_tentative_word_is_shown_after_its_delay() -> None:
    shown = [bool(update.tail) for update in decode(spoken("b...."), rules=Rules(tail_s=0.12, wait_s=0.4), size=1)]
    assert shown[:4] == [False, False, False, True] or shown[:4] == [False, False, True, True]


def test_silence_ends_an_utterance_once() -> None:
    updates = decode(spoken("b" + 40 * "." + "c" + 40 * "."), rules=Rules(silence_s=1.0))
    assert [update.ends_utterance for update in updates].count(True) == 3, "twice by silence, and at the end"
    assert text(updates) == "b c"
    (first, *_) = [update for update in updates if update.ends_utterance]
    assert 1.0 <= first.time_s <= 1.0 + 6 * SHIFT_S


def test_a_long_utterance_ends_between_words_and_nothing_is_lost_or_said_twice() -> None:
    said = 60 * "bc cb b "
    updates = decode(spoken(said), rules=Rules(longest_s=5.0))
    assert text(updates) == said.strip()
    ends = [update.time_s for update in updates if update.ends_utterance]
    assert len(ends) > len(said) * 3 * SHIFT_S / 5 - 1
    assert max(np.diff([0, *ends])) < 5.5


@pytest.mark.parametrize("said", [".", "b ", "b" + 50 * "."])
def test_the_state_is_bounded(said: str) -> None:
    """Ten minutes of silence, of speech without a pause, and of both."""
    live = LiveDecoder(BEAM, DESCRIPTION, Rules(longest_s=10.0))
    rows = np.tile(spoken(said), (15_000 // len(spoken(said)), 1))
    for first in range(0, len(rows), 12):
        live.feed(rows[first : first + 12])
        assert sum(len(chunk) for chunk in live._chunks) == live._num_frames <= 10.0 / SHIFT_S + 12
        assert len(live._withheld) < 200


def test_an_unsure_utterance_yields_nothing_and_one_that_becomes_sure_yields_all() -> None:
    decoder = replace(BEAM, min_confidence=0.7)
    unsure, sure = spoken("b c ", sure=0.6), spoken("b b b b b b ")
    assert text(decode(np.concatenate([unsure, spoken(30 * ".")]), decoder)) == ""
    assert text(decode(np.concatenate([unsure, sure]), decoder)) == "b c b b b b b b"
    assert all(not update.tail for update in decode(np.concatenate([unsure, spoken(30 * ".")]), decoder))


def test_an_impossible_rule_is_refused() -> None:
    with pytest.raises(AsrError, match=r"`silence_s` \(=0\) must be between 0.2 and 3600 seconds"):
        Rules(silence_s=0)
