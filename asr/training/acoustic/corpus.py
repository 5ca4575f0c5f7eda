"""The speech of a run: manifests read and checked, the tokens, and the statistics that the feature stage needs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.network.features import Features
from asr.network.torch_model import TorchModel
from asr.recipe.training import TextConfig
from asr.text import CharTokenizer, Tokenizer, train_subwords
from asr.training.acoustic.objective import frames_needed
from asr.training.data.batches import AudioReader

STATISTICS_UTTERANCES = 500
"""So many training utterances give the mean and deviation of each mel band."""


def read_manifests(paths: Sequence[Path]) -> list[Utterance]:
    """All utterances of some manifests.

    Raises:
        DataError: a manifest is bad, or an id stands in two of them.
    """
    utterances = [utterance for path in paths for utterance in manifest.read(path)]
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise DataError(f"Utterance '{utterance.id}' stands in two of {', '.join(map(str, paths))}: give it once.")
        seen.add(utterance.id)
    return utterances


def make_tokenizer(config: TextConfig, utterances: Sequence[Utterance]) -> Tokenizer:
    """The tokens that the recipe asks for; sub-words are found in the transcripts of the utterances.

    Raises:
        DataError: the alphabet is bad, or does not hold a character of a transcript.
    """
    characters = CharTokenizer(config.alphabet)
    for utterance in utterances:
        try:
            characters.encode(utterance.text)
        except DataError as error:
            raise DataError(f"Utterance '{utterance.id}': {error}") from None
    if not config.subwords:
        return characters
    return train_subwords((utterance.text for utterance in utterances), config.alphabet, config.subwords)


def part_by_room(
    utterances: Sequence[Utterance], model: TorchModel, fastest: float
) -> tuple[list[Utterance], dict[str, list[Utterance]]]:
    """Those to train on, and those that cannot be trained on by the reason why.

    An utterance needs a frame for each token and one between equal neighbours, also at the fastest speed.

    Raises:
        DataError: none is left to train on.
    """
    samples = torch.tensor([int(u.duration / fastest * model.description.sample_rate) for u in utterances])
    good: list[Utterance] = []
    bad: dict[str, list[Utterance]] = {}
    for utterance, frames in zip(utterances, model.network.output_lengths(samples).tolist(), strict=True):
        targets = torch.tensor([model.description.tokenizer.encode(utterance.text)], dtype=torch.long)
        needed = int(frames_needed(targets, torch.tensor([targets.shape[1]])))
        if needed == 0:
            bad.setdefault("has no text", []).append(utterance)
        elif needed > frames:
            bad.setdefault("is too short for its transcript", []).append(utterance)
        else:
            good.append(utterance)
    if not good:
        reasons = " or ".join(bad)
        raise DataError(f"None of the {len(utterances)} training utterances can be trained on, each {reasons}.")
    return good, bad


def check_dev(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> None:
    """Raises DataError when there is no word to measure an error rate by."""
    if not any(tokenizer.normalise(utterance.text) for utterance in utterances):
        raise DataError("The dev manifests hold no word, so no error rate can be measured: give transcribed speech.")


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
