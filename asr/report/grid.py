"""Plot of the word error rate over LM weight and word bonus."""

from collections.abc import Sequence
from pathlib import Path

from asr.files import replacing


def draw(
    weights: Sequence[float],
    bonuses: Sequence[float],
    rates: Sequence[Sequence[float]],
    best: tuple[float, float],
    path: Path,
) -> None:
    """Draw a PNG whose cells show the rate in percent, low rates dark, with a frame around the best cell.

    Shape: rates (len(weights), len(bonuses))
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(1.5 + 0.8 * len(bonuses), 1.2 + 0.45 * len(weights)), layout="constrained")
    axes = figure.subplots()
    low, high = min(map(min, rates)), max(map(max, rates))
    axes.imshow(rates, cmap="viridis", aspect="auto", origin="lower")
    for row, row_rates in enumerate(rates):
        for column, rate in enumerate(row_rates):
            colour = "black" if rate > (low + high) / 2 else "white"
            axes.text(column, row, f"{rate:.1f}", ha="center", va="center", color=colour, fontsize=9)
    corner = (bonuses.index(best[1]) - 0.5, weights.index(best[0]) - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#d55e00", linewidth=3))
    axes.set_xticks(range(len(bonuses)), [f"{bonus:g}" for bonus in bonuses])
    axes.set_yticks(range(len(weights)), [f"{weight:g}" for weight in weights])
    axes.set(xlabel="word bonus", ylabel="LM weight", title="WER in percent")
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format="png")
