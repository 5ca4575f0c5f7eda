#!/usr/bin/env python3
"""The average of the weights of several runs, which errs less than each where one went on from the other.

    python scripts/average_runs.py runs/a runs/b runs/c -o average.safetensors

Writes a checkpoint that `asr export` and `asr train --init` read, with the description of the last run, but no scores.
Wortsman et al. (2022) call it a model soup. The runs have one network, and one began with the weights of another.
"""

from datetime import date
from pathlib import Path

import click

from asr.training import checkpoint
from asr.version import __version__


@click.command(help=__doc__)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False))
def main(runs: tuple[Path, ...], output: Path) -> None:
    models = [checkpoint.load(run) for run in runs]
    states = [model.network.state_dict() for model in models]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for run, shape in zip(runs, shapes, strict=True):
        if shape != shapes[-1]:
            raise click.UsageError(f"'{run}' has another network than '{runs[-1]}': only equal ones have an average.")
    average = {
        name: sum(state[name] for state in states) / len(states) if tensor.is_floating_point() else tensor
        for name, tensor in states[-1].items()
    }
    last = models[-1]
    last.network.load_state_dict(average)
    made = {"made_with": __version__, "created": f"{date.today()}"}
    checkpoint.save(output, last.network, last.description, **made, scores={})


if __name__ == "__main__":
    main()
