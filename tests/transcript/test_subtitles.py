"""Cues are segmented at the best places, and shown for the reading time where the speech allows it."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.transcript.subtitles import Cue, Layout, cues
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word


def even(text: str, *, word_s: float = 0.3, gap_s: float = 0.1, start_s: float = 0.0) -> Transcript:
    """A transcript with words of equal duration; "|" makes the gap before the next word 0.4 s longer."""
    words, now = [], start_s
    for token in text.split():
        if token == "|":
            now += 0.4
        else:
            words.append(Word(token, now, now + word_s, 1.0))
            now += word_s + gap_s
    return Transcript(tuple(words), now + 5.0)


def lines(transcript: Transcript) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues(transcript)]


def ms(seconds: float) -> int:
    return round(1000 * seconds)


LETTERS = (st.integers(1, 5) | st.integers(1, 25)).map(lambda length: "x" * length)
STEPS = st.one_of(st.floats(0, 0.3), st.floats(0, 2), st.just(0.0))


@st.composite
def speech(draw: st.DrawFn, max_words: int = 60, gaps: st.SearchStrategy[float] = STEPS) -> Transcript:
    """Words that do not overlap, in a recording with at least a millisecond per word after the last one."""
    now, words = 0.0, []
    for text in draw(st.lists(LETTERS, min_size=1, max_size=max_words)):
        start = now + draw(gaps)
        now = start + draw(st.floats(0.002, 0.2) | st.floats(0.002, 1.5))
        words.append(Word(text, start, now, 1.0))
    return Transcript(tuple(words), now + 0.001 * len(words) + draw(st.floats(0, 3)))


def grouped(transcript: Transcript) -> list[tuple[Cue, list[Word]]]:
    """Each cue with its words."""
    remaining = iter(transcript.words)
    return [(cue, [next(remaining) for _ in " ".join(cue.lines).split(" ")]) for cue in cues(transcript)]


@settings(deadline=None)
@given(speech())
def test_cues_follow_the_speech_and_stay_readable(transcript: Transcript) -> None:
    groups = grouped(transcript)
    next_starts_ms = [*(cue.start_ms for cue, _ in groups), ms(transcript.duration_s)][1:]
    for (cue, words), next_ms in zip(groups, next_starts_ms, strict=True):
        assert cue.start_ms == ms(words[0].start_s)
        spoken_ms = ms(words[-1].end_s) - cue.start_ms
        assert len(words) == 1 or spoken_ms <= 7000
        assert all(ms(after.start_s) - ms(before.end_s) < 700 for before, after in itertools.pairwise(words))
        reading_ms = max(1000, 1000 * len(" ".join(cue.lines)) / 17)
        gap_ms = min(84, (next_ms - cue.start_ms) // 2) if cue is not groups[-1][0] else 0
        assert cue.end_ms >= min(cue.start_ms + min(max(spoken_ms, reading_ms), 7000), next_ms - gap_ms)
        assert next_ms - cue.end_ms in (gap_ms, *range(500, next_ms + 1)) or cue.end_ms - cue.start_ms == 7000


def cost(words: Sequence[Word], first: int, last: int, end_ms: int) -> float:
    """Cost of a cue of `words[first:last]` by the rule in the module; infinite if it is too long."""
    group = words[first:last]
    texts = [word.text for word in group]
    fits = any(
        all(len(line) <= 1 or len(" ".join(line)) <= 42 for line in (texts[:cut], texts[cut:]))
        for cut in range(len(texts) + 1)
    )
    next_ms = ms(words[last].start_s) if last < len(words) else end_ms
    until_ms = ms(group[-1].end_s)
    if next_ms - until_ms < 500:
        until_ms = next_ms
    shown_ms = until_ms - ms(group[0].start_s)
    if len(group) > 1 and (not fits or shown_ms > 7000):
        return float("inf")
    characters = len(" ".join(texts))
    fullness = max(characters / 84, shown_ms / 7000)
    missing_s = max(0, max(1000, 1000 * characters / 17) - (next_ms - ms(group[0].start_s))) / 1000
    break_cost = 0.0
    if last < len(words):
        pause = max(0, next_ms - ms(group[-1].end_s)) / 700
        break_cost = 0.8 * (1 - pause) + 0.3 * (len(texts[-1]) <= 3) + 0.2 * (len(words[last].text) > 3)
    return (1 - fullness) ** 2 + missing_s + break_cost


@settings(deadline=None, max_examples=60)
@given(speech(max_words=9, gaps=st.floats(0, 0.1) | st.floats(0, 0.699)))
def test_no_segmentation_costs_less(transcript: Transcript) -> None:
    words, end_ms = transcript.words, ms(transcript.duration_s)
    counts = [len(group) for _, group in grouped(transcript)]

    def total(ends: Sequence[int]) -> float:
        return sum(cost(words, first, last, end_ms) for first, last in itertools.pairwise([0, *ends]))

    inner = range(1, len(words))
    best = min(total([*cuts, len(words)]) for size in range(len(words)) for cuts in itertools.combinations(inner, size))
    assert total(list(itertools.accumulate(counts))) == pytest.approx(best, abs=1e-9)


def test_two_lines_are_similar_in_length() -> None:
    transcript = even("it was the best of times it was the worst of times")
    assert lines(transcript) == [("it was the best of times", "it was the worst of times")]


def test_the_second_line_is_preferably_longer() -> None:
    assert lines(even("aaaaaaaaa bbbbbbbbb cccccccccc dddddddddd eeeeeeeeee")) == [
        (
            "aaaaaaaaa bbbbbbbbb",
            "cccccccccc dddddddddd eeeeeeeeee",
        )  # the second is 13 longer; the alternative is the first 9 longer
    ]


def test_a_line_does_not_end_on_a_short_word() -> None:
    assert lines(even("she carried the old lamp down to the cellar of the empty house")) == [
        ("she carried the old lamp down", "to the cellar of the empty house")
    ]


def test_a_cue_ends_where_a_phrase_does() -> None:
    text = "in the evening we went back to the harbour | the boats were gone and the water lay quiet under the moon"
    assert [" ".join(cue.lines) for cue in cues(even(text))] == text.split(" | ")


def test_the_last_word_does_not_get_its_own_cue() -> None:
    text = "some people walked along the river and others stayed with the horses beside the gate until sunset"
    cue_lines = lines(even(text, word_s=0.25, gap_s=0.05))
    assert " ".join(itertools.chain(*cue_lines)) == text
    assert len(cue_lines) == 2
    assert min(len(" ".join(cue)) for cue in cue_lines) > 30


def test_42_characters_fill_a_line_and_84_a_cue() -> None:
    def of(*lengths: int) -> list[tuple[str, ...]]:
        words = tuple(Word("x" * length, i, i + 1, 1.0) for i, length in enumerate(lengths))
        return lines(Transcript(words, len(lengths)))

    x20, x21, x41 = "x" * 20, "x" * 21, "x" * 41
    assert of(20, 21) == [(f"{x20} {x21}",)]
    assert of(21, 21) == [(x21, x21)]
    assert of(20, 21, 20, 21) == [(f"{x20} {x21}", f"{x20} {x21}")]
    assert of(41, 42) == [(x41, "x" * 42)]
    assert of(20, 22, 42) == [(x20, "x" * 22), ("x" * 42,)]
    assert of(90, 90) == [("x" * 90,), ("x" * 90,)]


def test_the_first_line_leaves_room_for_the_channel() -> None:
    def of(*lengths: int, pause_s: float = 0.0) -> list[tuple[str, ...]]:
        words = [Word("x" * length, i, i + 1, 1.0, channel=1) for i, length in enumerate(lengths)]
        words[-2] = replace(words[-2], end_s=words[-2].end_s - pause_s)
        return lines(Transcript(tuple(words), len(lengths)))

    x18, x19, x20, x22 = "x" * 18, "x" * 19, "x" * 20, "x" * 22
    assert of(20, 18) == [(f"{x20} {x18}",)]
    assert of(20, 19) == [(x20, x19)]
    assert of(19, 20, 42) == [(x19, x20), ("x" * 42,)]
    assert of(20, 18, 23, pause_s=0.6) == [(f"{x20} {x18}", "x" * 23)]
    assert of(20, 19, 22, pause_s=0.6) == [(x20, f"{x19} {x22}")]


def test_a_cue_of_seven_seconds_is_not_split() -> None:
    assert len(cues(Transcript((Word("a", 1.0, 4.0, 1.0), Word("b", 4.0, 8.0, 1.0)), 9.0))) == 1
    assert len(cues(Transcript((Word("a", 1.0, 4.0, 1.0), Word("b", 4.0, 8.001, 1.0)), 9.0))) == 2


def test_a_short_last_cue_ends_with_the_recording() -> None:
    (cue,) = cues(Transcript((Word("yes", 1.0, 1.2, 1.0),), 1.5))
    assert (cue.start_ms, cue.end_ms) == (1000, 1500)


def test_a_word_of_ten_seconds_is_shown_for_seven() -> None:
    (cue,) = cues(Transcript((Word("ommm", 1.0, 11.0, 1.0),), 12.0))
    assert (cue.start_ms, cue.end_ms) == (1000, 8000)


def test_fast_speech_stays_visible_in_the_pause_until_it_is_read() -> None:
    fast = even("people speak very quickly sometimes and then they stop", word_s=0.1, gap_s=0.0)
    (cue,) = cues(fast)
    assert (cue.start_ms, cue.end_ms) == (0, 3177)  # 54 characters at 17 per second, spoken in 0.9 s


@pytest.mark.parametrize("count", [1, 2, 3])
def test_identical_channels_are_each_shown(count: int) -> None:
    one = even("first we take the road along the coast and after the bridge we turn towards the hills", word_s=0.35)
    shown = cues(merged([one] * count), Layout(lines=1))
    assert sorted(cue.channel or 0 for cue in shown) == [
        n + 1 for n in range(count) for _ in range(len(shown) // count)
    ]
    assert all(cue.end_ms - cue.start_ms >= 1000 for cue in shown)


def test_an_interjection_neither_hides_the_sentence_nor_is_hidden() -> None:
    sentence = "and then the whole family moved to another part of the country"
    shown = cues(merged([even(sentence, start_s=1.0), even("yes", start_s=2.0)]))
    assert [(cue.channel, cue.start_ms) for cue in shown] == [(1, 1000), (2, 4500)]
    assert [cue.end_ms - cue.start_ms for cue in shown] == [3416, 1000]


def test_both_last_words_are_shown_before_the_recording_ends() -> None:
    a, b = (Transcript((Word("bye", start, 3.8, 1.0),), 4.0) for start in (3.4, 3.5))
    assert [(cue.channel, cue.start_ms, cue.end_ms) for cue in cues(merged([a, b]), Layout(lines=1))] == [
        (1, 3366, 3666),
        (2, 3750, 4000),
    ]
    assert [(cue.channel, cue.other, cue.start_ms, cue.end_ms) for cue in cues(merged([a, b]))] == [(1, 2, 3400, 4000)]


@settings(deadline=None)
@given(st.lists(speech(max_words=25), min_size=2, max_size=3))
def test_channels_are_shown_in_turns_and_long_enough(alone: list[Transcript]) -> None:
    whole = merged(alone)
    shown = cues(whole)
    if ms(whole.duration_s) < sum(1000 for _ in shown):
        return
    for channel in range(1, len(alone) + 1):
        mine = [cue for cue in shown if channel in (cue.channel, cue.other)]
        single = cues(Transcript(tuple(word for word in whole.words if word.channel == channel), whole.duration_s))
        assert [cue.lines if cue.other is None else cue.lines[channel == cue.other :][:1] for cue in mine] == [
            cue.lines for cue in single
        ]
        for cue, undisturbed in zip(mine, single, strict=True):
            assert cue.end_ms - cue.start_ms >= min(1000, undisturbed.end_ms - undisturbed.start_ms) // 2


def test_lines_of_other_widths_and_numbers() -> None:
    transcript = even("it was the best of times it was the worst of times it was the age of wisdom", word_s=0.2)
    for width, count in ((42, 1), (20, 2), (30, 3), (60, 3)):
        shown = cues(transcript, Layout(width, count))
        assert " ".join(line for cue in shown for line in cue.lines) == transcript.text
        assert all(len(cue.lines) <= count and max(map(len, cue.lines)) <= width for cue in shown)
    three = [cue.lines for cue in cues(transcript, Layout(30, 3))]
    assert three == [("it was the best of times", "it was the worst of times", "it was the age of wisdom")]


def test_two_speakers_at_once_share_a_cue() -> None:
    first = even("so what do you think", start_s=1.0)
    yes = Transcript((Word("well", 2.0, 2.3, 1.0), Word("yes", 2.4, 2.8, 1.0)), 9.0)
    assert cues(merged([first, yes])) == [Cue(1000, 3000, ("so what do you think", "well yes"), 1, 2)]
    later = replace(yes, words=tuple(replace(w, start_s=w.start_s + 3, end_s=w.end_s + 3) for w in yes.words))
    assert [cue.other for cue in cues(merged([first, later]))] == [None, None]
    assert [cue.other for cue in cues(merged([first, yes]), Layout(lines=1))] == [None, None]
    long = even("so what do you think of it my old friend", start_s=1.0)
    assert [cue.other for cue in cues(merged([long, yes]))] == [None, None]
