"""The training loop.

Every random choice follows from the recipe's seed and the position in the run: the order of the batches from (seed,
epoch), augmentation from (seed, epoch, batch), dropout and masking from (seed, step). Nothing depends on what was
drawn before, so the position, the weights and the optimiser's moments are all that a run has to remember.

Each planned batch is cut into parts, one for every process and accumulated batch. A run that is resumed with another
number of processes keeps its parts and with them its batches.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import nn

from asr.errors import AsrError, DataError
from asr.recipe.files import load_recipe
from asr.recipe.training import TrainingConfig
from asr.training import precision, state, trial
from asr.training.display import Display
from asr.training.exchange import Exchange, device_type, make_fabric
from asr.training.optimiser import learning_rate
from asr.training.run_folder import RunFolder
from asr.training.state import Progress
from asr.training.step import Stepper, StepResult
from asr.training.stopping import Stopped
from asr.training.task import Batch, Task

MAX_NONFINITE_STEPS = 20
"""A run ends after this many steps in a row without a finite gradient."""


class Trainer:
    """The training loop of a run, with its parts and its position."""

    def __init__(self, task: Task, folder: RunFolder, display: Display) -> None:
        self.task, self.folder, self.display = task, folder, display
        self.logger = TensorBoardLogger(root_dir=folder.path, name="tensorboard", version="")
        on = task.recipe.training
        self.precision = precision.choose(on.precision, device_type(on.accelerator))
        task.settle({"training.precision": self.precision.name})
        self.fabric = make_fabric(on.accelerator, self.precision.name, self.logger)
        self.fabric.launch()
        self.exchange = Exchange(self.fabric)
        self.progress = Progress(parts=self.exchange.processes * on.accumulate)
        self.nonfinite_in_a_row = 0

    @property
    def is_done(self) -> bool:
        """Whether the last epoch or step has been trained."""
        on = self.task.recipe.training
        return self.progress.epoch >= on.epochs or 0 < on.max_steps <= self.progress.step

    def start(self) -> None:
        """Start a new run; its recipe is written last, and marks the folder as a run."""
        self.folder.check_new()
        self._skip(self.task.look(self.exchange, {}))
        if remark := self.task.begin():
            self.display.say(remark)
        self._set_up()
        if (found := self.task.fit(self.stepper.try_out, self.fabric.device, self.exchange.processes)) is not None:
            self.task.settle({"data.batch_duration_s": min(self.exchange.gather(found))})
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
        self._set_up()
        self.progress = state.load(self.folder.state, self.stepper)
        known, bad = self.progress.skipped, self.task.look(self.exchange, self.progress.skipped)
        self.progress.skipped = {name: reason for name, reason in bad.items() if name in known}
        self._skip({name: reason for name, reason in bad.items() if name not in known})
        if self.fabric.is_global_zero:
            self.folder.keep_metrics(self.progress.step)
        self._say_facts()
        if remark:
            self.display.warn(remark)
        if self.progress.parts != self.exchange.processes * self.task.recipe.training.accumulate:
            self.display.warn(
                f"The batches stay those that were planned for {self.progress.parts} parts, by "
                f"{self.exchange.processes} processes now: the run continues, but not to exactly the same weights."
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
        if self.stepper.average is not None and recipe.optimiser.average_epochs:
            self.stepper.average.n_averaged.zero_()  # other epochs are the last ones now
            self.save()  # before the recipe, which says that this is done
        if self.fabric.is_global_zero:
            self.folder.write_recipe(recipe)

    def _set_up(self) -> None:
        """Move the weights to their device, and build what refers to them there."""
        task = self.task
        self.stepper = Stepper(self.fabric, task.objective, task.network, task.recipe.optimiser)

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
            result = self.step(batches, rate)
            signal = stop_request()
            amount, stops, lost = self.exchange.sums(
                sum(batch.amount for batch in batches),
                float(signal is not None),
                float(sum(len(batch.skipped) for batch in batches)),
            )
            before, now = now, time.monotonic()
            progress.batch_done(amount, now - before)
            self.display.step(progress, done)
            if lost:
                self._skip({name: reason for batch in batches for name, reason in batch.skipped.items()})
            if progress.step % recipe.training.log_every_steps == 0:
                figures = {"step_loss": result.loss, "gradient_norm": result.gradient_norm, "learning_rate": rate}
                self._log(figures, progress.epoch + progress.batch / len(plan))
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
        own = -(-self.progress.parts // self.exchange.processes)
        readers = [
            self.task.read(
                plan,
                self.progress.epoch,
                first,
                (self.exchange.rank * own + number, self.exchange.processes * own),
                self.progress.skipped,
            )
            for number in range(own)
        ]
        return zip(*readers, strict=True)

    def step(self, batches: Sequence[Batch], rate: float) -> StepResult:
        """Move the weights by one planned batch, of which this process holds some parts; name what is skipped."""
        progress = self.progress
        result = self.stepper(batches, rate, self.task.recipe.seed * 1_000_003 + progress.step)
        if result.is_done:
            progress.loss_sum += result.loss
            self.nonfinite_in_a_row = 0
        else:
            progress.steps_skipped += 1
            self.nonfinite_in_a_row += 1
        if result.skipped:
            self.display.warn(f"Skipped in step {progress.step} ({result.reason}): {', '.join(result.skipped)}.")
        if self.nonfinite_in_a_row == MAX_NONFINITE_STEPS:
            raise AsrError(
                f"Training diverged: {MAX_NONFINITE_STEPS} steps in a row, up to step {progress.step}, had gradients "
                "that are not finite. Start again with a lower `optimiser.learning_rate`, or a lower "
                "`optimiser.clip_norm`."
            )
        return result

    def _skip(self, found: Mapping[str, str]) -> None:
        """Note and name inputs that cannot be used, of all processes. Raises DataError when there are too many."""
        for reasons in self.exchange.gather(dict(found)):
            self.progress.skipped |= reasons
            for name, reason in reasons.items():
                if self.fabric.is_global_zero:
                    self.display.warn(f"Skipped: '{name}': {reason}")
        try:
            self.task.check_bad(self.progress.skipped)
        except DataError:
            if self.folder.recipe.exists():
                self.save()
            raise

    def _end_epoch(self, trained: float) -> None:
        """Evaluate after the share `trained` of the epoch, all of it unless `max_steps` came first, and save."""
        left = self.task.recipe.training.epochs - self.progress.epoch
        if self.stepper.average is not None and left <= self.task.recipe.optimiser.average_epochs:
            self.stepper.average.update_parameters(self.task.network)
        self._evaluate(self.progress.epoch + trained)
        if trained == 1:
            self.progress.next_epoch()
        self.save()

    def _evaluate(self, position: float) -> None:
        """Evaluate after `position` epochs, save the weights as the latest and, if they are, as the best."""
        started = time.monotonic()
        progress, task, network = self.progress, self.task, self._kept()
        found = task.evaluate(network, progress.epoch, self.exchange)
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
        average = self.stepper.average
        return self.task.network if average is None or not int(average.n_averaged) else average.module

    def save(self) -> None:
        """Write the state, in the first process."""
        if self.fabric.is_global_zero:
            state.save(self.folder.state, self.stepper, self.progress)

    def finish(self) -> str:
        """Draw the curves and score the best checkpoint, read from its file; only in the first process."""
        self.logger.finalize("success")
        self.folder.draw_curves(self.task.recipe.name, self.task.columns)
        return self.task.summary(self.folder.best)

    def _say_facts(self) -> None:
        """The run in a few lines, before the first step, some batches of which are tried."""
        for warning in self.task.warnings():
            self.display.warn(warning)
        if self.precision.warning:
            self.display.warn(self.precision.warning)
        progress = self.progress
        plan = self.task.plan(progress.epoch, progress.parts)
        sample = [plan[len(plan) * number // (trial.TRIALS + 1)] for number in range(1, trial.TRIALS + 1)]
        trials = [batch for batches in self._read(sample) for batch in batches]
        found = trial.run(self.task, self.stepper, next(self._read(plan)), trials)
        facts = trial.facts(self.task, found, progress, len(plan), len(trials) / len(sample))
        facts |= {
            "device": f"{self.exchange.processes} x {self.fabric.device}, {torch.get_num_threads()} threads each",
            "precision": f"{self.precision.name}: {self.precision.reason}",
            "run folder": str(self.folder.path),
        }
        self.display.facts(facts)
