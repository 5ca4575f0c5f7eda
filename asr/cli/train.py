"""`asr train`."""

from pathlib import Path

import click


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Folder for everything the run writes; it must not hold a run yet.  [default: runs/NAME]",
)
def train(recipe: Path, overrides: tuple[str, ...], run_dir: Path | None) -> None:
    """Train a model from RECIPE, a YAML file.

    KEY=VALUE replaces a value of the recipe, for example training.epochs=10. The run folder gets the resolved
    recipe, package versions, metrics (metrics.jsonl, TensorBoard) and best.safetensors, the weights of the epoch
    with the lowest dev WER.

    \b
    Example:
      asr train recipes/an4/base.yaml --run-dir runs/an4
    """
    from rich.console import Console

    from asr.scoring.summary import render
    from asr.training import loop
    from asr.training.display import clock
    from asr.training.recipe import load_recipe

    loaded = load_recipe(recipe, overrides)
    run_dir = run_dir or Path("runs") / loaded.name
    result = loop.train(loaded, run_dir, Console())
    click.echo(f"\nTrained in {clock(result.duration_s)}. Best epoch on the dev part: {result.epoch}.")
    click.echo(render(result.dev))
    click.echo(f"Next: asr export {run_dir} {loaded.name}.onnx")
