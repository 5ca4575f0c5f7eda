"""The speech of a run: manifests read and checked, and the statistics that the feature stage needs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from asr.data import manifest
from asr.data.batches import AudioReader
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.model.features import Features
from asr.training.checkpoint import TorchModel
from asr.training.objective import frames_needed
from asr.training.recipe import Recipe

STATISTICS_UTTERANCES = 500
"""So many training utterances give the mean and deviation of each mel band."""


@dataclass(frozen=True)
class Corpus:
    """What a recipe's manifests hold."""

    train: list[Utterance]
    dev: list[Utterance]
    too_short: list[Utterance]
    """Training utterances left out, for their frames cannot carry their transcript at the fastest speed."""


def read_corpus(recipe: Recipe, model: TorchModel) -> Corpus:
    """Read the manifests of a recipe.

    Raises:
        DataError: a manifest is bad, an id stands in two of them, a transcript has a character outside the alphabet,
            or no utterance is left to train on.
    """
    everything, dev = _read(recipe.data.train), _read(recipe.data.dev)
    fastest = max(recipe.augmentation.speeds)
    samples = torch.tensor([int(u.duration / fastest * model.description.sample_rate) for u in everything])
    train, too_short = [], []
    for utterance, frames in zip(everything, model.network.output_lengths(samples).tolist(), strict=True):
        needed = frames_needed(_tokens(utterance, model))
        (train if 0 < needed <= frames else too_short).append(utterance)
    if not train:
        raise DataError(
            f"None of the {len(everything)} training utterances is long enough for its transcript: check the manifests."
        )
    return Corpus(train, dev, too_short)


@torch.no_grad()
def set_statistics(features: Features, utterances: list[Utterance], reader: AudioReader, seed: int) -> None:
    """Measure each band's mean and standard deviation on a sample of the utterances and put them into the model."""
    chosen = np.random.default_rng(seed).permutation(len(utterances))[:STATISTICS_UTTERANCES]
    frames = []
    for index in sorted(chosen):
        waveform = reader(utterances[index])
        frames.append(features.log_mel(waveform[None], torch.tensor([len(waveform)]))[0])
    together = torch.cat(frames).double()
    features.mean.copy_(together.mean(dim=0))
    features.std.copy_(together.std(dim=0).clamp(min=1e-3))


def _read(paths: tuple[Path, ...]) -> list[Utterance]:
    """All utterances of the manifests; their ids must differ."""
    utterances = [utterance for path in paths for utterance in manifest.read(path)]
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise DataError(f"Utterance '{utterance.id}' stands in two of {', '.join(map(str, paths))}: give it once.")
        seen.add(utterance.id)
    return utterances


def _tokens(utterance: Utterance, model: TorchModel) -> list[int]:
    try:
        return model.description.tokenizer.encode(utterance.text)
    except DataError as error:
        raise DataError(f"Utterance '{utterance.id}': {error}") from None
