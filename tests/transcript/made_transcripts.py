"""Transcripts shared by the tests of all formats."""

from hypothesis import strategies as st

from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word

SPACELESS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=14)
MARKS = [
    "-->",
    "&amp;",
    "&",
    "<b>",
    "</i>",
    "<v",
    '"',
    "'",
    "{\\an8}",
    "12",
    "NOTE",
    "WEBVTT",
    "00:00:01.000",
    "1:",
    ";;",
]
TEXTS = st.one_of(SPACELESS, st.sampled_from([*MARKS, "x" * 42, "y" * 43, "z" * 90]))


@st.composite
def one_channel(draw: st.DrawFn) -> Transcript:
    """Words in order of time: adjacent, simultaneous, far apart, shorter than a millisecond, past hour 100."""
    steps = st.one_of(st.just(0.0), st.floats(0, 0.003), st.floats(0, 1), st.sampled_from([0.699, 0.7, 8.0]))
    now = draw(st.sampled_from([0.0, 0.0004, 59.9996, 360_000.0]))
    words = []
    for text in draw(st.lists(TEXTS, max_size=20)):
        start = now + draw(steps)
        now = start + draw(steps)
        words.append(Word(text, start, now, draw(st.floats(0, 1))))
    return Transcript(tuple(words), draw(st.one_of(st.floats(0, 5).map(lambda rest: now + rest), st.floats(0, 5))))


def transcripts() -> st.SearchStrategy[Transcript]:
    """Transcripts of mixed channels, and of one to three separate channels."""
    return one_channel() | st.lists(one_channel(), min_size=1, max_size=3).map(merged)


def by_channel(words: tuple[Word, ...]) -> dict[int | None, list[Word]]:
    channels: dict[int | None, list[Word]] = {}
    for word in words:
        channels.setdefault(word.channel, []).append(word)
    return channels


SMALL = Transcript(
    (
        Word("so", 0.08, 0.24, 0.98765),
        Word("<ah>", 0.2404, 0.5, 0.5),
        Word("q&a", 1.2, 1.4, 1.0),
        Word("für", 3661.0006, 3662.5, 0.25),
    ),
    duration_s=3663.00049,
    source="talk.wav",
    model="small.onnx",
)
