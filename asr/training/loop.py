"""The training loop.

Every random choice follows from the recipe's seed and the position in the run: the order of the batches from (seed,
epoch), augmentation from (seed, epoch, batch), dropout and masking from (seed, step). Nothing depends on what was
drawn before, so the position, the weights and the optimiser's moments are all that a run has to remember.

Each planned batch is cut into parts, one for every process and accumulated batch. A run that is resumed with another
number of processes keeps its parts and with them its batches.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from torch import Tensor, nn

from asr.errors import AsrError, DataError
from asr.recipe.files import load_recipe
from asr.recipe.recipe import AnyRecipe, LanguageRecipe
from asr.recipe.training import TrainingConfig
from asr.training import precision, probe, state
from asr.training.display import Display, clock
from asr.training.optimiser import average_of, build_optimiser, learning_rate
from asr.training.run_folder import RunFolder
from asr.training.state import Progress
from asr.training.stopping import Stopped, stop_requests
from asr.training.task import Batch, Task

MAX_NONFINITE_STEPS = 20
"""A run ends after this many steps in a row without a finite gradient."""
COLLECTIVE_TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others, which must not be longer than a piece of an evaluation takes."""
TRIALS = 3
"""Batches that are timed before the first step."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves to say."""

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
                return trainer.result()
        except OSError as error:
            if error.filename is None or not Path(error.filename).is_relative_to(run_dir):
                raise
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
    """A run: its parts, and its position. It is the `Exchange` of its task."""

    def __init__(self, task: Task, folder: RunFolder, display: Display) -> None:
        self.task, self.folder, self.display = task, folder, display
        self.logger = TensorBoardLogger(root_dir=folder.path, name="tensorboard", version="")
        on = task.recipe.training
        has_gpu = on.accelerator == "gpu" or (on.accelerator == "auto" and torch.cuda.is_available())
        self.precision = precision.choose(on.precision, "cuda" if has_gpu else "cpu")
        task.settle({"training.precision": self.precision.name})
        devices, nodes = (int(os.environ.get(f"{unit}_WORLD_SIZE", "1")) for unit in ("LOCAL", "GROUP"))
        self.fabric = Fabric(
            accelerator=on.accelerator,
            strategy=DDPStrategy(timeout=COLLECTIVE_TIMEOUT) if devices * nodes > 1 else "auto",
            devices=devices,
            num_nodes=nodes,
            precision=cast("Any", self.precision.name),
            loggers=self.logger,
        )
        self.fabric.launch()
        self.rank, self.processes = self.fabric.global_rank, self.fabric.world_size
        self.progress = Progress(parts=self.processes * on.accumulate)
        self.nonfinite_in_a_row = 0

    @property
    def is_done(self) -> bool:
        """Whether the last epoch or step has been trained."""
        on = self.task.recipe.training
        return self.progress.epoch >= on.epochs or 0 < on.max_steps <= self.progress.step

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in their order; every process has to call it."""
        if self.processes == 1:
            return [value]
        values: list[Any] = [None] * self.processes
        torch.distributed.all_gather_object(values, value)
        return values

    def start(self) -> None:
        """Begin the run folder, its recipe last."""
        self.folder.check_new()
        self._leave_out(self.task.look(self))
        if remark := self.task.begin():
            self.display.say(remark)
        self._set_up()
        if (found := self.task.fit(self._try, self.fabric.device, self.processes)) is not None:
            self.task.settle({"data.batch_duration_s": min(self.gather(found))})
        self._say_facts()
        if self.fabric.is_global_zero:
            self.folder.write_tokenizer(self.task.tokenizer)
            self.task.write_entries(self.folder.entries)
        self.save()
        if self.fabric.is_global_zero:
            self.folder.write_recipe(self.task.recipe)

    def resume(self) -> None:
        """Continue from the state in the run folder."""
        remark = self.task.resume_entries(self.folder.entries)
        bad = self.task.look(self)
        self._set_up()
        self.progress = state.load(self.folder.state, self.task.objective, self.optimiser, self.average)
        self._leave_out({name: reason for name, reason in bad.items() if name not in self.progress.left_out})
        if self.fabric.is_global_zero:
            self.folder.keep_metrics(self.progress.step)
        self._say_facts()
        if remark:
            self.display.warn(remark)
        if self.progress.parts != self.processes * self.task.recipe.training.accumulate:
            self.display.warn(
                f"The batches stay those that were planned for {self.progress.parts} parts, by {self.processes} "
                "processes now: the run goes on, but not to exactly the same weights."
            )
        self._extend()
        self.display.say(f"Resumed in epoch {self.progress.epoch + 1}, after step {self.progress.step}.")

    def _extend(self) -> None:
        """Note that a resumed run was made longer."""
        begun, recipe = load_recipe(self.folder.recipe), self.task.recipe
        if (begun.training.epochs, begun.training.max_steps) == (recipe.training.epochs, recipe.training.max_steps):
            return
        was, now = (
            learning_rate(recipe.optimiser, min(1.0, self._share(self.progress.epoch / training.epochs, training)))
            for training in (begun.training, recipe.training)
        )
        self.display.say(
            f"The run is made longer: {begun.training.epochs} -> {recipe.training.epochs} epochs, the learning rate "
            f"stretched with it, here from {was:.1e} to {now:.1e}."
        )
        if self.fabric.is_global_zero:
            self.folder.write_recipe(recipe)

    def _set_up(self) -> None:
        """Move the weights to their device, and build what refers to them there."""
        optimiser = build_optimiser(self.task.recipe.optimiser, self.task.objective.parameters())
        self.wrapped, self.optimiser = self.fabric.setup(self.task.objective, optimiser)
        self.average = average_of(self.task.recipe.optimiser, self.task.network)

    def epoch(self, stop_request: Callable[[], str | None]) -> None:
        """Train an epoch, or what is left of it, and evaluate.

        Raises:
            Stopped: a signal arrived; the state is saved.
            DataError: more audio cannot be used than the recipe allows; the state is saved.
        """
        progress, recipe = self.progress, self.task.recipe
        plan = self.task.plan(progress.epoch, progress.parts)
        now = saved_at = time.monotonic()
        for batches in self._read(plan, first=progress.batch):
            done = self._share((progress.epoch + (progress.batch + 1) / len(plan)) / recipe.training.epochs)
            rate = learning_rate(recipe.optimiser, done)
            figures = self.step(batches, rate)
            signal = stop_request()
            amount, stops, lost = self._sums(
                sum(batch.amount for batch in batches),
                float(signal is not None),
                float(sum(len(batch.left_out) for batch in batches)),
            )
            before, now = now, time.monotonic()
            progress.batch_done(amount, now - before)
            self.display.step(progress, done)
            if lost:
                self._leave_out({name: reason for batch in batches for name, reason in batch.left_out.items()})
            if progress.step % recipe.training.log_every_steps == 0:
                self._log({**figures, "learning_rate": rate}, progress.epoch + progress.batch / len(plan))
            if stops:
                self.save()
                self.fabric.barrier()  # else the end of one process might take the others down while they write
                raise Stopped(
                    f"Stopped by {signal or 'a signal'} in epoch {progress.epoch + 1}, after step {progress.step}; the "
                    f"state is saved in '{self.folder.path}': continue with the same command and --resume."
                )
            if progress.batch == len(plan) or progress.step == recipe.training.max_steps:
                break
            every = recipe.training.evaluate_every_steps
            if is_due := bool(every) and progress.step % every == 0:
                self._evaluate(progress.epoch + progress.batch / len(plan))
            if is_due or time.monotonic() - saved_at > recipe.training.save_every_s:
                self.save()
                saved_at = time.monotonic()
            now = time.monotonic()
        self._end_epoch(progress.batch / len(plan))

    def _share(self, of_epochs: float, training: TrainingConfig | None = None) -> float:
        """The share of the whole training that is done after the coming step."""
        max_steps = (training or self.task.recipe.training).max_steps
        return max(of_epochs, (self.progress.step + 1) / max_steps) if max_steps else of_epochs

    def _read(self, plan: Sequence[Any], first: int = 0) -> Iterator[tuple[Batch, ...]]:
        """This process's parts of the planned batches, from number `first` on."""
        own = -(-self.progress.parts // self.processes)
        readers = [
            self.task.read(
                plan,
                self.progress.epoch,
                first,
                (self.rank * own + number, self.processes * own),
                self.progress.left_out,
            )
            for number in range(own)
        ]
        return zip(*readers, strict=True)

    def _try(self, batch: Batch) -> None:
        """A step that changes nothing."""
        with self.fabric.no_backward_sync(self.wrapped, enabled=self.processes > 1):
            self.fabric.backward(self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors)).total.sum())
        self.optimiser.zero_grad()

    def step(self, batches: Sequence[Batch], rate: float) -> dict[str, float]:
        """Move the weights by one planned batch, of which this process holds some parts.

        A row that cannot be learnt is left out and named; if a loss or a gradient is not finite all the same, the step
        is left out and its rows are named.

        Returns:
            loss per token and norm of the gradient, of the whole batch.
        """
        progress, recipe = self.progress, self.task.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        (tokens,) = self._sums(sum(float(batch.weights @ batch.target_lengths.to(batch.weights)) for batch in batches))
        plain, dropped = 0.0, list[str]()
        for number, batch in enumerate(batches):
            part = self.rank * len(batches) + number
            torch.manual_seed(recipe.seed * 1_000_003 + progress.step + (part << 40))
            is_last = number == len(batches) - 1
            with self.fabric.no_backward_sync(self.wrapped, enabled=self.processes > 1 and not is_last):
                losses = self.wrapped(*(tensor.to(self.fabric.device) for tensor in batch.tensors))
                weights = batch.weights.to(self.fabric.device) * losses.fits
                # Gradients are averaged over the processes, so that the sum over all rows needs a factor.
                self.fabric.backward((weights * losses.total).sum() * (self.processes / max(1.0, tokens)))
            plain += float((weights * losses.plain).sum())
            named = zip(batch.names, losses.fits.tolist(), batch.weights.tolist(), strict=True)
            dropped += [name for name, fits, weight in named if weight and not fits]
        norm = cast(
            "Tensor",
            self.fabric.clip_gradients(
                self.wrapped, self.optimiser, max_norm=recipe.optimiser.clip_norm, error_if_nonfinite=False
            ),
        )
        (plain,) = self._sums(plain)
        is_finite = bool(torch.isfinite(norm))
        if is_finite or self.precision.name == "16-mixed":  # whose loss scaling skips the step itself, and adapts
            self.optimiser.step()
        if is_finite:
            if self.average is not None and recipe.optimiser.ema:
                self.average.update_parameters(self.task.network)
            progress.loss_sum += plain / max(1.0, tokens)
            reason = "too short for the transcript"
            self.nonfinite_in_a_row = 0
        else:
            dropped, reason = [name for batch in batches for name in batch.names], "a gradient is not finite"
            progress.steps_left_out += 1
            self.nonfinite_in_a_row += 1
        if dropped:
            self.display.warn(f"Left out of step {progress.step} ({reason}): {', '.join(dropped)}.")
        if self.nonfinite_in_a_row == MAX_NONFINITE_STEPS:
            raise AsrError(
                f"Training diverged: {MAX_NONFINITE_STEPS} steps in a row, up to step {progress.step}, had gradients "
                "that are not finite. Start again with a lower `optimiser.learning_rate`, or a lower "
                "`optimiser.clip_norm`."
            )
        return {"step_loss": plain / max(1.0, tokens), "gradient_norm": float(norm)}

    def _sums(self, *values: float) -> tuple[float, ...]:
        """The sums of some numbers over all processes."""
        if self.processes == 1:
            return values
        totals = self.fabric.all_reduce(torch.tensor(values, device=self.fabric.device), reduce_op="sum")
        return tuple(cast("Tensor", totals).tolist())

    def _leave_out(self, found: Mapping[str, str]) -> None:
        """Note and name inputs that cannot be used, of all processes. Raises DataError when there are too many."""
        for reasons in self.gather(dict(found)):
            self.progress.left_out |= reasons
            for name, reason in reasons.items():
                if self.fabric.is_global_zero:
                    self.display.warn(f"Left out: '{name}': {reason}")
        try:
            self.task.check_bad(self.progress.left_out)
        except DataError:
            if self.folder.recipe.exists():
                self.save()
            raise

    def _end_epoch(self, trained: float) -> None:
        """Evaluate after the share `trained` of the epoch, all of it unless `max_steps` came first, and save."""
        left = self.task.recipe.training.epochs - self.progress.epoch
        if self.average is not None and left <= self.task.recipe.optimiser.average_epochs:
            self.average.update_parameters(self.task.network)
        self._evaluate(self.progress.epoch + trained)
        if trained == 1:
            self.progress.next_epoch()
        self.save()

    def _evaluate(self, position: float) -> None:
        """Evaluate after `position` epochs, keep the weights as the latest and, if they are, as the best."""
        started = time.monotonic()
        progress, task, network = self.progress, self.task, self._kept()
        found = task.evaluate(network, progress.epoch, self)
        progress.elapsed_s += time.monotonic() - started
        is_best = progress.evaluated(found.values)
        if not self.fabric.is_global_zero:
            return
        number = round(position, 3) if position % 1 else int(position)
        scores = {"epoch": number, "step": progress.step, **found.scores}
        task.keep(network, self.folder.last, scores)
        if is_best:
            task.keep(network, self.folder.best, scores)
        metrics: dict[str, float] = {"loss": progress.loss}
        metrics |= {column.name: value for column, value in zip(task.columns, found.values, strict=True)}
        done = self._share(position / task.recipe.training.epochs)
        metrics["learning_rate"] = learning_rate(task.recipe.optimiser, min(1.0, done))
        metrics |= {task.speed.name: progress.speed, "elapsed_s": progress.elapsed_s}
        self._log(metrics, number)
        self.display.evaluation({"epoch": number, **metrics}, found.sample, best=is_best)

    def _log(self, figures: Mapping[str, float], position: float) -> None:
        """A line of metrics.jsonl, and the same for TensorBoard."""
        if self.fabric.is_global_zero:
            self.folder.add_metrics({"epoch": round(position, 3), "step": self.progress.step, **figures})
            self.fabric.log_dict(figures, self.progress.step)

    def _kept(self) -> nn.Module:
        """The network that is evaluated and written: with averaged weights, once there are some."""
        if self.average is None or not int(self.average.n_averaged):
            return self.task.network
        return self.average.module

    def save(self) -> None:
        """Write the state, in the first process."""
        if self.fabric.is_global_zero:
            state.save(self.folder.state, self.task.objective, self.optimiser, self.average, self.progress)

    def result(self) -> Result | None:
        """The best checkpoint, evaluated once more from its file; None in all processes but the first."""
        if not self.fabric.is_global_zero:
            return None
        self.logger.finalize("success")
        self.folder.draw_curves(self.task.recipe.name, self.task.columns)
        progress = self.progress
        return Result(progress.best_epoch, progress.best_step, self.task.summary(self.folder.best), progress.elapsed_s)

    def _say_facts(self) -> None:
        """The run in a few lines, before the first step, some batches of which are tried."""
        for warning in self.task.warnings():
            self.display.warn(warning)
        if self.precision.warning:
            self.display.warn(self.precision.warning)
        progress = self.progress
        plan = self.task.plan(progress.epoch, progress.parts)
        for batch in next(self._read(plan)):
            self._try(batch)  # the longest
        peak_bytes = probe.peak_bytes(self.fabric.device)
        sample = [plan[len(plan) * number // (TRIALS + 1)] for number in range(1, TRIALS + 1)]
        trials = [batch for batches in self._read(sample) for batch in batches]
        gradient, seconds = self._choose_gradient(trials)
        recipe = self.task.recipe
        steps = len(plan) * (recipe.training.epochs - progress.epoch) - progress.batch
        if recipe.training.max_steps:
            steps = min(steps, recipe.training.max_steps - progress.step)
        facts = {"recipe": f"{recipe.name}, seed {recipe.seed}", **self.task.facts()}
        parts = f" times {progress.parts} parts" if progress.parts > 1 else ""
        facts["batches"] += f"{parts}, {len(plan)} an epoch, {recipe.training.epochs} epochs"
        facts |= {
            "device": f"{self.processes} x {self.fabric.device}, {torch.get_num_threads()} threads each",
            "precision": f"{self.precision.name}: {self.precision.reason}",
            "gradient": gradient,
            "memory": f"{peak_bytes / 1e9:.1f} GB at most so far, the longest batch tried",
            "time": f"about {clock(max(0, steps) * seconds / TRIALS)} h by {TRIALS} batches, and the evaluations",
            "run folder": str(self.folder.path),
        }
        self.display.facts(facts)

    def _choose_gradient(self, trials: Sequence[Batch]) -> tuple[str, float]:
        """Who computes the LSTM's gradient, for the user, and the seconds that the trials take with it."""

        def seconds(own: bool) -> float:
            self.task.use_gradient(own)
            self._try(trials[0])
            started = time.perf_counter()
            for batch in trials:
                self._try(batch)
            probe.wait(self.fabric.device)
            (total,) = self._sums(time.perf_counter() - started)
            return total / self.processes

        asked = self.task.recipe.training.lstm_gradient
        if self.fabric.device.type != "cpu" or not self.task.use_gradient(True):
            return "torch", seconds(False)
        if asked != "auto":
            return f"{asked}, as the recipe says", seconds(asked == "own")
        times = {"own": seconds(True), "torch": seconds(False)}
        chosen = min(times, key=lambda name: times[name])
        self.task.use_gradient(chosen == "own")
        self.task.settle({"training.lstm_gradient": chosen})
        own_s, torch_s = times["own"], times["torch"]
        return f"{chosen}: {TRIALS} batches took {own_s:.2f} s with our own, {torch_s:.2f} s with torch's", times[
            chosen
        ]
