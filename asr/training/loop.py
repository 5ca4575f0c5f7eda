"""The training loop.

Every random choice follows from the recipe's seed and the position in the run: the order of the batches from (seed,
epoch), augmentation from (seed, epoch, batch), dropout and masking from (seed, step). Nothing depends on what was
drawn before, so the position, the weights and the optimiser's moments are all that a run has to remember.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from lightning_fabric.strategies.ddp import DDPStrategy
from rich.console import Console

import asr
from asr.data.augmentation import Augmenter
from asr.data.batches import AudioReader, Batch, batches, plan_epoch
from asr.data.manifest import Utterance
from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.runtime.evaluation import evaluate
from asr.scoring.wer import Score
from asr.training import checkpoint, probe, state
from asr.training.checkpoint import TorchModel
from asr.training.corpus import check_dev, make_tokenizer, part_by_room, read_manifests, set_statistics
from asr.training.display import Display, Epoch, clock
from asr.training.folder import RunFolder
from asr.training.objective import Objective
from asr.training.optimiser import average_of, build_optimiser, learning_rate
from asr.training.recipe import Recipe
from asr.training.state import Progress
from asr.training.stopping import Stopped, stop_requests

HOPELESS = 20
"""So many steps in a row without a finite gradient end a run."""
PATIENCE = timedelta(hours=6)
"""So long the other processes wait while the first one evaluates."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves to say."""

    epoch: int
    """The epoch of the best checkpoint, counted from 1."""
    dev: Score
    """Its score on the dev manifests."""
    duration_s: float


def train(recipe: Recipe, run_dir: Path, console: Console, *, resume: bool = False) -> Result | None:
    """Train `recipe` into the folder `run_dir`, a new one unless `resume` goes on with a run that was stopped.

    The folder gets `recipe.yaml` (resolved), `versions.json`, `metrics.jsonl` (a line an epoch), TensorBoard events,
    `curves.png`, `best.safetensors`, the weights with the lowest dev WER (the lower CER decides between equals), and
    `state.safetensors`, from which a stopped run goes on. Under `torchrun`, every process takes its part of each batch,
    `batch_duration_s` long; the first one evaluates and writes, and returns the result, the others None.

    Raises:
        RecipeError: `run_dir` holds a run already or, to resume, none or that of another recipe; or it is in use.
        DataError: a manifest is bad, or no utterance is left to train on.
        Stopped: SIGTERM or SIGINT arrived; the state is saved.
        AsrError: the run folder cannot be written, for the disk is full; the last good state is kept.
    """
    with Display(console, recipe.training.epochs) as display, stop_requests() as stop_request:
        trainer = Trainer(recipe, run_dir, display, resume=resume)
        try:
            with trainer.folder.held() if trainer.fabric.is_global_zero else nullcontext():
                trainer.resume() if resume else trainer.start()
                while trainer.progress.epoch < recipe.training.epochs:
                    trainer.epoch(stop_request)
                return trainer.result()
        except OSError as error:
            raise AsrError(
                f"Run folder '{run_dir}' cannot be written ({error.strerror}); the last good state is kept: make room, "
                "then go on with the same command and --resume."
            ) from error


class Trainer:
    """A run: its parts, and where it stands."""

    def __init__(self, recipe: Recipe, run_dir: Path, display: Display, *, resume: bool) -> None:
        self.folder, self.display = RunFolder(run_dir), display
        if resume:
            recipe = self.folder.same(recipe)
        else:
            self.folder.check_new()
        self.recipe = recipe
        everything, self.dev_set = read_manifests(recipe.data.train), read_manifests(recipe.data.dev)
        tokenizer = self.folder.read_tokenizer() if resume else make_tokenizer(recipe.text, everything)
        self.model = checkpoint.build(recipe, tokenizer)
        self.train_set, self.unusable = part_by_room(everything, self.model, max(recipe.augmentation.speeds))
        check_dev(self.dev_set, tokenizer)
        self.reader = AudioReader(self.model.description.sample_rate, recipe.data.cache_gib)
        self.augmenter = Augmenter(recipe.augmentation, self.model.description.sample_rate)
        self.objective = Objective(recipe.objective, recipe.augmentation.masking, self.model.network)
        self.logger = TensorBoardLogger(root_dir=run_dir, name="tensorboard", version="")
        on = recipe.training
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
        heard = "".join(f"{u.id}\t{u.duration!r}\t{u.text}\n" for u in self.train_set)
        digest = hashlib.sha256(heard.encode()).hexdigest()[:12]
        self.fingerprint = f"{self.fabric.world_size} processes and training set {digest}"

    def start(self) -> None:
        """Measure what the feature stage needs, or take over a checkpoint; begin the run folder, its recipe last."""
        self.folder.check_new()
        if self.recipe.init is None:
            set_statistics(self.model.network.features, self.train_set, self.reader, self.recipe.seed)
        else:
            anew = checkpoint.initialise(self.model, self.recipe.init)
            self.display.say(f"Started from '{self.recipe.init}'; anew: {', '.join(anew) or 'nothing'}.")
        self._set_up()
        if self.recipe.data.batch_duration_s == "auto":
            self._find_batch_duration()
        self._say_facts()
        if self.fabric.is_global_zero:
            self.folder.write_tokenizer(self.model.description.tokenizer)
        self.save()
        if self.fabric.is_global_zero:
            self.folder.write_recipe(self.recipe)

    def resume(self) -> None:
        """Go on from the state in the run folder."""
        self._set_up()
        self.progress = state.load(
            self.folder.state, self.objective, self.optimiser, self.average, fingerprint=self.fingerprint
        )
        if self.fabric.is_global_zero:
            self.folder.keep_metrics(self.progress.epoch)
        self._say_facts()
        self.display.say(f"Resumed in epoch {self.progress.epoch + 1}, after step {self.progress.step}.")

    def _set_up(self) -> None:
        """Move the weights to their device, and build what refers to them there."""
        optimiser = build_optimiser(self.recipe.optimiser, self.objective.parameters())
        self.wrapped, self.optimiser = self.fabric.setup(self.objective, optimiser)
        self.average = average_of(self.recipe.optimiser, self.model.network)

    def epoch(self, stop_request: Callable[[], str | None]) -> None:
        """Train an epoch, or what is left of it, and evaluate.

        Raises:
            Stopped: a signal arrived; the state is saved.
        """
        progress, plan = self.progress, self._plan()
        stream = self._read(plan, first=progress.batch)
        now = saved_at = time.monotonic()
        for batch in stream:
            share = (progress.epoch + (progress.batch + 1) / len(plan)) / self.recipe.training.epochs
            self.step(batch, learning_rate(self.recipe.optimiser, share))
            before, now = now, time.monotonic()
            progress.batch_done(self._sum(batch.duration_s), now - before)
            self.display.step(progress.epoch + 1, share, progress.loss, progress.audio_s_per_s)
            signal = stop_request()
            if self._sum(float(signal is not None)):
                self.save()
                self.fabric.barrier()  # else the end of one process might take the others down while they write
                raise Stopped(
                    f"Stopped by {signal or 'a signal'} in epoch {progress.epoch + 1}, after step {progress.step}; the "
                    f"state is saved in '{self.folder.path}': go on with the same command and --resume."
                )
            if now - saved_at > self.recipe.training.save_every_s:
                self.save()
                saved_at = time.monotonic()
        self._end_epoch(now)

    def _plan(self) -> list[list[Utterance]]:
        """The batches of the epoch under way; each is one of all processes together."""
        data = self.recipe.data
        assert isinstance(data.batch_duration_s, float)
        return plan_epoch(
            self.train_set,
            data.batch_duration_s * self.fabric.world_size * min(self.recipe.augmentation.speeds),
            seed=self.recipe.seed,
            epoch=self.progress.epoch,
            ascending=data.curriculum and self.progress.epoch == 0,
        )

    def _read(self, plan: list[list[Utterance]], first: int = 0) -> Iterator[Batch]:
        """This process's part of the planned batches, from number `first` on."""
        return batches(
            plan,
            self.reader,
            self.model.description.tokenizer,
            augmenter=self.augmenter,
            seed=(self.recipe.seed, self.progress.epoch),
            workers=self.recipe.data.workers,
            first=first,
            part=(self.fabric.global_rank, self.fabric.world_size),
        )

    def _try(self, batch: Batch) -> None:
        """A step that changes nothing."""
        with self.fabric.no_backward_sync(self.wrapped, enabled=self.fabric.world_size > 1):
            self.fabric.backward(self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors)).total.sum())
        self.optimiser.zero_grad()

    def _find_batch_duration(self) -> None:
        """Put a number for `auto` into the recipe: what fits into the memory of every process."""
        slowest = min(self.recipe.augmentation.speeds)
        longest = max(self.train_set, key=lambda utterance: utterance.duration)
        total_s = sum(utterance.duration for utterance in self.train_set)
        (batch,) = batches([[longest]], self.reader, self.model.description.tokenizer)
        device = self.fabric.device
        found_s = probe.largest_batch_s(
            self._try,
            batch,
            probe.most_useful_s(total_s, self.fabric.world_size),
            lambda: probe.peak_bytes(device),
            probe.limit_bytes(device),
        )
        smallest = self.fabric.all_reduce(torch.tensor(found_s / slowest, device=device), reduce_op="min")
        self.recipe = self.recipe.with_batch_duration(round(float(cast("torch.Tensor", smallest)), 1))

    def step(self, batch: Batch, rate: float) -> None:
        """Move the weights by one batch, of which this process may hold a part; its gradients are those of the whole.

        An utterance whose frames cannot carry its labels is left out and named; if a loss or a gradient is not finite
        all the same, the step is left out and its utterances are named.
        """
        progress = self.progress
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.recipe.seed * 1_000_003 + progress.step + (self.fabric.global_rank << 40))
        self.optimiser.zero_grad()
        losses = self.wrapped(*(part.to(self.fabric.device) for part in batch.tensors))
        weights = batch.weights.to(self.fabric.device) * losses.fits
        tokens = max(1.0, self._sum(float(weights @ batch.target_lengths.to(weights))))
        # Gradients are averaged over the processes, so that the sum over all utterances needs a factor.
        self.fabric.backward((weights * losses.total).sum() * (self.fabric.world_size / tokens))
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), self.recipe.optimiser.clip_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
            if self.average is not None and self.recipe.optimiser.ema:
                self.average.update_parameters(self.model.network)
            progress.loss_sum += self._sum(float((weights * losses.ctc).sum())) / tokens
            named = zip(batch.utterances, losses.fits.tolist(), batch.weights.tolist(), strict=True)
            left_out, reason = (
                [u.id for u, fits, weight in named if weight and not fits],
                "too short for the transcript",
            )
            self.left_out_in_a_row = 0
        else:
            left_out, reason = [utterance.id for utterance in batch.utterances], "a gradient is not finite"
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
        left = self.recipe.training.epochs - self.progress.epoch
        if self.average is not None and left <= self.recipe.optimiser.average_epochs:
            self.average.update_parameters(self.model.network)
        if self.fabric.is_global_zero:
            self._evaluate(started)
        self.progress.next_epoch()
        self.save()

    def _evaluate(self, started: float) -> None:
        """The first process's part of an epoch's end."""
        progress, kept = self.progress, self._kept()
        dev = evaluate(kept, self.dev_set, read=lambda utterance: self.reader(utterance).numpy())
        progress.elapsed_s += time.monotonic() - started
        measured = Epoch(
            progress.epoch + 1,
            progress.loss,
            dev.words.rate,
            dev.characters.rate,
            learning_rate(self.recipe.optimiser, (progress.epoch + 1) / self.recipe.training.epochs),
            progress.audio_s_per_s,
            progress.elapsed_s,
        )
        is_best = progress.evaluated(dev.words.rate or 0.0, dev.characters.rate or 0.0)
        if is_best:
            scores = {"dev": {"epoch": measured.epoch, "wer": dev.words.to_dict(), "cer": dev.characters.to_dict()}}
            path = self.folder.best
            checkpoint.save(path, kept, made_with=asr.__version__, created=f"{date.today()}", scores=scores)
        self.folder.add_metrics(measured)
        figures = {name: value for name, value in asdict(measured).items() if value is not None}
        self.fabric.log_dict(figures, progress.step)
        self.display.epoch(measured, dev.utterances[progress.epoch % len(dev.utterances)], best=is_best)

    def _kept(self) -> TorchModel:
        """The model that is evaluated and written: with averaged weights, once there are some."""
        if self.average is None or not int(self.average.n_averaged):
            return self.model
        return TorchModel(cast("AcousticModel", self.average.module), self.model.description)

    def save(self) -> None:
        """Write the state, in the first process."""
        if self.fabric.is_global_zero:
            state.save(
                self.folder.state,
                self.objective,
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
        self.folder.draw_curves(self.recipe.name)
        best = checkpoint.load(self.folder.best)
        dev = evaluate(best, self.dev_set, read=lambda utterance: self.reader(utterance).numpy())
        return Result(self.progress.best_epoch, dev, self.progress.elapsed_s)

    def _say_facts(self) -> None:
        """The run in a few lines, before the first step."""
        for reason, utterances in self.unusable.items():
            for utterance in utterances:
                self.display.warn(f"Left out: '{utterance.id}' ({utterance.duration:.2f} s) {reason}.")
        description, progress, plan = self.model.description, self.progress, self._plan()
        cost = probe.cost(lambda: [self._try(batch) for batch in self._read(plan[:1])], self.fabric.device)
        epochs = self.recipe.training.epochs
        steps = len(plan) * (epochs - progress.epoch) - progress.batch
        self.display.facts(
            recipe=f"{self.recipe.name}, seed {self.recipe.seed}",
            model=f"{description.parameters / 1e6:.1f} M parameters, {description.tokenizer.size} tokens, "
            f"{1000 * description.frame_shift_s:.0f} ms a frame",
            train=_size(self.train_set),
            dev=_size(self.dev_set),
            device=f"{self.fabric.world_size} x {self.fabric.device}, {torch.get_num_threads()} threads each, "
            f"{self.recipe.training.precision}",
            batches=f"of {self.recipe.data.batch_duration_s} s with padding, {len(plan)} an epoch, {epochs} epochs",
            memory=f"{cost.peak_bytes / 1e9:.1f} GB at most so far, the longest batch tried",
            time=f"about {clock(steps * cost.seconds)} h by that batch, and the evaluations",
            run_folder=str(self.folder.path),
        )


def _size(utterances: list[Utterance]) -> str:
    speakers = {u.speaker for u in utterances if u.speaker}
    duration = clock(sum(u.duration for u in utterances))
    return f"{len(utterances):,} utterances, {duration} h" + (f", {len(speakers)} speakers" if speakers else "")
