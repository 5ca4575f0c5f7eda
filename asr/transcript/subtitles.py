"""Subtitles: segment words into readable cues.

The limits are those of the usual guides (Netflix's Timed Text Style Guide, the BBC's Subtitle Guidelines). Among all
segmentations within these limits, dynamic programming finds the one of minimum cost, as Knuth and Plass (1981) break
paragraphs into lines. A cue ends where a sentence does. Where the words have no punctuation, and within sentences, two
heuristics replace it: speakers pause at the end of a phrase, and a short word (an article, a preposition, a
conjunction) mostly belongs to the next one.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr.transcript.words import PAUSE_MS, TimedText, Word, label, phrases, to_ms

CHARACTERS_PER_S = 17
"""Reading speed."""
MIN_CUE_MS = 1_000
"""Minimum duration of a cue, if the next words and the end of the recording leave room for it."""
MAX_CUE_MS = 7_000
"""Maximum duration of a cue."""
GAP_MS = 500
"""Minimum gap between cues; to avoid flicker, a cue is extended over a shorter one, but for `TWO_FRAMES_MS`."""
TWO_FRAMES_MS = 84
"""Gap that remains before the next cue, so that the change is seen: two frames of a film, 24 in a second."""
LAG_MS = 2_500
"""Maximum delay of a cue while simultaneous speech on another channel is being read."""
AFTER_COMMA = 0.3
"""Share of the cost of a break without a pause that is left after a comma."""
SHORT_WORD = 3
"""Maximum length in characters of a word that should start a line rather than end one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The room for the text of a cue."""

    line_characters: int = 42
    """Maximum length of a line. A longer word gets a line of its own, unbroken."""
    lines: int = 2
    """Maximum number of lines."""


STANDARD = Layout()


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle: `lines` of one channel, shown from `start_ms` until just before `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    channel: int | None = None
    other: int | None = None
    """In cross-talk, the channel of the second of two lines."""


def cues(transcript: TimedText, layout: Layout = STANDARD) -> list[Cue]:
    """Segment a transcript into readable cues, in order of time.

    Every word is in exactly one cue, and the words of a channel keep their order. A cue contains words of one channel
    without a pause of `PAUSE_MS` between them, the first line with room for the channel's `label`; in cross-talk, a
    line each of two channels. Cues do not overlap; each lasts at least 1 ms and ends no later than the recording (which
    is assumed to last at least 1 ms per cue). Times are integer milliseconds, so that the writers need not round.
    """
    channels: dict[int | None, list[Word]] = {}
    for word in transcript.words:
        channels.setdefault(word.channel, []).append(word)
    duration_ms = to_ms(transcript.duration_s)
    by_channel = [_one_channel(words, duration_ms, layout) for words in channels.values()]
    if len(by_channel) == 1:
        return by_channel[0]
    desired = sorted(itertools.chain(*by_channel), key=lambda cue: cue.start_ms)
    return _interleave(_with_crosstalk(desired, layout) if layout.lines > 1 else desired, duration_ms)


def _one_channel(words: list[Word], duration_ms: int, layout: Layout) -> list[Cue]:
    """The cues of one channel, each as long as it should be shown if there were no other."""
    channel, channel_phrases = words[0].channel, list(phrases(words))
    ends_ms = [*(to_ms(phrase[0].start_s) for phrase in channel_phrases[1:]), duration_ms]
    desired = []
    for phrase, end_ms in zip(channel_phrases, ends_ms, strict=True):
        costs = _break_costs(phrase)
        for first, last in itertools.pairwise(_cuts(phrase, costs, end_ms, len(label(channel)), layout)):
            texts = [word.text for word in phrase[first:last]]
            start_ms = to_ms(phrase[first].start_s)
            shown_ms = max(to_ms(phrase[last - 1].end_s) - start_ms, _reading_ms(len(" ".join(texts))))
            lines = _lines(texts, costs[first : last + 1], len(label(channel)), layout)
            desired.append(Cue(start_ms, start_ms + shown_ms, lines, channel))
    return _without_overlap(desired, duration_ms)


def _reading_ms(characters: int) -> int:
    return max(MIN_CUE_MS, math.ceil(1000 * characters / CHARACTERS_PER_S))


def _break_costs(words: Sequence[Word]) -> list[float]:
    """Compute the cost of a break before each word and after the last one.

    Breaks at the edges of a phrase are free. Others are cheaper the longer the pause, after a comma, after a long word,
    and before a short one.
    """
    costs = [0.0]
    for word, after in itertools.pairwise(words):
        gap_ms = to_ms(after.start_s) - to_ms(word.end_s)
        continuity = 1 - min(max(gap_ms, 0), PAUSE_MS) / PAUSE_MS
        if word.text.endswith(","):
            continuity *= AFTER_COMMA
        costs.append(0.8 * continuity + 0.3 * (len(word.text) <= SHORT_WORD) + 0.2 * (len(after.text) > SHORT_WORD))
    return [*costs, 0.0]


def _cuts(words: Sequence[Word], break_costs: Sequence[float], end_ms: int, indent: int, layout: Layout) -> list[int]:
    """Find the cheapest segmentation of a phrase: the first word of each cue, then the number of words.

    The cost of a cue is the squared fraction by which it falls short of full lines or of `MAX_CUE_MS`, whichever is
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
    next_line_ends = [*_line_ends(edges, layout.line_characters), count]
    cue_ends = _line_ends(edges, layout.line_characters - indent)
    for _ in range(layout.lines - 1):
        cue_ends = [next_line_ends[end] for end in cue_ends]
    full = layout.lines * layout.line_characters

    totals, previous_cuts = [0.0], [0]
    for last in range(1, count + 1):
        best, best_first = math.inf, last - 1
        for first in range(last - 1, -1, -1):
            shown_ms = until_ms[last] - starts_ms[first]
            if first < last - 1 and (cue_ends[first] < last or shown_ms > MAX_CUE_MS):
                break
            characters = edges[last] - edges[first] - 1
            shortfall = 1 - max(characters / full, shown_ms / MAX_CUE_MS)
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


def _lines(texts: Sequence[str], break_costs: Sequence[float], indent: int, layout: Layout) -> tuple[str, ...]:
    """Break into as few lines as fit: similar in length, preferably later ones longer, at cheap breaks."""
    for breaks in range(layout.lines):
        best, result = math.inf, ()
        for places in itertools.combinations(range(1, len(texts)), breaks):
            parts = [texts[first:last] for first, last in itertools.pairwise([0, *places, len(texts)])]
            lengths = [indent * (k == 0) + len(" ".join(part)) for k, part in enumerate(parts)]
            if any(n > layout.line_characters and len(part) > 1 for n, part in zip(lengths, parts, strict=True)):
                continue
            uneven = (
                max(below - above, 2 * (above - below)) / layout.line_characters
                for above, below in itertools.pairwise(lengths)
            )
            cost = sum(share * share for share in uneven) + sum(break_costs[place] for place in places)
            if cost < best:
                best, result = cost, tuple(" ".join(part) for part in parts)
        if result:
            return result
    return (" ".join(texts),)


def _with_crosstalk(desired: list[Cue], layout: Layout) -> list[Cue]:
    """Join two cues that overlap, of a line each and of two channels, as subtitles show two speakers at once."""
    result: list[Cue] = []
    for cue in desired:
        before = result[-1] if result else cue
        if (
            before.other is None
            and cue.channel != before.channel
            and cue.start_ms < min(before.end_ms, before.start_ms + LAG_MS)
            and all(
                len(one.lines) == 1 and len(crosstalk_line(one.channel, one.lines[0])) <= layout.line_characters
                for one in (before, cue)
            )
        ):
            read_ms = before.start_ms + _reading_ms(len(before.lines[0]) + len(cue.lines[0]))
            end_ms = max(before.end_ms, cue.end_ms, read_ms)
            result[-1] = Cue(before.start_ms, end_ms, before.lines + cue.lines, before.channel, cue.channel)
        else:
            result.append(cue)
    return result


def crosstalk_line(channel: int | None, line: str) -> str:
    """The line of one of two speakers: a hyphen, the channel's label and the text."""
    return f"- {label(channel)}{line}"


def _interleave(desired: list[Cue], duration_ms: int) -> list[Cue]:
    """Serialise the cues of several channels, which do not overlap within a channel.

    A cue is delayed until the previous one could be read, but at most by `LAG_MS` once that one has been shown for
    `MIN_CUE_MS`. The last cues start early if the recording would otherwise end before they are shown half as long.
    """
    needs_ms = [min(_reading_ms(len(" ".join(cue.lines))), cue.end_ms - cue.start_ms) for cue in desired]
    starts_ms, seen_ms, read_ms = [], 0, 0
    for cue, need_ms in zip(desired, needs_ms, strict=True):
        starts_ms.append(max(cue.start_ms, seen_ms, min(read_ms, cue.start_ms + LAG_MS)))
        seen_ms, read_ms = starts_ms[-1] + min(need_ms, MIN_CUE_MS) + TWO_FRAMES_MS, cue.start_ms + need_ms
    latest_ms = duration_ms
    for k in reversed(range(len(desired))):
        starts_ms[k] = max(min(starts_ms[k], latest_ms - min(needs_ms[k], MIN_CUE_MS) // 2), 0)
        latest_ms = starts_ms[k] - TWO_FRAMES_MS
    return _without_overlap(
        [
            replace(cue, start_ms=start_ms, end_ms=max(cue.end_ms, start_ms + need_ms))
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
            gap_ms = min(TWO_FRAMES_MS, (next_ms - start_ms) // 2) if len(result) + 1 < len(desired) else 0
            end_ms = next_ms - gap_ms
        result.append(replace(cue, start_ms=start_ms, end_ms=min(end_ms, start_ms + MAX_CUE_MS)))
    return result
