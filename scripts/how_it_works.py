"""Draw the pictures of docs/how-it-works.md from examples/captain.wav and the model `english`.

    python scripts/how_it_works.py

Needs the extra `report`. Run it after a change of the model, and look at the pictures before you commit them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

from asr import models
from asr.decoding.beam.search import BeamSearch
from asr.decoding.phone_search import PhoneSearch
from asr.inspect import inspection
from asr.inspect.inspection import Inspection
from asr.readable.options import WritingOptions
from asr.transcription.transcriber import Transcriber, open_transcriber

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "pictures"
EXAMPLE = ROOT / "examples" / "captain.wav"
LETTER = 12
"""The letter whose connectivity is drawn: the f of `of`."""
WIDTH = 9.0


def sound(found: Inspection) -> None:
    figure, (top, bottom) = axes(2, 3.4, heights=(1, 2))
    times = np.arange(len(found.waveform)) / found.description.sample_rate
    top.plot(times, found.waveform, linewidth=0.4, color="#00517f")
    top.set(ylabel="pressure", yticks=[])
    spectrum = found.network.spectrum
    decibels = (found.trace.features * spectrum.std + spectrum.mean) * 10 / np.log(10)
    picture(bottom, found, decibels.T, found.feature_shift_s, cmap="magma", vmin=decibels.max() - 70)
    bottom.set(ylabel="mel band")
    save(figure, "sound")


def maps(found: Inspection) -> None:
    stage = found.trace.maps[-1]
    best = np.argsort(-stage.std(axis=(1, 2)), kind="stable")[:4]
    figure, rows = axes(4, 4.0)
    for row, index in zip(rows, best, strict=True):
        picture(row, found, np.sqrt(stage[index].T), found.description.frame_shift_s, cmap="magma")
        row.set(ylabel=f"map {index + 1}", yticks=[])
    save(figure, "maps")


def gates(found: Inspection) -> None:
    cells, behaviour = found.trace.cells[0][0], found.behaviours[0][0]
    order = np.argsort(-behaviour.memory_ms, kind="stable")
    figure, rows = axes(5, 7.2)
    drawn = {**cells.gates, "cell state": np.tanh(cells.state)}
    colours = {"input": "Greens", "forget": "Oranges", "output": "Blues"}
    for row, name in zip(rows, ("forget", "input", "candidate", "cell state", "output"), strict=True):
        low = 0 if name in colours else -1
        picture(row, found, drawn[name][:, order[::-1]].T, found.description.frame_shift_s,
                cmap=colours.get(name, "RdBu_r"), vmin=low, vmax=1)  # fmt: skip
        row.set(ylabel=name if name in ("candidate", "cell state") else f"{name} gate", yticks=[])
    save(figure, "gates")


def letters(found: Inspection) -> None:
    figure, (top, bottom) = axes(2, 3.2)
    probabilities = np.exp(found.log_probs)
    times = found.centre_s + np.arange(len(probabilities)) * found.description.frame_shift_s
    top.plot(times, probabilities[:, 0], color="grey", linestyle=":", linewidth=1)
    for number, token in enumerate(found.tokens):
        top.fill_between(times, probabilities[:, token], alpha=0.45, color=f"C{number % 10}")
    for letter in found.letters:
        top.text(times[letter.frame], 1.06, letter.text, ha="center", fontsize=8)
    top.set(ylabel="probability", ylim=(0, 1.2), yticks=[0, 1])
    letter = found.letters[LETTER]
    moments = found.centre_s + np.arange(len(found.trace.features)) * found.feature_shift_s
    bottom.fill_between(moments, letter.connectivity, color="#d55e00", alpha=0.5)
    bottom.axvline(times[letter.frame], color="black", linestyle="--", linewidth=1)
    bottom.set_xlim(0, found.duration_s)
    bottom.set(ylabel=f"what drove “{letter.text}”", yticks=[], ylim=0)
    save(figure, "letters")


def letters_search(transcriber: Transcriber) -> BeamSearch:
    """The search over letters; the model's own one may be over phones."""
    search = transcriber.decoder.search
    if isinstance(search, PhoneSearch):
        return search.by_letters()
    assert isinstance(search, BeamSearch)
    return search


def beam(found: Inspection, transcriber: Transcriber) -> None:
    search = letters_search(transcriber)
    best = search.decode(found.log_probs, n_best=6)
    texts = [hypothesis.text for hypothesis in best]
    figure, axis = plt.subplots(figsize=(WIDTH, 2.4))
    rows = np.arange(len(best))[::-1]
    total = np.array([hypothesis.score for hypothesis in best])
    axis.barh(rows, total - total[-1] + 0.5, color="#00517f", height=0.6)
    axis.set(yticks=rows, yticklabels=texts, xlabel="score above the last of these (natural logarithm)")
    axis.spines[["top", "right"]].set_visible(False)
    save(figure, "beam")


def picture(axis: Any, found: Inspection, values: np.ndarray, step_s: float, **options: Any) -> None:
    """Rows from bottom to top over time. Shape: (rows, frames)"""
    left = found.centre_s - step_s / 2
    extent = (left, left + values.shape[1] * step_s, 0, values.shape[0])
    axis.imshow(values, origin="lower", aspect="auto", interpolation="nearest", extent=extent, **options)
    axis.set_xlim(0, found.duration_s)


def axes(count: int, height: float, heights: tuple[float, ...] | None = None) -> tuple[Any, Any]:
    figure, rows = plt.subplots(
        count, figsize=(WIDTH, height), sharex=True, height_ratios=heights, layout="constrained"
    )
    rows[-1].set_xlabel("seconds")
    return figure, rows


def save(figure: Any, name: str) -> None:
    figure.savefig(OUT / f"{name}.png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    path = models.find("english")
    transcriber = open_transcriber(path, written=WritingOptions(plain=True))
    waveform = inspection.read(str(EXAMPLE), transcriber.model.description.sample_rate)
    found = inspection.inspect(path, transcriber, waveform)
    drawings: tuple[Callable[[Inspection], None], ...] = (sound, maps, gates, letters)
    for draw in drawings:
        draw(found)
    beam(found, transcriber)
    stream = letters_search(transcriber).start()
    tokenizer = transcriber.model.description.tokenizer
    for begin in range(0, len(found.log_probs), 10):
        stream.feed(found.log_probs[begin : begin + 10])
        text = tokenizer.decode([token.number for token in stream.best()])
        print(f"{min(begin + 10, len(found.log_probs)) * found.description.frame_shift_s:.1f} s  {text}")
    for letter in (found.letters[LETTER],):
        peak_s = found.centre_s + letter.connectivity.argmax() * found.feature_shift_s
        spike_s = found.centre_s + letter.frame * found.description.frame_shift_s
        print(f"{letter.text!r}: spike at {spike_s:.2f} s, driven most at {peak_s:.2f} s")
    print("letters:", "".join(letter.text for letter in found.letters))
    for layer, (ahead, back) in enumerate(found.behaviours, start=1):
        medians = [f"{np.median(behaviour.memory_ms):.0f}" for behaviour in (ahead, back)]
        print(f"layer {layer}: median memory forward {medians[0]} ms, backward {medians[1]} ms")


if __name__ == "__main__":
    main()
