"""How well readable text is written: the error rate of the words as written, and the F1 of marks and capitals.

Words are aligned without marks and in lower case, with the fewest edits. A mark or capital is right where both words of
a pair have it; those of inserted words are wrong, those of deleted words are missed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asr.errors import DataError
from asr.readable.labels import LOWER, MARKS, LabelledWord, parse
from asr.scoring import f1, summary
from asr.scoring.alignment import align
from asr.scoring.f1 import F1
from asr.scoring.wer import Score, score

CAPITALS = "capitals"
LABELS = (*MARKS[1:], CAPITALS)
"""What is counted: each mark, and words that begin with a capital or are written in capitals."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One of `LABELS` in all texts, pooled."""

    label: str
    counts: F1
    interval: tuple[float, float] | None
    """95 %, by a bootstrap over the texts; None where no text has the label."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `label`, `f1` (a fraction or null), `interval` (`low`, `high`; or null), and
        the counts `correct`, `predicted`, `reference`."""
        interval = None if self.interval is None else dict(zip(("low", "high"), self.interval, strict=True))
        return {"label": self.label, "f1": self.counts.rate, "interval": interval, **asdict(self.counts)}


@dataclass(frozen=True)
class ReadableScore:
    """The score of written text."""

    score: Score
    """Words with their marks and capitals: each of them that is wrong makes the word wrong."""
    labels: tuple[LabelScore, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `words` as in `asr.scoring.summary.report`, and `labels`."""
        return {"words": summary.report(self.score)["words"], "labels": [label.to_dict() for label in self.labels]}


def score_readable(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    speakers: Sequence[str | None] | None = None,
) -> ReadableScore:
    """Compare written texts with written references, both as they are.

    Raises:
        DataError: no reference has a capital among small letters, or a mark.
    """
    check(references)
    return ReadableScore(
        score(references, hypotheses, ids=ids, speakers=speakers), score_labels(references, hypotheses)
    )


def check(references: Sequence[str]) -> None:
    """Raise DataError unless there is a reference with a capital among small letters, or a mark."""
    if not any(map(is_written, references)):
        raise DataError(
            "A score of readable text needs references with punctuation and capitals, but these are words alone: "
            "give their texts as they are written."
        )


def is_written(reference: str) -> bool:
    """Whether a reference has marks, or both capitals and small letters."""
    return any(word.mark for word in parse(reference)) or reference not in (reference.upper(), reference.lower())


def score_labels(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[LabelScore, ...]:
    """The F1 of each of `LABELS`."""
    of_texts = [_counts(parse(one), parse(other)) for one, other in zip(references, hypotheses, strict=True)]
    scores = []
    for label, counts in zip(LABELS, zip(*of_texts, strict=True), strict=True):
        pooled = F1(*np.sum([(one.correct, one.predicted, one.reference) for one in counts], axis=0).tolist())
        scores.append(LabelScore(label, pooled, f1.interval(counts)))
    return tuple(scores)


def render(readable: ReadableScore) -> str:
    """A table in plain text; no newline at the end."""
    document = readable.to_dict()
    words = document["words"]
    right = words["reference"] - words["substitutions"] - words["deletions"]
    counts = (right, right + words["substitutions"] + words["insertions"], words["reference"])
    rows = [
        ("readable text", "rate", "95 % interval", "right", "written", "in reference"),
        ("words (WER)", _percent(words["rate"]), _span(words["interval"]), *(f"{count:,}" for count in counts)),
    ]
    for one in document["labels"]:
        counts = (one[name] for name in ("correct", "predicted", "reference"))
        rates = (f"{one['label']} (F1)", _percent(one["f1"]), _span(one["interval"]))
        rows.append((*rates, *(f"{count:,}" for count in counts)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)


def _percent(rate: float | None) -> str:
    """A fraction in percent."""
    return "undefined" if rate is None else f"{100 * rate:.2f} %"


def _span(interval: dict[str, Any] | None) -> str:
    return "-" if interval is None else f"{100 * interval['low']:.2f} - {100 * interval['high']:.2f} %"


def _counts(reference: Sequence[LabelledWord], hypothesis: Sequence[LabelledWord]) -> list[F1]:
    """The counts of each of `LABELS` in one text."""
    pairs = _aligned(reference, hypothesis)
    marks = np.array([[word.mark if word else 0 for word in pair] for pair in pairs], dtype=int).reshape(-1, 2)
    cases = np.array([[word is not None and word.case != LOWER for word in pair] for pair in pairs]).reshape(-1, 2)
    of_marks = [f1.count(marks[:, 0], marks[:, 1], mark) for mark in range(1, len(MARKS))]
    return [*of_marks, f1.count(cases[:, 0], cases[:, 1], True)]


def _aligned(
    reference: Sequence[LabelledWord], hypothesis: Sequence[LabelledWord]
) -> list[tuple[LabelledWord | None, LabelledWord | None]]:
    """Pairs of words, None where a text has none."""
    said, written = iter(reference), iter(hypothesis)
    return [
        (
            None if pair.reference is None else next(said),
            None if pair.hypothesis is None else next(written),
        )
        for pair in align([word.text for word in reference], [word.text for word in hypothesis])
    ]
