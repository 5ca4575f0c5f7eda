"""Readable text from labelled words, as they come, with a punctuator that knows the answers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.readable.labels import CASES, MARKS, parse
from asr.readable.pauses import CLASSES, EDGES_S, UNKNOWN, pause_class, pauses_after
from asr.readable.writing import AHEAD, LONGEST, STEP, Writing, spellings
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word


class Known:
    """Labels each word as a text does that is known by heart."""

    def __init__(self, text: str) -> None:
        self.labels = {word.text: word for word in parse(text, " 'abcdefghijklmnopqrstuvwxyz0123456789")}
        self.windows: list[int] = []

    def log_probs(self, words: list[str], pauses: list[int]) -> tuple[np.ndarray, np.ndarray]:
        assert len(words) == len(pauses)
        self.windows.append(len(words))
        marks, cases = np.full((len(words), len(MARKS)), -9.0), np.full((len(words), len(CASES)), -9.0)
        for number, word in enumerate(words):
            label = self.labels.get(word)
            marks[number, label.mark if label else 0] = 0
            cases[number, label.case if label else 0] = 0
        return marks, cases


def spoken(text: str) -> list[Word]:
    return [Word(word, 0.5 * at, 0.5 * at + 0.4, 0.9) for at, word in enumerate(text.split())]


def writing(text: str, **options: Any) -> Writing:
    return Writing(Known(text), **options)  # pyright: ignore[reportArgumentType]


def written(text: str, words: str, **options: Any) -> list[Word]:
    return writing(text, **options).write(spoken(words))


def texts(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def test_a_sentence_and_its_end() -> None:
    words = written("Is it NASA? Yes, Tom.", "is it nasa yes tom")
    assert texts(words) == "Is it NASA? Yes, Tom."
    assert [word.ends_sentence for word in words] == [False, False, True, False, True]
    assert [word.spoken for word in words] == [(word,) for word in spoken("is it nasa yes tom")]


def test_a_number_stands_for_its_words_and_their_times() -> None:
    words = written("percent. five", "we pay twenty five percent five times")
    assert texts(words) == "We pay 25%. Five times."
    number = words[2]
    assert [word.text for word in number.spoken] == ["twenty", "five", "percent"]
    assert (number.start_s, number.end_s) == (1.0, 2.4)
    assert number.confidence == pytest.approx(0.9)


def test_words_in_two_parts_share_the_spoken_ones() -> None:
    words = written("m.", "at ten thirty p m")
    assert texts(words) == "At 10:30 p.m."
    assert [len(word.spoken) for word in words] == [1, 2, 2]
    assert words[-1].ends_sentence


def test_a_mark_inside_a_number_is_dropped_and_other_numbers_are_apart() -> None:
    assert texts(written("forty. four", "it was nineteen forty four men")) == "It was 1944 men."
    assert texts(written("sixty, thirty", "he had sixty thirty came")) == "He had 60, 30 came."


def test_numbers_can_stay_words() -> None:
    assert texts(written("", "twenty five", numbers=False)) == "Twenty five."


def test_a_capital_follows_a_full_stop_but_not_a_question_inside_a_sentence() -> None:
    assert texts(written("come? asked. tom", "come asked tom")) == "Come? asked. Tom."


def test_hot_words_keep_their_capitals() -> None:
    given = spellings(["McKay", "kaldi", "eBay"])
    assert given == {"mckay": "McKay", "ebay": "eBay"}
    assert texts(written("ebay.", "mckay's ebay kaldi", spellings=given)) == "McKay's eBay. Kaldi."


def test_the_end_of_a_recording_ends_a_sentence() -> None:
    words = written("yes,", "yes no")
    assert [(word.text, word.ends_sentence) for word in words] == [("Yes,", False), ("no.", True)]
    assert texts(written("yes,", "yes")) == "Yes."


def test_nothing() -> None:
    assert written("", "") == []


SENTENCE = st.lists(
    st.sampled_from(["the", "end", "twenty", "five", "hundred", "percent", "a", "b", "pause", "at", "p", "m", "who"]),
    max_size=130,
)


@settings(deadline=None, max_examples=60)
@given(SENTENCE, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_the_result_does_not_depend_on_how_the_words_come(words: list[str], sizes: list[int]) -> None:
    all_words = spoken(" ".join(words))
    writer = writing("end. who? pause,")
    stream, found, at, turn = writer.start(), list[Word](), 0, 0
    while at < len(all_words):
        size = sizes[turn % len(sizes)]
        found += stream.feed(all_words[at : at + size])
        at, turn = at + size, turn + 1
    found += stream.finish()
    assert found == writer.write(all_words)
    assert [one for word in found for one in word.spoken] == all_words
    assert all(word.text and " " not in word.text for word in found)


def test_the_look_ahead_is_bounded_and_windows_are_small() -> None:
    known = Known("")
    stream = Writing(known).start()  # pyright: ignore[reportArgumentType]
    came = 0
    for fed, word in enumerate(spoken("word " * 500), start=1):
        came += len(stream.feed([word]))
        assert fed - came <= LONGEST + STEP + AHEAD + 1
    assert came > 400
    assert max(known.windows) <= 64


def test_pause_classes() -> None:
    assert [pause_class(gap) for gap in (-0.1, 0.0, *EDGES_S, 9.0)] == [1, 1, *range(2, CLASSES), CLASSES - 1]
    words = [Word("a", 0.0, 0.5, 1.0), Word("b", 0.54, 0.6, 1.0), Word("c", 1.0, 2.0, 1.0)]
    assert pauses_after(words) == [1, pause_class(0.4), UNKNOWN]
    assert pauses_after([]) == []


def test_a_transcript_has_both_texts() -> None:
    words = tuple(written("percent.", "twenty percent"))
    transcript = Transcript(words, 2.0)
    assert (transcript.text, texts(list(transcript.spoken))) == ("20%.", "twenty percent")
    plain = Transcript(tuple(spoken("twenty percent")), 2.0)
    assert plain.spoken == plain.words
    both = merged([transcript, plain])
    assert {word.channel for word in both.spoken} == {1, 2}
    assert [replace(word, channel=None) for word in both.spoken if word.channel == 1] == list(transcript.spoken)
