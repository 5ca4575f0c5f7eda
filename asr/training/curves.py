"""The learning curves of a run as a picture."""

from pathlib import Path

from asr.training.display import Epoch


def percent(rate: float | None) -> float:
    """A rate for an axis that has no zero: 0.1 % stands for anything below."""
    return max(0.1, 100 * (rate or 0))


def draw(epochs: list[Epoch], path: Path, title: str) -> None:
    """Loss, dev WER and CER over the epochs, the best epoch marked, as a PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    numbers = [epoch.epoch for epoch in epochs]
    best = min(epochs, key=lambda epoch: (epoch.dev_wer or 0, epoch.dev_cer or 0))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    rates, loss = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    rates.plot(numbers, [percent(epoch.dev_wer) for epoch in epochs], color="#0072b2", label="dev WER")
    rates.plot(numbers, [percent(epoch.dev_cer) for epoch in epochs], color="#d55e00", linestyle="--", label="dev CER")
    rates.plot(best.epoch, percent(best.dev_wer), "o", color="#0072b2")
    note = f"{100 * (best.dev_wer or 0):.2f} %, epoch {best.epoch}"
    rates.annotate(note, (best.epoch, percent(best.dev_wer)), (0, 8), textcoords="offset points", ha="center")
    rates.set(ylabel="errors, %", title=title)
    rates.legend()
    loss.plot(numbers, [epoch.loss for epoch in epochs], color="#444444")
    loss.set(xlabel="epoch", ylabel="CTC loss a token")
    for axes in (rates, loss):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
