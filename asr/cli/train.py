"""`asr train`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.recipe.recipe import Recipe


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path),
    help="Folder for everything the run writes; new, except with --resume.  [default: runs/NAME]",
)
@click.option(
    "--init",
    metavar="MODEL",
    help="Fine-tune this run folder, checkpoint, exported .onnx file or shipped model. Same as init=MODEL.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Skip utterances with characters outside the alphabet. Same as data.skip_bad=true.",
)
@click.option("--check", is_flag=True, help="Sanity check: overfit one batch, then exit.")
@click.option("--resume", is_flag=True, help="Continue the run in the run folder from where it was stopped.")
def train(
    recipe: Path,
    overrides: tuple[str, ...],
    *,
    run_dir: Path | None,
    init: str | None,
    skip_bad: bool,
    check: bool,
    resume: bool,
) -> None:
    """Train a model from RECIPE, a YAML file.

    KEY=VALUE replaces a value of the recipe, for example training.epochs=10. The run folder gets the resolved
    recipe, package versions, metrics (metrics.jsonl, curves.png, TensorBoard), best.safetensors and last.safetensors
    (the weights that were best on the dev set by `evaluation.best_by`, and the latest), and the state of the run.
    Ctrl-C and SIGTERM stop a run after its next step and save the state; the same command with --resume continues,
    and ends with the weights that an uninterrupted run would have had. With a larger training.epochs or
    training.max_steps, --resume makes a run longer.

    Audio that cannot be read is skipped and named, up to a share that the recipe allows (data.max_bad_share).

    Several GPUs: `torchrun --standalone --nproc-per-node 8 -m asr train RECIPE ...`; every process takes batches of the
    recipe's length. Several machines: docs/several-machines.md.

    \b
    Example:
      asr train recipes/an4/base.yaml --run-dir runs/an4
    """
    import os
    import sys

    from rich.console import Console

    from asr import models
    from asr.recipe.files import load_recipe
    from asr.recipe.recipe import Recipe
    from asr.training import run
    from asr.training.display import clock
    from asr.training.run_folder import RunFolder

    if check and resume:
        raise click.UsageError("--check trains one batch from scratch and resumes nothing: give one of the two.")
    if init is not None:
        overrides = (*overrides, f"init={models.shipped().get(init, init)}")
    if skip_bad:
        overrides = (*overrides, "data.skip_bad=true")
    loaded = load_recipe(recipe, overrides)
    if check:
        if not isinstance(loaded, Recipe):
            raise AsrError(f"`--check` is for acoustic models, and '{recipe}' is the recipe of a language model.")
        _check(loaded)
        return
    run_dir = run_dir or Path("runs") / loaded.name
    console = Console(quiet=os.environ.get("RANK", "0") != "0")  # torchrun numbers its processes
    result = run.train(loaded, run_dir, console, resume=resume)
    if result is not None:
        click.echo(f"\nTrained in {clock(result.duration_s)}.")
        click.echo(f"Best on the dev set: epoch {result.epoch}, after step {result.step:,}.")
        click.echo(result.summary)
        click.echo(f"Curves: {RunFolder(run_dir).curves}")
        click.echo(f"Latest weights: {RunFolder(run_dir).last}")
        click.echo(f"Next: asr export {run_dir} {loaded.name}.onnx")
    if "RANK" in os.environ:
        # gloo's threads (torch 2.11) keep the last tensor they summed until they end, and then need Python: an
        # interpreter that is closing meanwhile aborts now and then, and ending the group first is a deadlock.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _check(recipe: "Recipe") -> None:
    """Exit status 1 when the batch was not learnt."""
    from rich.console import Console

    from asr.training.check import check

    verdict = check(recipe, Console())
    words = verdict.score.words
    if verdict.can_learn:
        click.echo(f"Learnt all {words.reference} words of a batch in {verdict.steps} steps: this set-up can learn.")
        return
    example = next(utterance for utterance in verdict.score.utterances if utterance.words.errors)
    raise AsrError(
        f"After {verdict.steps} steps on one batch {words.errors} of {words.reference} words are still wrong "
        f"(reference '{example.reference}', hypothesis '{example.hypothesis}'): check the transcripts and the audio of "
        "the corpus (`asr data validate`), then try another `optimiser.learning_rate`."
    )
