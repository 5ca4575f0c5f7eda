"""Summary of a score as text and as JSON: every rate with its counts and interval."""

from dataclasses import asdict
from typing import Any

import numpy as np

from asr.scoring.alignment import RULES
from asr.scoring.intervals import FEW_UNITS, MIN_UNITS, bootstrap, groups
from asr.scoring.wer import Counts, Score


def report(score: Score) -> dict[str, Any]:
    """The score as an object for JSON.

    - `utterances`: their number
    - `rule`: of the word alignment, "fewest" or "sclite"
    - `words`: `rate`, `errors`, `substitutions`, `deletions`, `insertions`, `reference`, and `interval`, an object of
      `low`, `high`, `confidence`, `by` ("utterance" or "speaker"), `units`, `draws`
    - `characters`: the same; a space between words is a character
    - `sentences`: `rate`, `errors` (utterances with a word error), `total`

    Rates are fractions; a rate is null if its denominator is 0, and an interval is null if there is too little data.
    """
    total = len(score.utterances)
    words = [utterance.words for utterance in score.utterances]
    characters = [utterance.characters for utterance in score.utterances]
    return {
        "utterances": total,
        "rule": score.rule,
        "words": score.words.to_dict() | {"interval": _interval(words, score)},
        "characters": score.characters.to_dict() | {"interval": _interval(characters, score)},
        "sentences": {"rate": score.sentence_errors / total, "errors": score.sentence_errors, "total": total},
    }


def _interval(counts: list[Counts], score: Score) -> dict[str, Any] | None:
    interval = bootstrap(
        np.array([count.errors for count in counts]),
        np.array([count.reference for count in counts]),
        groups([utterance.speaker for utterance in score.utterances]),
    )
    return None if interval is None else asdict(interval)


def remarks(interval: dict[str, Any] | None, score: Score) -> list[str]:
    """Remarks on the interval of the WER, as in `report`: its method, or why there is none, and warnings."""
    if interval is None:
        return [f"No interval: it takes at least {MIN_UNITS} utterances, a reference word and an error."]
    by, units = interval["by"], interval["units"]
    lines = [f"Interval: bootstrap by {by}, {interval['draws']:,} draws of {units:,} {by}s."]
    if units < FEW_UNITS:
        lines.append(f"Warning: with only {units} {by}s the interval is imprecise.")
    speakers = {utterance.speaker for utterance in score.utterances}
    if by == "utterance" and None not in speakers:
        known = "1 speaker" if len(speakers) == 1 else f"{len(speakers)} speakers"
        lines.append(
            f"Warning: {known} cannot represent others; the interval does not account for differences between speakers."
        )
    return lines


def render(score: Score) -> str:
    """Render the score as a plain-text table with rates in percent, then remarks; no newline at the end."""
    data = report(score)
    words, characters, sentences = data["words"], data["characters"], data["sentences"]
    interval = words["interval"]
    confidence = "interval" if interval is None else f"{100 * interval['confidence']:.0f} % interval"
    wrong, total = f"{sentences['errors']:,}", f"{sentences['total']:,}"
    rows = [
        ("", "rate", confidence, "errors", "substituted", "deleted", "inserted", "reference"),
        ("words (WER)", *_cells(words)),
        ("characters (CER)", *_cells(characters)),
        ("sentences (SER)", _percent(sentences["rate"]), "", wrong, "", "", "", total),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([*lines, "", f"Words aligned by: {RULES[score.rule]}.", *remarks(interval, score)])


def _cells(counts: dict[str, Any]) -> tuple[str, ...]:
    interval = counts["interval"]
    return (
        _percent(counts["rate"]),
        "-" if interval is None else f"{100 * interval['low']:.2f} - {100 * interval['high']:.2f} %",
        *(f"{counts[name]:,}" for name in ("errors", "substitutions", "deletions", "insertions", "reference")),
    )


def _percent(rate: float | None) -> str:
    return "undefined" if rate is None else f"{100 * rate:.2f} %"
