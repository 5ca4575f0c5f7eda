"""Subtitles: words cut into cues that people can read.

The limits are those of the usual guides (Netflix's Timed Text Style Guide, the BBC's Subtitle Guidelines). Of all cuts
that keep them, the cheapest is found by dynamic programming, as Knuth and Plass (1981) break paragraphs into lines.
The words bring neither punctuation nor grammar, so two signs stand for both: people pause where a phrase ends, and a
short word (an article, a preposition, a conjunction) mostly belongs to the next one.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr.transcript.words import PAUSE_MS, TimedText, Word, label, phrases, to_ms

LINE_CHARACTERS = 42
"""The longest line of a cue, which has two lines at most; a longer word stands alone on its line, uncut."""
CHARACTERS_PER_S = 17
"""How fast people read."""
MIN_CUE_MS = 1_000
"""The shortest time a cue is shown, where the next words and the end of the sound leave room for it."""
MAX_CUE_MS = 7_000
"""The longest time a cue is shown."""
GAP_MS = 500
"""A shorter time without a cue would flicker: the cue before it is shown until the next one begins."""
LAG_MS = 2_500
"""How late a cue may begin while people read what was said on another channel at the same time."""
SHORT_WORD = 3
"""The longest word, in characters, that should rather begin a line than end one."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What a player shows at one time: `lines` from `start_ms` until just before `end_ms`, said on one channel."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    channel: int | None = None


def cues(transcript: TimedText) -> list[Cue]:
    """Cut a transcript into cues that people can read, in order of time.

    Every word stands in exactly one cue, and the words of a channel keep their order. A cue holds words of one channel
    without a pause of `PAUSE_MS` between them, on two lines at most, the first with room for the channel's `label`.
    Cues follow each other without overlap; each lasts 1 ms or more and ends with the sound at the latest (a sound of
    less than a millisecond for each cue counts as that long). Times are whole milliseconds from here on, so that the
    writers round nothing.
    """
    channels: dict[int | None, list[Word]] = {}
    for word in transcript.words:
        channels.setdefault(word.channel, []).append(word)
    duration_ms = to_ms(transcript.duration_s)
    alone = [_one_channel(words, duration_ms) for words in channels.values()]
    if len(alone) == 1:
        return alone[0]
    return _crosstalk(sorted(itertools.chain(*alone), key=lambda cue: cue.start_ms), duration_ms)


def _one_channel(words: list[Word], duration_ms: int) -> list[Cue]:
    channel, found = words[0].channel, list(phrases(words))
    ends_ms = [*(to_ms(phrase[0].start_s) for phrase in found[1:]), duration_ms]
    wished = []
    for phrase, end_ms in zip(found, ends_ms, strict=True):
        costs = _break_costs(phrase)
        for first, last in itertools.pairwise(_cuts(phrase, costs, end_ms, len(label(channel)))):
            texts = [word.text for word in phrase[first:last]]
            start_ms = to_ms(phrase[first].start_s)
            shown_ms = max(to_ms(phrase[last - 1].end_s) - start_ms, _reading_ms(len(" ".join(texts))))
            lines = _lines(texts, costs[first : last + 1], len(label(channel)))
            wished.append(Cue(start_ms, start_ms + shown_ms, lines, channel))
    return _apart(wished, duration_ms)


def _reading_ms(characters: int) -> int:
    return max(MIN_CUE_MS, math.ceil(1000 * characters / CHARACTERS_PER_S))


def _break_costs(words: Sequence[Word]) -> list[float]:
    """What it costs to break before each word and after the last one: nothing at the edges of a phrase.

    Elsewhere a break costs less the more of a pause there is, and less after a long word and before a short one.
    """
    costs = [0.0]
    for word, after in itertools.pairwise(words):
        gap_ms = to_ms(after.start_s) - to_ms(word.end_s)
        hold = 1 - min(max(gap_ms, 0), PAUSE_MS) / PAUSE_MS
        costs.append(0.8 * hold + 0.3 * (len(word.text) <= SHORT_WORD) + 0.2 * (len(after.text) > SHORT_WORD))
    return [*costs, 0.0]


def _cuts(words: Sequence[Word], break_costs: Sequence[float], end_ms: int, indent: int) -> list[int]:
    """Where the cheapest cues of a phrase begin, and the number of its words.

    A cue costs the square of what it lacks to two full lines or to `MAX_CUE_MS`, as a share (so that cues are few and
    alike), each second that it lacks to be read before the next words come or, for the last, before `end_ms`, and the
    cost of the break at its end.
    """
    count = len(words)
    starts_ms = [to_ms(word.start_s) for word in words]
    next_ms = [*starts_ms, end_ms]
    spoken_ms = [0, *(to_ms(word.end_s) for word in words)]
    until_ms = [after if after - end < GAP_MS else end for after, end in zip(next_ms, spoken_ms, strict=True)]
    edges = list(itertools.accumulate((len(word.text) + 1 for word in words), initial=0))
    second_ends = [*_line_ends(edges, LINE_CHARACTERS), count]
    reach = [second_ends[end] for end in _line_ends(edges, LINE_CHARACTERS - indent)]

    totals, before = [0.0], [0]
    for last in range(1, count + 1):
        best, best_first = math.inf, last - 1
        for first in range(last - 1, -1, -1):
            lasts_ms = until_ms[last] - starts_ms[first]
            if first < last - 1 and (reach[first] < last or lasts_ms > MAX_CUE_MS):
                break
            characters = edges[last] - edges[first] - 1
            empty = 1 - max(characters / (2 * LINE_CHARACTERS), lasts_ms / MAX_CUE_MS)
            hurry_ms = max(MIN_CUE_MS, 1000 * characters / CHARACTERS_PER_S) - (next_ms[last] - starts_ms[first])
            total = totals[first] + empty * empty + max(hurry_ms, 0) / 1000
            if total < best:
                best, best_first = total, first
        totals.append(best + break_costs[last])
        before.append(best_first)
    cuts = [count]
    while cuts[-1]:
        cuts.append(before[cuts[-1]])
    return cuts[::-1]


def _line_ends(edges: Sequence[int], width: int) -> list[int]:
    """For each word, the first that no longer fits on a line which begins with it; `edges` are where words begin."""
    ends, end = [], 0
    for first in range(len(edges) - 1):
        end = max(end, first + 1)
        while end + 1 < len(edges) and edges[end + 1] - edges[first] - 1 <= width:
            end += 1
        ends.append(end)
    return ends


def _lines(texts: Sequence[str], break_costs: Sequence[float], indent: int) -> tuple[str, ...]:
    """One line if the words fit in it, else two: alike in length, rather the second longer, at a cheap break."""
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


def _crosstalk(wished: list[Cue], duration_ms: int) -> list[Cue]:
    """Show the cues of several channels, which do not overlap within a channel, one after the other.

    A cue waits until the one before it could be read, but `LAG_MS` at most if that one has been shown `MIN_CUE_MS`. The
    last ones come early where the sound would end before they are shown half as long.
    """
    needs_ms = [min(_reading_ms(len(" ".join(cue.lines))), cue.end_ms - cue.start_ms) for cue in wished]
    starts_ms, seen_ms, read_ms = [], 0, 0
    for cue, need_ms in zip(wished, needs_ms, strict=True):
        starts_ms.append(max(cue.start_ms, seen_ms, min(read_ms, cue.start_ms + LAG_MS)))
        seen_ms, read_ms = starts_ms[-1] + min(need_ms, MIN_CUE_MS), cue.start_ms + need_ms
    latest_ms = duration_ms
    for k in reversed(range(len(wished))):
        starts_ms[k] = latest_ms = max(min(starts_ms[k], latest_ms - min(needs_ms[k], MIN_CUE_MS) // 2), 0)
    return _apart(
        [
            Cue(start_ms, max(cue.end_ms, start_ms + need_ms), cue.lines, cue.channel)
            for cue, start_ms, need_ms in zip(wished, starts_ms, needs_ms, strict=True)
        ],
        duration_ms,
    )


def _apart(wished: list[Cue], duration_ms: int) -> list[Cue]:
    """Cues in order of their starts, shown as long as they wish where the next one and the sound's end allow it."""
    limit_ms = max(duration_ms, len(wished))
    starts_ms, free_ms = [], 0
    for left, cue in zip(range(len(wished), 0, -1), wished, strict=True):
        starts_ms.append(max(min(cue.start_ms, limit_ms - left), free_ms))
        free_ms = starts_ms[-1] + 1
    result = []
    for cue, start_ms, next_ms in zip(wished, starts_ms, [*starts_ms, limit_ms][1:], strict=True):
        end_ms = max(cue.end_ms, start_ms + 1)
        if next_ms - end_ms < GAP_MS:
            end_ms = next_ms
        result.append(Cue(start_ms, min(end_ms, start_ms + MAX_CUE_MS), cue.lines, cue.channel))
    return result
