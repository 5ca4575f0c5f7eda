"""The training loop.

Every random choice follows from the recipe's seed and the position in the run: the order of the batches from (seed,
epoch), augmentation from (seed, epoch, batch), dropout and masking from (seed, step). Nothing depends on what was
drawn before, so the position, the weights and the optimiser's moments are all that a run has to remember.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from lightning_fabric.strategies.ddp import DDPStrategy
from rich.console import Console
from torch import nn

from asr.errors import AsrError
from asr.recipe.recipe import AnyRecipe, LanguageRecipe
from asr.training import probe, state
from asr.training.display import Display, clock
from asr.training.optimiser import average_of, build_optimiser, learning_rate
from asr.training.run_folder import RunFolder
from asr.training.state import Progress
from asr.training.stopping import Stopped, stop_requests
from asr.training.task import Batch, Task

HOPELESS = 20
"""So many steps in a row without a finite gradient end a run."""
PATIENCE = timedelta(hours=6)
"""So long the other processes wait while the first one evaluates."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves to say."""

    epoch: int
    """The epoch of the best checkpoint, counted from 1."""
    summary: str
    """Its score on the dev part, for people."""
    duration_s: float


def train(recipe: AnyRecipe, run_dir: Path, console: Console, *, resume: bool = False) -> Result | None:
    """Train `recipe` into the folder `run_dir`, a new one unless `resume` goes on with a run that was stopped.

    The folder gets `recipe.yaml` (resolved), `versions.json`, `metrics.jsonl` (a line an epoch), TensorBoard events,
    `curves.png`, `best.safetensors`, the weights that are best on the dev part (an acoustic model's by WER, and by CER
    between equals), and `state.safetensors`, from which a stopped run goes on. Under `torchrun`, every process takes
    its part of each batch; the first one evaluates and writes, and returns the result, the others None.

    Raises:
        RecipeError: `run_dir` holds a run already or, to resume, none or that of another recipe; or it is in use.
        DataError: a manifest or text is bad, or nothing is left to train on.
        Stopped: SIGTERM or SIGINT arrived; the state is saved.
        AsrError: the run folder cannot be written, for the disk is full; the last good state is kept.
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
                while trainer.progress.epoch < recipe.training.epochs:
                    trainer.epoch(stop_request)
                return trainer.result()
        except OSError as error:
            begun = folder.recipe.exists()
            kept = "; the last good state is kept" if begun else ", and nothing is begun"
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
    from asr.training.acoustic.task import AcousticTask

    return AcousticTask(recipe, tokenizer)


class Trainer:
    """A run: its parts, and where it stands."""

    def __init__(self, task: Task, folder: RunFolder, display: Display) -> None:
        self.task, self.folder, self.display = task, folder, display
        self.logger = TensorBoardLogger(root_dir=folder.path, name="tensorboard", version="")
        on = task.recipe.training
        devices, nodes = (int(os.environ.get(f"{unit}_WORLD_SIZE", "1")) for unit in ("LOCAL", "GROUP"))
        self.fabric = Fabric(
            accelerator=on.accelerator,
            strategy=DDPStrategy(timeout=PATIENCE) if devices * nodes > 1 else "auto",
            devices=devices,
            num_nodes=nodes,
            precision=on.precision,
            loggers=self.logger,
        )
        self.fabric.launch()
        self.progress = Progress()
        self.left_out_in_a_row = 0
        self.fingerprint = f"{self.fabric.world_size} processes and training set {task.fingerprint}"

    def start(self) -> None:
        """Begin the run folder, its recipe last."""
        self.folder.check_new()
        if remark := self.task.begin():
            self.display.say(remark)
        self._set_up()
        found = self.task.fit(self._try, self.fabric.device, self.fabric.world_size)
        if found is not None:
            smallest = self.fabric.all_reduce(torch.tensor(found, device=self.fabric.device), reduce_op="min")
            self.task.settle(float(cast("torch.Tensor", smallest)))
        self._say_facts()
        if self.fabric.is_global_zero:
            self.folder.write_tokenizer(self.task.tokenizer)
        self.save()
        if self.fabric.is_global_zero:
            self.folder.write_recipe(self.task.recipe)

    def resume(self) -> None:
        """Go on from the state in the run folder."""
        self._set_up()
        self.progress = state.load(
            self.folder.state, self.task.objective, self.optimiser, self.average, fingerprint=self.fingerprint
        )
        if self.fabric.is_global_zero:
            self.folder.keep_metrics(self.progress.epoch)
        self._say_facts()
        self.display.say(f"Resumed in epoch {self.progress.epoch + 1}, after step {self.progress.step}.")

    def _set_up(self) -> None:
        """Move the weights to their device, and build what refers to them there."""
        optimiser = build_optimiser(self.task.recipe.optimiser, self.task.objective.parameters())
        self.wrapped, self.optimiser = self.fabric.setup(self.task.objective, optimiser)
        self.average = average_of(self.task.recipe.optimiser, self.task.network)

    def epoch(self, stop_request: Callable[[], str | None]) -> None:
        """Train an epoch, or what is left of it, and evaluate.

        Raises:
            Stopped: a signal arrived; the state is saved.
        """
        progress, recipe = self.progress, self.task.recipe
        plan = self.task.plan(progress.epoch, self.fabric.world_size)
        now = saved_at = time.monotonic()
        for batch in self._read(plan, first=progress.batch):
            share = (progress.epoch + (progress.batch + 1) / len(plan)) / recipe.training.epochs
            self.step(batch, learning_rate(recipe.optimiser, share))
            before, now = now, time.monotonic()
            progress.batch_done(self._sum(batch.amount), now - before)
            self.display.step(progress.epoch + 1, share, progress.loss, progress.speed)
            signal = stop_request()
            if self._sum(float(signal is not None)):
                self.save()
                self.fabric.barrier()  # else the end of one process might take the others down while they write
                raise Stopped(
                    f"Stopped by {signal or 'a signal'} in epoch {progress.epoch + 1}, after step {progress.step}; the "
                    f"state is saved in '{self.folder.path}': go on with the same command and --resume."
                )
            if now - saved_at > recipe.training.save_every_s:
                self.save()
                saved_at = time.monotonic()
        self._end_epoch(now)

    def _read(self, plan: Sequence[Any], first: int = 0) -> Iterator[Batch]:
        """This process's part of the planned batches, from number `first` on."""
        return self.task.read(plan, self.progress.epoch, first, (self.fabric.global_rank, self.fabric.world_size))

    def _try(self, batch: Batch) -> None:
        """A step that changes nothing."""
        with self.fabric.no_backward_sync(self.wrapped, enabled=self.fabric.world_size > 1):
            self.fabric.backward(self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors)).total.sum())
        self.optimiser.zero_grad()

    def step(self, batch: Batch, rate: float) -> None:
        """Move the weights by one batch, of which this process may hold a part; its gradients are those of the whole.

        A row that cannot be learnt is left out and named; if a loss or a gradient is not finite all the same, the step
        is left out and its rows are named.
        """
        progress = self.progress
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.task.recipe.seed * 1_000_003 + progress.step + (self.fabric.global_rank << 40))
        self.optimiser.zero_grad()
        losses = self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors))
        weights = batch.weights.to(self.fabric.device) * losses.fits
        tokens = max(1.0, self._sum(float(weights @ batch.target_lengths.to(weights))))
        # Gradients are averaged over the processes, so that the sum over all rows needs a factor.
        self.fabric.backward((weights * losses.total).sum() * (self.fabric.world_size / tokens))
        optimiser = self.task.recipe.optimiser
        norm = nn.utils.clip_grad_norm_(self.task.objective.parameters(), optimiser.clip_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
            if self.average is not None and optimiser.ema:
                self.average.update_parameters(self.task.network)
            progress.loss_sum += self._sum(float((weights * losses.plain).sum())) / tokens
            named = zip(batch.names, losses.fits.tolist(), batch.weights.tolist(), strict=True)
            left_out = [name for name, fits, weight in named if weight and not fits]
            reason = "too short for the transcript"
            self.left_out_in_a_row = 0
        else:
            left_out, reason = batch.names, "a gradient is not finite"
            progress.steps_left_out += 1
            self.left_out_in_a_row += 1
        if left_out:
            self.display.warn(f"Left out of step {progress.step} ({reason}): {', '.join(left_out)}.")
        if self.left_out_in_a_row == HOPELESS:
            raise AsrError(
                f"Training diverged: {HOPELESS} steps in a row, up to step {progress.step}, had gradients that are not "
                "finite. Start again with a lower `optimiser.learning_rate`, or a lower `optimiser.clip_norm`."
            )

    def _sum(self, value: float) -> float:
        """The sum of a number over all processes."""
        if self.fabric.world_size == 1:
            return value
        total = self.fabric.all_reduce(torch.tensor(value, device=self.fabric.device), reduce_op="sum")
        return float(cast("torch.Tensor", total))

    def _end_epoch(self, started: float) -> None:
        """Evaluate, keep the weights if they are the best so far, note the figures, and save the state."""
        left = self.task.recipe.training.epochs - self.progress.epoch
        if self.average is not None and left <= self.task.recipe.optimiser.average_epochs:
            self.average.update_parameters(self.task.network)
        if self.fabric.is_global_zero:
            self._evaluate(started)
        self.progress.next_epoch()
        self.save()

    def _evaluate(self, started: float) -> None:
        """The first process's part of an epoch's end."""
        progress, task, network = self.progress, self.task, self._kept()
        found = task.evaluate(network, progress.epoch)
        progress.elapsed_s += time.monotonic() - started
        number = progress.epoch + 1
        is_best = progress.evaluated(found.values)
        if is_best:
            task.keep(network, self.folder.best, {"epoch": number, **found.scores})
        metrics = {"epoch": number, "loss": progress.loss}
        metrics |= {column.name: value for column, value in zip(task.columns, found.values, strict=True)}
        metrics["learning_rate"] = learning_rate(task.recipe.optimiser, number / task.recipe.training.epochs)
        metrics |= {task.speed.name: progress.speed, "elapsed_s": progress.elapsed_s}
        self.folder.add_metrics(metrics)
        self.fabric.log_dict(metrics, progress.step)
        self.display.epoch(metrics, found.sample, best=is_best)

    def _kept(self) -> nn.Module:
        """The network that is evaluated and written: with averaged weights, once there are some."""
        if self.average is None or not int(self.average.n_averaged):
            return self.task.network
        return self.average.module

    def save(self) -> None:
        """Write the state, in the first process."""
        if self.fabric.is_global_zero:
            state.save(
                self.folder.state,
                self.task.objective,
                self.optimiser,
                self.average,
                self.progress,
                fingerprint=self.fingerprint,
            )

    def result(self) -> Result | None:
        """The best checkpoint, evaluated once more from its file; None in all processes but the first."""
        if not self.fabric.is_global_zero:
            return None
        self.logger.finalize("success")
        self.folder.draw_curves(self.task.recipe.name, self.task.columns)
        return Result(self.progress.best_epoch, self.task.summary(self.folder.best), self.progress.elapsed_s)

    def _say_facts(self) -> None:
        """The run in a few lines, before the first step."""
        for warning in self.task.warnings():
            self.display.warn(warning)
        recipe, progress = self.task.recipe, self.progress
        plan = self.task.plan(progress.epoch, self.fabric.world_size)
        cost = probe.cost(lambda: [self._try(batch) for batch in self._read(plan[:1])], self.fabric.device)
        steps = len(plan) * (recipe.training.epochs - progress.epoch) - progress.batch
        device = f"{self.fabric.world_size} x {self.fabric.device}, {torch.get_num_threads()} threads each"
        facts = {"recipe": f"{recipe.name}, seed {recipe.seed}", **self.task.facts()}
        facts["batches"] += f", {len(plan)} an epoch, {recipe.training.epochs} epochs"
        facts |= {
            "device": f"{device}, {recipe.training.precision}",
            "memory": f"{cost.peak_bytes / 1e9:.1f} GB at most so far, the longest batch tried",
            "time": f"about {clock(steps * cost.seconds)} h by that batch, and the evaluations",
            "run folder": str(self.folder.path),
        }
        self.display.facts(facts)
