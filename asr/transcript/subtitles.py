"""Subtitles: segment words into readable cues.

The limits are those of the usual guides (Netflix's Timed Text Style Guide, the BBC's Subtitle Guidelines). Among all
segmentations within these limits, dynamic programming finds the one of minimum cost, as Knuth and Plass (1981) break
paragraphs into lines. As the words have no punctuation and no syntax, two heuristics replace both: speakers pause at
the end of a phrase, and a short word (an article, a preposition, a conjunction) mostly belongs to the next one.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr.transcript.words import PAUSE_MS, TimedText, Word, label, phrases, to_ms

LINE_CHARACTERS = 42
"""Maximum length of a line; a cue has at most two. A longer word gets a line of its own, unbroken."""
CHARACTERS_PER_S = 17
"""Reading speed."""
MIN_CUE_MS = 1_000
"""Minimum duration of a cue, if the next words and the end of the recording leave room for it."""
MAX_CUE_MS = 7_000
"""Maximum duration of a cue."""
GAP_MS = 500
"""Minimum gap between cues; to avoid flicker, a cue is extended over a shorter gap."""
LAG_MS = 2_500
"""Maximum delay of a cue while simultaneous speech on another channel is being read."""
SHORT_WORD = 3
"""Maximum length in characters of a word that should start a line rather than end one."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: `lines` of one channel, shown from `start_ms` until just before `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    channel: int | None = None


def cues(transcript: TimedText) -> list[Cue]:
    """Segment a transcript into readable cues, in order of time.

    Every word is in exactly one cue, and the words of a channel keep their order. A cue contains words of one channel
    without a pause of `PAUSE_MS` between them, on at most two lines, the first with room for the channel's `label`.
    Cues do not overlap; each lasts at least 1 ms and ends no later than the recording (which is assumed to last at
    least 1 ms per cue). Times are integer milliseconds, so that the writers need not round.
    """
    channels: dict[int | None, list[Word]] = {}
    for word in transcript.words:
        channels.setdefault(word.channel, []).append(word)
    duration_ms = to_ms(transcript.duration_s)
    by_channel = [_one_channel(words, duration_ms) for words in channels.values()]
    if len(by_channel) == 1:
        return by_channel[0]
    return _interleave(sorted(itertools.chain(*by_channel), key=lambda cue: cue.start_ms), duration_ms)


def _one_channel(words: list[Word], duration_ms: int) -> list[Cue]:
    channel, channel_phrases = words[0].channel, list(phrases(words))
    ends_ms = [*(to_ms(phrase[0].start_s) for phrase in channel_phrases[1:]), duration_ms]
    desired = []
    for phrase, end_ms in zip(channel_phrases, ends_ms, strict=True):
        costs = _break_costs(phrase)
        for first, last in itertools.pairwise(_cuts(phrase, costs, end_ms, len(label(channel)))):
            texts = [word.text for word in phrase[first:last]]
            start_ms = to_ms(phrase[first].start_s)
            shown_ms = max(to_ms(phrase[last - 1].end_s) - start_ms, _reading_ms(len(" ".join(texts))))
            lines = _lines(texts, costs[first : last + 1], len(label(channel)))
            desired.append(Cue(start_ms, start_ms + shown_ms, lines, channel))
    return _without_overlap(desired, duration_ms)


def _reading_ms(characters: int) -> int:
    return max(MIN_CUE_MS, math.ceil(1000 * characters / CHARACTERS_PER_S))


def _break_costs(words: Sequence[Word]) -> list[float]:
    """Compute the cost of a break before each word and after the last one.

    Breaks at the edges of a phrase are free. Others are cheaper the longer the pause, after a long word, and before a
    short one.
    """
    costs = [0.0]
    for word, after in itertools.pairwise(words):
        gap_ms = to_ms(after.start_s) - to_ms(word.end_s)
        continuity = 1 - min(max(gap_ms, 0), PAUSE_MS) / PAUSE_MS
        costs.append(0.8 * continuity + 0.3 * (len(word.text) <= SHORT_WORD) + 0.2 * (len(after.text) > SHORT_WORD))
    return [*costs, 0.0]


def _cuts(words: Sequence[Word], break_costs: Sequence[float], end_ms: int, indent: int) -> list[int]:
    """Find the cheapest segmentation of a phrase: the first word of each cue, then the number of words.

    The cost of a cue is the squared fraction by which it falls short of two full lines or of `MAX_CUE_MS`, whichever is
    closer (so that cues are few and even), plus the seconds of reading time that are missing before the next words
    start or, for the last cue, before `end_ms`, plus the cost of the break at its end.
    """
    count = len(words)
    starts_ms = [to_ms(word.start_s) for word in words]
    next_ms = [*starts_ms, end_ms]
    spoken_ms = [0, *(to_ms(word.end_s) for word in words)]
    until_ms = [
        next_start if next_start - end < GAP_MS else end for next_start, end in zip(next_ms, spoken_ms, strict=True)
    ]
    edges = list(itertools.accumulate((len(word.text) + 1 for word in words), initial=0))
    second_ends = [*_line_ends(edges, LINE_CHARACTERS), count]
    two_line_ends = [second_ends[end] for end in _line_ends(edges, LINE_CHARACTERS - indent)]

    totals, previous_cuts = [0.0], [0]
    for last in range(1, count + 1):
        best, best_first = math.inf, last - 1
        for first in range(last - 1, -1, -1):
            shown_ms = until_ms[last] - starts_ms[first]
            if first < last - 1 and (two_line_ends[first] < last or shown_ms > MAX_CUE_MS):
                break
            characters = edges[last] - edges[first] - 1
            shortfall = 1 - max(characters / (2 * LINE_CHARACTERS), shown_ms / MAX_CUE_MS)
            missing_ms = max(MIN_CUE_MS, 1000 * characters / CHARACTERS_PER_S) - (next_ms[last] - starts_ms[first])
            total = totals[first] + shortfall * shortfall + max(missing_ms, 0) / 1000
            if total < best:
                best, best_first = total, first
        totals.append(best + break_costs[last])
        previous_cuts.append(best_first)
    cuts = [count]
    while cuts[-1]:
        cuts.append(previous_cuts[cuts[-1]])
    return cuts[::-1]


def _line_ends(edges: Sequence[int], width: int) -> list[int]:
    """For each word, find the first one that does not fit on a line starting with it; `edges` are the word starts."""
    ends, end = [], 0
    for first in range(len(edges) - 1):
        end = max(end, first + 1)
        while end + 1 < len(edges) and edges[end + 1] - edges[first] - 1 <= width:
            end += 1
        ends.append(end)
    return ends


def _lines(texts: Sequence[str], break_costs: Sequence[float], indent: int) -> tuple[str, ...]:
    """Break into two lines if one is too short: similar in length, preferably the second longer, at a cheap break."""
    if len(texts) == 1 or indent + len(" ".join(texts)) <= LINE_CHARACTERS:
        return (" ".join(texts),)
    best, result = math.inf, ()
    for k in range(1, len(texts)):
        lines = " ".join(texts[:k]), " ".join(texts[k:])
        top, bottom = indent + len(lines[0]), len(lines[1])
        if (top > LINE_CHARACTERS and k > 1) or (bottom > LINE_CHARACTERS and k < len(texts) - 1):
            continue
        uneven = max(bottom - top, 2 * (top - bottom)) / LINE_CHARACTERS
        if uneven * uneven + break_costs[k] < best:
            best, result = uneven * uneven + break_costs[k], lines
    return result


def _interleave(desired: list[Cue], duration_ms: int) -> list[Cue]:
    """Serialise the cues of several channels, which do not overlap within a channel.

    A cue is delayed until the previous one could be read, but at most by `LAG_MS` once that one has been shown for
    `MIN_CUE_MS`. The last cues start early if the recording would otherwise end before they are shown half as long.
    """
    needs_ms = [min(_reading_ms(len(" ".join(cue.lines))), cue.end_ms - cue.start_ms) for cue in desired]
    starts_ms, seen_ms, read_ms = [], 0, 0
    for cue, need_ms in zip(desired, needs_ms, strict=True):
        starts_ms.append(max(cue.start_ms, seen_ms, min(read_ms, cue.start_ms + LAG_MS)))
        seen_ms, read_ms = starts_ms[-1] + min(need_ms, MIN_CUE_MS), cue.start_ms + need_ms
    latest_ms = duration_ms
    for k in reversed(range(len(desired))):
        starts_ms[k] = latest_ms = max(min(starts_ms[k], latest_ms - min(needs_ms[k], MIN_CUE_MS) // 2), 0)
    return _without_overlap(
        [
            Cue(start_ms, max(cue.end_ms, start_ms + need_ms), cue.lines, cue.channel)
            for cue, start_ms, need_ms in zip(desired, starts_ms, needs_ms, strict=True)
        ],
        duration_ms,
    )


def _without_overlap(desired: list[Cue], duration_ms: int) -> list[Cue]:
    """Shorten cues, in order of their starts, where the next one or the end of the recording requires it."""
    limit_ms = max(duration_ms, len(desired))
    starts_ms, free_ms = [], 0
    for remaining, cue in zip(range(len(desired), 0, -1), desired, strict=True):
        starts_ms.append(max(min(cue.start_ms, limit_ms - remaining), free_ms))
        free_ms = starts_ms[-1] + 1
    result = []
    for cue, start_ms, next_ms in zip(desired, starts_ms, [*starts_ms, limit_ms][1:], strict=True):
        end_ms = max(cue.end_ms, start_ms + 1)
        if next_ms - end_ms < GAP_MS:
            end_ms = next_ms
        result.append(Cue(start_ms, min(end_ms, start_ms + MAX_CUE_MS), cue.lines, cue.channel))
    return result
