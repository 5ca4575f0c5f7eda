"""A run from its recipe to its result: begun, or resumed where it was stopped."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from asr.errors import AsrError
from asr.recipe.recipe import AnyRecipe, LanguageRecipe, PunctuationRecipe
from asr.training.display import Display
from asr.training.loop import Trainer
from asr.training.run_folder import RunFolder
from asr.training.stopping import stop_requests
from asr.training.task import Task


@dataclass(frozen=True)
class Result:
    """Result of a finished run."""

    epoch: int
    """The epoch of the best checkpoint, counted from 1."""
    step: int
    summary: str
    """Its score on the dev part, for the user."""
    duration_s: float


def train(recipe: AnyRecipe, run_dir: Path, console: Console, *, resume: bool = False) -> Result | None:
    """Train `recipe` into the folder `run_dir`, a new one unless `resume` continues a run that was stopped.

    The folder gets `recipe.yaml` (resolved), `versions.json`, `metrics.jsonl` (a line per evaluation, and one every
    `training.log_every_steps`), TensorBoard events, `curves.png`, `best.safetensors` and `last.safetensors`, the
    weights that are best on the dev part and the latest ones, and `state.safetensors`, from which a stopped run
    continues. Under `torchrun`, every process takes its part of each batch and of the evaluation; the first one writes,
    and returns the result, the others None.

    Raises:
        RecipeError: `run_dir` holds a run already or, to resume, none or that of another recipe; or it is in use.
        DataError: a manifest or text is bad, too much audio cannot be used, or nothing is left to train on.
        Stopped: SIGTERM or SIGINT arrived; the state is saved.
        AsrError: the run folder cannot be written, for example because the disk is full; the last good state is kept.
    """
    folder = RunFolder(run_dir)
    if resume:
        recipe = folder.same(recipe)
    else:
        folder.check_new()
    task = _task(recipe, folder if resume else None)
    with Display(console, recipe.training.epochs, task.columns, task.speed) as display, stop_requests() as stop_request:
        trainer = Trainer(task, folder, display)
        try:
            with folder.held() if trainer.fabric.is_global_zero else nullcontext():
                trainer.resume() if resume else trainer.start()
                while not trainer.is_done:
                    trainer.epoch(stop_request)
                if not trainer.fabric.is_global_zero:
                    return None
                progress, summary = trainer.progress, trainer.finish()
                return Result(progress.best_epoch, progress.best_step, summary, progress.elapsed_s)
        except OSError as error:
            if error.filename is None or not Path(error.filename).is_relative_to(run_dir):
                raise
            begun = folder.recipe.exists()
            kept = "; the last good state is kept" if begun else "; no run was created"
            raise AsrError(
                f"Run folder '{run_dir}' cannot be written ({error.strerror}){kept}: make room, then give the same "
                f"command{' and --resume' if begun else ''}."
            ) from error


def _task(recipe: AnyRecipe, resumed: RunFolder | None) -> Task:
    """What the recipe asks for, with the tokens of the run that is resumed."""
    tokenizer = resumed.read_tokenizer() if resumed else None
    if isinstance(recipe, LanguageRecipe):
        from asr.training.language.task import LanguageTask

        return LanguageTask(recipe, tokenizer)
    if isinstance(recipe, PunctuationRecipe):
        from asr.training.punctuation.task import PunctuationTask

        return PunctuationTask(recipe, tokenizer)
    from asr.training.acoustic.task import AcousticTask

    return AcousticTask(recipe, tokenizer)
