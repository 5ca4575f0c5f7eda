"""The learning curves of a run as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from asr.training.task import Column

COLOURS, STYLES = ("#0072b2", "#d55e00"), ("-", "--")
"""Of the first and second figure of the dev part; distinguishable without colour, too."""


def height(column: Column, value: float | None) -> float:
    """A figure for an axis that has no zero: values below a thousandth of the displayed unit are drawn there."""
    return max(0.001 * column.scale, column.scale * (value or 0))


def draw(metrics: Sequence[Mapping[str, float]], columns: Sequence[Column], path: Path, title: str) -> None:
    """Loss and the figures of the dev part over the epochs, the best epoch marked, as a PNG.

    `metrics` are the lines of metrics.jsonl; less is better, by the first of the `columns`, then by the second.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    numbers = [epoch["epoch"] for epoch in metrics]
    best = min(metrics, key=lambda epoch: tuple(epoch[column.name] or 0 for column in columns))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    dev, loss = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for column, colour, style in zip(columns, COLOURS, STYLES, strict=False):
        values = [height(column, epoch[column.name]) for epoch in metrics]
        dev.plot(numbers, values, color=colour, linestyle=style, label=column.title)
    first = columns[0]
    peak = (best["epoch"], height(first, best[first.name]))
    dev.plot(*peak, "o", color=COLOURS[0])
    note = f"{first.show(best[first.name])}, epoch {best['epoch']}"
    dev.annotate(note, peak, (0, 8), textcoords="offset points", ha="center")
    dev.set(title=title)
    dev.legend()
    loss.plot(numbers, [epoch["loss"] for epoch in metrics], color="#444444")
    loss.set(xlabel="epoch", ylabel="loss a token, nats")
    for axes in (dev, loss):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
