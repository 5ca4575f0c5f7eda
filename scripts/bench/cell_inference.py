#!/usr/bin/env python3
"""How fast exported networks of each recurrent cell run in onnxruntime, next to the LSTM."""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
import measure

if TYPE_CHECKING:
    from asr.recipe.recipe import Recipe

SECONDS = 12
"""Length of the audio of a run, made of utterances of AN4's dev set."""


@click.command()
@click.option(
    "--runs", type=click.IntRange(min=1), default=measure.RUNS, show_default=True, help="Runs of each system."
)
@measure.json_option
def main(*, runs: int, as_json: bool) -> None:
    """Run networks of each cell on one recording, one thread, in 32 bits and in int8.

    Two sizes: the network of recipes/an4/base.yaml, with as many cells of each kind, and those of recipes/cells, with
    as many parameters. Weights do not change the speed, so that the networks are not trained. Times are CPU times.

    \b
    Example:
      python scripts/bench/cell_inference.py --runs 3
    """
    import numpy as np

    from asr.cells import CellKind
    from asr.evaluation.recognition import reader
    from asr.export import exporter
    from asr.models.session import OnnxModel
    from asr.recipe.files import load_recipe
    from asr.recipe.recipe import Recipe
    from asr.text import CharTokenizer
    from asr.training import checkpoint

    def recipe(path: str, *overrides: str) -> "Recipe":
        loaded = load_recipe(measure.ROOT / "recipes" / path, overrides)
        assert isinstance(loaded, Recipe)
        return loaded

    dev = measure.utterances(measure.AN4 / "dev.jsonl")
    waveform = np.resize(np.concatenate([reader(16_000)(utterance) for utterance in dev[:8]]), SECONDS * 16_000)
    rates, notes = {}, []
    for size in ("an4", "recipes/cells"):
        with tempfile.TemporaryDirectory() as folder:
            models = {}
            for kind in get_args(CellKind):
                of_cell = (
                    recipe("an4/base.yaml", f"model.context.cell={kind}")
                    if size == "an4"
                    else recipe(f"cells/{kind}.yaml")
                )
                model = checkpoint.build(of_cell, CharTokenizer(of_cell.text.alphabet))
                for precision in ("32 bits", "int8"):
                    path = Path(folder) / f"{kind}-{precision}.onnx"
                    exporter.export(model, path, dev[:2], int8=precision == "int8")
                    models[f"{precision}, {kind}"] = OnnxModel(path, threads=1)
            systems = {name: partial(model.log_probs, [waveform]) for name, model in models.items()}
            seconds = measure.alternate(systems, runs=runs, clock=time.process_time)
        rates |= {f"{size}, {name}": SECONDS / value for name, value in seconds.items()}
        for precision in ("32 bits", "int8"):
            lstm = seconds[f"{precision}, lstm"]
            ratios = [f"{kind} {seconds[f'{precision}, {kind}'] / lstm:.2f}" for kind in get_args(CellKind)]
            notes.append(f"{size}, {precision}: of the time of lstm: {', '.join(ratios)}")
    measure.show(measure.Result("audio seconds per second", rates, notes), as_json=as_json)


if __name__ == "__main__":
    main()
