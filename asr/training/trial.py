"""Batches that are tried before the first step: which LSTM gradient is faster here, and how long a run will take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from asr.training import probe
from asr.training.display import clock
from asr.training.state import Progress
from asr.training.step import Stepper
from asr.training.task import Batch, Task

TRIALS = 3
"""Batches that are timed."""


@dataclass(frozen=True)
class Trial:
    """Result of the trial steps."""

    gradient: str
    """Who computes the gradient of the recurrent layers, and why, for the user."""
    seconds_per_batch: float
    peak_bytes: int
    """Most memory in use so far; 0 where not known."""


def run(task: Task, stepper: Stepper, longest: Sequence[Batch], trials: Sequence[Batch]) -> Trial:
    """Try the longest batch for its memory and some others for their time, and settle `training.lstm_gradient`.

    Both gradients are exact. All processes choose alike, by their mean times.
    """
    device = stepper.fabric.device
    for batch in longest:
        stepper.try_out(batch)
    peak_bytes = probe.peak_bytes(device)

    def seconds(own: bool) -> float:
        task.use_gradient(own)
        stepper.try_out(trials[0])
        started = time.perf_counter()
        for batch in trials:
            stepper.try_out(batch)
        probe.wait(device)
        (total,) = stepper.exchange.sums(time.perf_counter() - started)
        return total / stepper.exchange.processes

    asked, possible = task.recipe.training.lstm_gradient, task.gradients(device.type)
    if len(possible) == 1:
        return Trial(possible[0], seconds(possible[0] == "own") / len(trials), peak_bytes)
    if asked != "auto":
        return Trial(f"{asked}, as the recipe says", seconds(asked == "own") / len(trials), peak_bytes)
    times = {"own": seconds(True), "torch": seconds(False)}
    chosen = min(times, key=lambda name: times[name])
    task.use_gradient(chosen == "own")
    task.settle({"training.lstm_gradient": chosen})
    why = f"{len(trials)} batches took {times['own']:.2f} s with our own gradient, {times['torch']:.2f} s with torch's"
    return Trial(f"{chosen}: {why}", times[chosen] / len(trials), peak_bytes)


def facts(task: Task, trial: Trial, progress: Progress, batches: int, accumulated: float) -> dict[str, str]:
    """The run in a few words, with what the trial says it will take.

    Args:
        batches: planned batches of an epoch.
        accumulated: batches that this process takes for each of them.
    """
    recipe = task.recipe
    steps = batches * (recipe.training.epochs - progress.epoch) - progress.batch
    if recipe.training.max_steps:
        steps = min(steps, recipe.training.max_steps - progress.step)
    seconds = max(0, steps) * trial.seconds_per_batch * accumulated
    of_task = task.facts()
    parts = f" times {progress.parts} parts" if progress.parts > 1 else ""
    of_task["batches"] += f"{parts}, {batches} an epoch, {recipe.training.epochs} epochs"
    return {
        "recipe": f"{recipe.name}, seed {recipe.seed}",
        **of_task,
        "gradient": trial.gradient,
        "memory": f"{trial.peak_bytes / 1e9:.1f} GB at most so far, the longest batch tried",
        "time": f"about {clock(seconds)} h by {TRIALS} batches, and the evaluations",
    }
