"""Can this set-up learn at all? What cannot learn one batch by heart will not learn a corpus."""

from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from torch import nn

from asr.evaluation.recognition import evaluate
from asr.recipe.augmentation import MaskingConfig
from asr.recipe.recipe import Recipe
from asr.scoring.wer import Score
from asr.training import checkpoint
from asr.training.acoustic import corpus
from asr.training.acoustic.objective import Objective
from asr.training.data.batches import AudioReader, batches
from asr.training.optimiser import build_optimiser

UTTERANCES = 8
"""Size of the batch; it is taken from the middle of the corpus, by duration."""
STEPS, LOOK_EVERY = 400, 20
"""So many steps at most, with a look at the transcripts every so many."""


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

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
        DataError: as `asr.training.loop.train`.
    """
    everything = corpus.read_manifests(recipe.data.train)
    writable = corpus.within_alphabet(everything, recipe.text, skip_bad=recipe.data.skip_bad)
    context = recipe.model.context.model_copy(update={"dropout": 0.0})
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"context": context})})
    model = checkpoint.build(recipe, corpus.make_tokenizer(recipe.text, writable))

    def num_frames(durations_s: np.ndarray) -> np.ndarray:
        samples = (durations_s * model.description.sample_rate).astype(np.int64)
        return model.network.output_lengths(torch.from_numpy(samples)).numpy()

    usable, _ = corpus.split_trainable(writable, model.description.tokenizer, num_frames, recipe.data)
    unreadable = corpus.unusable_audio(usable)
    by_duration = sorted((u for u in usable if u.id not in unreadable), key=lambda utterance: utterance.duration)
    middle = max(0, len(by_duration) - UTTERANCES) // 2
    chosen = by_duration[middle : middle + UTTERANCES]
    reader = AudioReader(model.description.sample_rate, recipe.data.cache_gib)
    corpus.set_statistics(model.network.features, chosen, reader, recipe.seed)
    unmasked = MaskingConfig(frequency_masks=0, time_masks=0)
    without_phones = recipe.objective.model_copy(update={"phone_layer": 0, "pronunciations": None})
    objective = Objective(without_phones, unmasked, model.network)
    optimiser = build_optimiser(recipe.optimiser, objective.parameters())
    (batch,) = batches([chosen], reader, model.description.tokenizer)
    steps = 0
    while True:
        score = evaluate(model, chosen, read=lambda utterance: reader(utterance).numpy())
        verdict = Verdict(steps, score)
        if verdict.can_learn or steps == STEPS:
            return verdict
        loss = torch.tensor(0.0)
        for _ in range(LOOK_EVERY):
            optimiser.zero_grad()
            loss = objective(*batch.tensors).total.sum() / batch.target_lengths.sum()
            loss.backward()
            nn.utils.clip_grad_norm_(objective.parameters(), recipe.optimiser.clip_norm)
            optimiser.step()
            steps += 1
        console.print(f"step {steps:4}  loss {loss.item():7.3f}", highlight=False)
