"""A score as people read it, and as programs do: every rate with its counts and its interval."""

from dataclasses import asdict
from typing import Any

import numpy as np

from asr.scoring.intervals import Interval, bootstrap
from asr.scoring.wer import Counts, Score


def report(score: Score) -> dict[str, Any]:
    """One object for JSON.

    - `utterances`: their number
    - `words`: `rate`, `errors`, `substitutions`, `deletions`, `insertions`, `reference`, and `interval`, an object of
      `low`, `high`, `confidence`, `by` ("utterance" or "speaker"), `units`, `draws`
    - `characters`: the same; a space between words is a character
    - `sentences`: `rate`, `errors` (utterances with a word error), `total`

    Rates are fractions of 1; a rate is null where there is nothing to divide by, an interval where there is none.
    """
    total = len(score.utterances)
    words = [utterance.words for utterance in score.utterances]
    characters = [utterance.characters for utterance in score.utterances]
    return {
        "utterances": total,
        "words": score.words.to_dict() | {"interval": _interval(words, score)},
        "characters": score.characters.to_dict() | {"interval": _interval(characters, score)},
        "sentences": {"rate": score.sentence_errors / total, "errors": score.sentence_errors, "total": total},
    }


def _interval(counts: list[Counts], score: Score) -> dict[str, Any] | None:
    """By speaker when every utterance has one and there are two or more, else by utterance."""
    speakers = [utterance.speaker for utterance in score.utterances if utterance.speaker is not None]
    by_speaker = len(speakers) == len(score.utterances) and len(set(speakers)) > 1
    interval: Interval | None = bootstrap(
        np.array([each.errors for each in counts]),
        np.array([each.reference for each in counts]),
        groups=speakers if by_speaker else None,
    )
    return None if interval is None else asdict(interval)


def render(score: Score) -> str:
    """The same as a table of plain text: rates in percent, a last line on the intervals, no newline at the end."""
    data = report(score)
    words, characters, sentences = data["words"], data["characters"], data["sentences"]
    interval = words["interval"]
    if interval is None:
        confidence = "interval"
        note = "No interval: it takes at least two utterances and one reference word."
    else:
        confidence = f"{100 * interval['confidence']:.0f} % interval"
        note = (
            f"Interval: percentile bootstrap by {interval['by']}, "
            f"{interval['draws']:,} draws of {interval['units']:,} {interval['by']}s."
        )
    wrong, total = f"{sentences['errors']:,}", f"{sentences['total']:,}"
    rows = [
        ("", "rate", confidence, "errors", "substituted", "deleted", "inserted", "reference"),
        ("words (WER)", *_cells(words)),
        ("characters (CER)", *_cells(characters)),
        ("sentences (SER)", _percent(sentences["rate"]), "", wrong, "", "", "", total),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([*lines, "", note])


def _cells(counts: dict[str, Any]) -> tuple[str, ...]:
    interval = counts["interval"]
    return (
        _percent(counts["rate"]),
        "-" if interval is None else f"{100 * interval['low']:.2f} - {100 * interval['high']:.2f} %",
        *(f"{counts[name]:,}" for name in ("errors", "substitutions", "deletions", "insertions", "reference")),
    )


def _percent(rate: float | None) -> str:
    return "undefined" if rate is None else f"{100 * rate:.2f} %"
