"""The training loop.

Every random choice follows from the recipe's seed and the position in the run: the order of the batches from (seed,
epoch), augmentation from (seed, epoch, batch), dropout and masking from (seed, step). Nothing depends on what was
drawn before, so the position is all that a run has to remember.
"""

import json
import platform
import time
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from rich.console import Console

import asr
from asr.data import manifest
from asr.data.augmentation import Augmenter
from asr.data.batches import AudioReader, Batch, batches, plan_epoch
from asr.data.manifest import Utterance
from asr.errors import DataError, RecipeError
from asr.model.acoustic import AcousticModel
from asr.runtime.evaluation import evaluate
from asr.scoring.wer import Score
from asr.training import checkpoint
from asr.training.checkpoint import TorchModel
from asr.training.display import Display, Epoch, clock
from asr.training.objective import ctc_losses, frames_needed, learning_rate
from asr.training.recipe import Recipe, recipe_to_yaml

STATISTICS_UTTERANCES = 500
"""So many training utterances give the mean and deviation of each mel band."""
PACKAGES = ("torch", "torchaudio", "lhotse", "lightning-fabric", "numpy", "safetensors")
"""Their versions are noted in the run folder."""


@dataclass(frozen=True)
class Result:
    """What a finished run leaves to say."""

    checkpoint: Path
    epoch: int
    """The epoch of the best checkpoint."""
    dev: Score
    """Its score on the dev manifests."""
    duration_s: float


def train(recipe: Recipe, run_dir: Path, console: Console) -> Result:
    """Train `recipe` into the new folder `run_dir`.

    The folder gets `recipe.yaml` (resolved), `versions.json`, `metrics.jsonl` (a line an epoch), TensorBoard events
    and `best.safetensors`, the weights with the lowest dev WER (the lower CER decides between equals).

    Raises:
        RecipeError: `run_dir` holds a run already.
        DataError: a manifest is bad, or no utterance is left to train on.
    """
    started = time.monotonic()
    model = checkpoint.build(recipe)
    augmenter = Augmenter(recipe.augmentation, model.description.sample_rate)
    train_set, dev_set = _read(recipe.data.train), _read(recipe.data.dev)
    train_set, too_short = _split_by_room(train_set, model, augmenter.fastest)
    if not train_set:
        raise DataError("No training utterance is long enough to carry its transcript: check the manifests.")
    _new_run_folder(run_dir, recipe)
    logger = TensorBoardLogger(root_dir=run_dir, name="tensorboard", version="")
    fabric = Fabric(
        accelerator=recipe.training.accelerator, devices=1, precision=recipe.training.precision, loggers=logger
    )
    reader = AudioReader(model.description.sample_rate, recipe.data.cache_gib)
    best: Result | None = None

    with Display(console, recipe.training.epochs) as display:
        for utterance in too_short:
            display.say(
                f"Left out: '{utterance.id}' ({utterance.duration:.2f} s) is too short for its transcript.", "yellow"
            )
        display.facts(
            recipe=f"{recipe.name}, seed {recipe.seed}",
            model=f"{model.description.parameters / 1e6:.1f} M parameters, "
            f"{model.description.tokenizer.size} tokens, {1000 * model.description.frame_shift_s:.0f} ms a frame",
            train=_size(train_set),
            dev=_size(dev_set),
            device=f"{fabric.device}, {torch.get_num_threads()} threads, {recipe.training.precision}",
            run_folder=str(run_dir),
        )
        _set_statistics(model.network, train_set, reader, recipe.seed)
        network, optimiser = fabric.setup(
            model.network,
            torch.optim.AdamW(
                model.network.parameters(),
                lr=recipe.optimiser.learning_rate,
                weight_decay=recipe.optimiser.weight_decay,
                betas=(0.9, 0.98),
            ),
        )
        step = 0
        for epoch in range(recipe.training.epochs):
            epoch_started, losses, heard_s = time.monotonic(), [], 0.0
            plan = plan_epoch(train_set, recipe.data.batch_duration_s, recipe.data.buckets, recipe.seed, epoch)
            stream = batches(
                plan,
                reader,
                model.description.tokenizer,
                augmenter=augmenter,
                seed=(recipe.seed, epoch),
                workers=recipe.data.workers,
            )
            rate = 0.0
            for index, batch in enumerate(stream):
                share = (epoch + (index + 1) / len(plan)) / recipe.training.epochs
                rate = learning_rate(recipe.optimiser, share)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                torch.manual_seed(recipe.seed * 1_000_003 + step)
                loss, not_finite = _step(fabric, network, optimiser, batch, recipe.optimiser.clip_norm)
                if not_finite:
                    display.say(f"Left out of a step, for their loss is not finite: {', '.join(not_finite)}.", "yellow")
                losses.append(loss)
                step += 1
                heard_s += batch.duration_s
                speed = heard_s / (time.monotonic() - epoch_started)
                display.step(epoch + 1, share, losses[-1], speed)
            loss, speed = float(np.mean(losses)), heard_s / (time.monotonic() - epoch_started)

            dev = evaluate(model, dev_set, read=lambda utterance: reader(utterance).numpy())
            elapsed_s = time.monotonic() - started
            measured = Epoch(epoch + 1, loss, dev.words.rate, dev.characters.rate, rate, speed, elapsed_s)
            is_best = best is None or _order(dev) < _order(best.dev)
            if is_best:
                best = Result(run_dir / checkpoint.BEST, epoch + 1, dev, elapsed_s)
                scores = {"dev": {"epoch": epoch + 1, "wer": dev.words.to_dict(), "cer": dev.characters.to_dict()}}
                checkpoint.save(
                    best.checkpoint, model, made_with=asr.__version__, created=f"{date.today()}", scores=scores
                )
            with (run_dir / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(measured)) + "\n")
            fabric.log_dict({name: value for name, value in asdict(measured).items() if value is not None}, step)
            display.epoch(measured, dev.utterances[epoch % len(dev.utterances)], best=is_best)
    logger.finalize("success")
    assert best is not None
    return Result(best.checkpoint, best.epoch, best.dev, time.monotonic() - started)


def _step(fabric: Fabric, network: Any, optimiser: Any, batch: Batch, clip_norm: float) -> tuple[float, list[str]]:
    """One optimiser step.

    Returns the loss for each token, and the ids of utterances whose loss is not finite: they are left out of the step.
    """
    log_probs, frames = network(batch.waveform.to(fabric.device), batch.lengths.to(fabric.device))
    losses = ctc_losses(log_probs, frames, batch.targets.to(fabric.device), batch.target_lengths.to(fabric.device))
    finite = torch.isfinite(losses)
    loss = torch.where(finite, losses, torch.zeros_like(losses)).sum() / batch.target_lengths.sum()
    optimiser.zero_grad()
    fabric.backward(loss)
    fabric.clip_gradients(network, optimiser, max_norm=clip_norm)
    optimiser.step()
    return loss.item(), [u.id for u, good in zip(batch.utterances, finite.tolist(), strict=True) if not good]


def _read(paths: tuple[Path, ...]) -> list[Utterance]:
    """All utterances of the manifests; their ids must differ. Raises DataError."""
    utterances = [utterance for path in paths for utterance in manifest.read(path)]
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise DataError(f"Utterance '{utterance.id}' stands in two of {', '.join(map(str, paths))}: give it once.")
        seen.add(utterance.id)
    return utterances


def _split_by_room(
    utterances: list[Utterance], model: TorchModel, fastest: float
) -> tuple[list[Utterance], list[Utterance]]:
    """Those whose frames can carry their transcript at the fastest speed, and those whose cannot."""
    description = model.description
    samples = torch.tensor([int(u.duration / fastest * description.sample_rate) for u in utterances])
    frames = model.network.output_lengths(samples).tolist()
    fits, too_short = [], []
    for utterance, room in zip(utterances, frames, strict=True):
        try:
            needed = frames_needed(description.tokenizer.encode(utterance.text))
        except DataError as error:
            raise DataError(f"Utterance '{utterance.id}': {error}") from None
        (fits if 0 < needed <= room else too_short).append(utterance)
    return fits, too_short


def _new_run_folder(run_dir: Path, recipe: Recipe) -> None:
    if (run_dir / "recipe.yaml").exists():
        raise RecipeError(f"Run folder '{run_dir}' holds a run already: choose another with --run-dir, or delete it.")
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "recipe.yaml").write_text(recipe_to_yaml(recipe), encoding="utf-8")
    versions = {name: metadata.version(name) for name in PACKAGES}
    versions |= {"asr": asr.__version__, "python": platform.python_version(), "platform": platform.platform()}
    (run_dir / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def _set_statistics(network: AcousticModel, utterances: list[Utterance], reader: AudioReader, seed: int) -> None:
    """Measure each band's mean and standard deviation on a sample of the training utterances."""
    chosen = np.random.default_rng(seed).permutation(len(utterances))[:STATISTICS_UTTERANCES]
    frames = []
    for index in sorted(chosen):
        waveform = reader(utterances[index])
        frames.append(network.features.log_mel(waveform[None], torch.tensor([len(waveform)]))[0])
    together = torch.cat(frames).double()
    network.features.mean.copy_(together.mean(dim=0))
    network.features.std.copy_(together.std(dim=0).clamp(min=1e-3))


def _order(dev: Score) -> tuple[float, float]:
    return dev.words.rate or 0.0, dev.characters.rate or 0.0


def _size(utterances: list[Utterance]) -> str:
    speakers = {u.speaker for u in utterances if u.speaker}
    duration = clock(sum(u.duration for u in utterances))
    return f"{len(utterances):,} utterances, {duration} h" + (f", {len(speakers)} speakers" if speakers else "")
