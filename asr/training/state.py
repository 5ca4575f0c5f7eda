"""Everything a run needs to continue as if it had never stopped, in one safetensors file.

No random state is in it: every random choice follows from the recipe's seed and the position in the run.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from asr.errors import ModelError
from asr.files import replacing
from asr.training.step import Stepper

STATE = "state.safetensors"
"""The file's name in the run folder."""


@dataclass
class Progress:
    """Where a run is."""

    epoch: int = 0
    """Epochs that are done, their evaluation included."""
    batch: int = 0
    """Batches of the epoch under way that are done."""
    step: int = 0
    """Optimiser steps in all."""
    loss_sum: float = 0.0
    """Of the epoch's steps, NaN and infinity not counted."""
    steps_skipped: int = 0
    """Of the epoch's batches, those whose step was skipped because a gradient was not finite."""
    parts: int = 1
    """Into which each batch is cut: processes times accumulated batches, when the run began."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Utterances whose audio cannot be used, by id, and why; they stay out for the rest of the run."""
    amount: float = 0.0
    """What was in the epoch's batches, in the unit of `Task.speed`."""
    training_s: float = 0.0
    """Wall time of the epoch's batches."""
    elapsed_s: float = 0.0
    """Wall time of the run without its interruptions."""
    best_epoch: int = 0
    """Counted from 1; 0 before the first evaluation."""
    best_step: int = 0
    best: tuple[float, ...] = (math.inf,)
    """What was measured then; less is better, the first value first."""

    @property
    def loss(self) -> float:
        """Mean over the epoch's steps of the CTC loss for each token, in nats; NaN when all were skipped."""
        steps = self.batch - self.steps_skipped
        return self.loss_sum / steps if steps else math.nan

    @property
    def speed(self) -> float:
        """The amount that was trained in a second of the epoch."""
        return self.amount / max(1e-9, self.training_s)

    def batch_done(self, amount: float, took_s: float) -> None:
        """Count a batch with its optimiser step."""
        self.batch += 1
        self.step += 1
        self.amount += amount
        self.training_s += took_s
        self.elapsed_s += took_s

    def evaluated(self, values: tuple[float, ...]) -> bool:
        """Note what was measured on the dev part; True if it is the best so far."""
        is_best = values < tuple(self.best)
        if is_best:
            self.best_epoch, self.best_step, self.best = self.epoch + 1, self.step, values
        return is_best

    def next_epoch(self) -> None:
        """Go on to the next epoch's first batch."""
        self.epoch += 1
        self.batch, self.steps_skipped, self.loss_sum, self.amount, self.training_s = 0, 0, 0.0, 0.0, 0.0


def save(path: Path, stepper: Stepper, progress: Progress) -> None:
    """Write the state atomically. Raises OSError."""
    objective, optimiser, average = stepper.objective, stepper.optimiser, stepper.average
    tensors = {f"objective.{name}": tensor for name, tensor in objective.state_dict().items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in values.items()}
    if average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as file:
        file.write(to_bytes(tensors, metadata={"progress": json.dumps(asdict(progress))}))


def load(path: Path, stepper: Stepper) -> Progress:
    """Put a saved state into the objects that made it, and say where the run was.

    Raises:
        ModelError: the file is missing or damaged, or of another network.
    """
    objective, optimiser, average = stepper.objective, stepper.optimiser, stepper.average
    if not path.is_file():
        raise ModelError(f"There is no '{path}' to resume from: start the run without --resume.")
    try:
        with safe_open(path, framework="pt") as reader:
            metadata = reader.metadata() or {}
            tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118 - not a dict
        progress = Progress(**json.loads(metadata["progress"]))
        objective.load_state_dict(_part(tensors, "objective."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimiser.").items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        if average is not None:
            average.load_state_dict(_part(tensors, "average."))
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"State '{path}' cannot be resumed ({reason}): restore it, or start a new run.") from None
    return progress


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
