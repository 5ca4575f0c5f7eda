"""The results of tuning, as text and as a plot."""

from collections.abc import Sequence
from pathlib import Path

from asr.evaluation.tuning import Stage, Trial, Tuned, as_rows
from asr.report import grid
from asr.scoring.compare import compare
from asr.scoring.intervals import Difference
from asr.scoring.summary import report


def table(stages: Sequence[Stage]) -> str:
    """A table of the scores of all stages on the dev set, with the change in WER from each stage to the next."""
    cells = [("", "WER", "95 % interval", "CER", "change in WER")]
    for index, stage in enumerate(stages):
        data = report(stage.score)
        interval = data["words"]["interval"]
        change = compare(stages[index - 1].score, stage.score).difference if index else None
        cells.append(
            (
                stage.name,
                f"{100 * (stage.score.words.rate or 0):.2f} %",
                "-" if interval is None else f"{100 * interval['low']:.2f} - {100 * interval['high']:.2f} %",
                f"{100 * (stage.score.characters.rate or 0):.2f} %",
                "" if change is None else _change(change),
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in cells
    )


def _change(change: Difference) -> str:
    rate = f"{100 * change.rate:+.2f}"
    if change.interval is None:
        return rate
    return f"{rate} ({100 * change.interval.low:+.2f} to {100 * change.interval.high:+.2f})"


def grid_of(tuned: Tuned) -> str:
    """A table of the WER in percent over the grid of weights, with the best pair marked."""
    best = min(tuned.trials)
    rows = list(as_rows(tuned.trials))
    lines = ["WER in percent    word bonus", "LM weight " + "".join(f"{bonus:8g} " for bonus in rows[0][1])]
    for weight, row in rows:
        rates = [f"{_percent(tuned, trial):8.2f}{'*' if trial == best else ' '}" for trial in row.values()]
        lines.append(f"{weight:9g} " + "".join(rates))
    return "\n".join(["", *lines, ""])


def _percent(tuned: Tuned, trial: Trial) -> float:
    return 100 * trial.words / max(1, tuned.stages[0].score.words.reference)


def confidence(tuned: Tuned) -> str:
    """A sentence on the temperature, and the calibration error before and after."""
    before, after = tuned.before, tuned.after
    auc = "undefined" if after.auc is None else f"{after.auc:.3f}"
    return (
        f"Confidence: temperature {tuned.settings.temperature:g}, calibration error {100 * before.error:.1f} % -> "
        f"{100 * after.error:.1f} %, AUC {auc}."
    )


def draw(tuned: Tuned, picture: Path) -> None:
    """Draw the grid of WERs as a PNG."""
    best, rows = min(tuned.trials), list(as_rows(tuned.trials))
    rates = [[_percent(tuned, trial) for trial in row.values()] for _, row in rows]
    grid.draw([weight for weight, _ in rows], list(rows[0][1]), rates, (best.lm_weight, best.word_bonus), picture)
