"""Can this set-up learn at all? What cannot overfit one batch will not learn a corpus."""

from dataclasses import dataclass
from typing import Any, cast

from lightning_fabric import Fabric
from rich.console import Console

from asr.evaluation.recognition import evaluate
from asr.recipe.files import with_values
from asr.recipe.recipe import Recipe
from asr.scoring.wer import Score
from asr.training import precision
from asr.training.acoustic.corpus import set_statistics
from asr.training.acoustic.task import AcousticTask
from asr.training.data.batches import batches
from asr.training.exchange import Exchange
from asr.training.step import Stepper

UTTERANCES = 8
"""Size of the batch; it is taken from the middle of the corpus, by duration."""
STEPS, LOOK_EVERY = 400, 20
"""Largest number of steps, and steps from one look at the transcripts to the next."""


@dataclass(frozen=True)
class Verdict:
    """Whether a batch was learnt."""

    steps: int
    score: Score
    """On the batch itself."""

    @property
    def can_learn(self) -> bool:
        """Whether every word of the batch was learnt."""
        return self.score.words.errors == 0


def check(recipe: Recipe, console: Console) -> Verdict:
    """Overfit one batch: the recipe's network and peak learning rate, without dropout, masking and augmentation.

    Raises:
        DataError: as `asr.training.run.train`.
    """
    plain = {
        "model.context.dropout": 0.0,
        "augmentation": {"speeds": [1.0], "gain_db": 0.0, "masking": {"frequency_masks": 0, "time_masks": 0}},
    }
    task = AcousticTask(with_values(recipe, plain), None)
    chosen_precision = precision.choose(recipe.training.precision, "cpu")
    fabric = Fabric(accelerator="cpu", devices=1, precision=cast("Any", chosen_precision.name))
    unusable = task.look(Exchange(fabric), {})
    usable = [place for place, name in enumerate(task.train_set.ids) if name not in unusable]
    by_duration = sorted(usable, key=task.train_set.durations_s.__getitem__)
    middle = max(0, len(by_duration) - UTTERANCES) // 2
    chosen = list(task.train_set.at(by_duration[middle : middle + UTTERANCES]))
    set_statistics(task.network.features, chosen, task.reader, recipe.seed)
    stepper = Stepper(fabric, task.objective, task.network, recipe.optimiser)
    (batch,) = batches([chosen], task.reader, task.tokenizer, phone_targets=task.phone_targets)
    steps = 0
    while True:
        score = evaluate(task.model, chosen, read=lambda utterance: task.reader(utterance).numpy())
        verdict = Verdict(steps, score)
        if verdict.can_learn or steps == STEPS:
            return verdict
        result = None
        for _ in range(LOOK_EVERY):
            result = stepper([batch], recipe.optimiser.learning_rate, recipe.seed + steps)
            steps += 1
        assert result is not None
        console.print(f"step {steps:4}  loss {result.loss:7.3f}", highlight=False)
