"""Utterances -> padded batches: which stand together, in what order, read and augmented."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asr import audio
from asr.data.manifest import Utterance
from asr.errors import AsrError
from asr.network.torch_model import pad
from asr.text import Tokenizer
from asr.training.data.augmentation import Augmenter

JITTER = (0.9, 1.1)
"""Utterances whose durations differ by no more than this may change places between epochs."""


@dataclass(frozen=True)
class Batch:
    """Padded utterances. Shape: waveform (B, S), lengths (B,), targets (B, L), target_lengths (B,)"""

    utterances: list[Utterance]
    waveform: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    weights: Tensor
    """1; 0 for an utterance that only keeps a process busy whose part of the batch is empty. Shape: (B,)"""

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Waveform, lengths, targets and target lengths."""
        return self.waveform, self.lengths, self.targets, self.target_lengths

    @property
    def names(self) -> list[str]:
        """The ids of the utterances."""
        return [utterance.id for utterance in self.utterances]

    @property
    def amount(self) -> float:
        """Seconds of speech in the batch as the manifest has them, without padding."""
        return sum(u.duration for u, weight in zip(self.utterances, self.weights, strict=True) if weight)


def plan_epoch(
    utterances: Sequence[Utterance], batch_duration_s: float, *, seed: int, epoch: int, ascending: bool = False
) -> list[list[Utterance]]:
    """Put every utterance into one batch, beside others of like duration, the same way for the same seed and epoch.

    The utterances are sorted by a duration that is changed at random by up to `JITTER`, so that each epoch has other
    neighbours, and cut where one more would make the batch, padding included, longer than `batch_duration_s`. The batch
    with the longest utterance comes first, so that a lack of memory shows early; the others are shuffled, or go from
    short to long if `ascending`. An utterance longer than `batch_duration_s` stands alone.
    """
    random = np.random.default_rng([seed, epoch])
    keys = [u.duration * factor for u, factor in zip(utterances, random.uniform(*JITTER, len(utterances)), strict=True)]
    batches: list[list[Utterance]] = []
    longest_s = 0.0
    for index in np.argsort(keys, kind="stable")[::-1]:
        utterance = utterances[index]
        longest_s = max(longest_s, utterance.duration)
        if not batches or longest_s * (len(batches[-1]) + 1) > batch_duration_s:
            batches.append([])
            longest_s = utterance.duration
        batches[-1].append(utterance)
    first = max(range(len(batches)), key=lambda number: max(u.duration for u in batches[number]))
    rest = batches[:first] + batches[first + 1 :]
    if ascending:
        rest.reverse()
    else:
        random.shuffle(rest)
    return [batches[first], *rest]


class AudioReader:
    """Reads utterances as float32 waveforms, keeping what it has decoded as 16-bit numbers while there is room."""

    def __init__(self, sample_rate: int, cache_gib: float) -> None:
        self.sample_rate = sample_rate
        self.room = int(cache_gib * 2**30)
        self.cache: dict[tuple[Path, float, float], np.ndarray] = {}

    def __call__(self, utterance: Utterance) -> Tensor:
        """Shape: -> (S,)"""
        key = utterance.audio_filepath, utterance.offset, utterance.duration
        stored = self.cache.get(key)
        if stored is None:
            stored = self._read(utterance)
            if stored.nbytes <= self.room:
                self.room -= stored.nbytes
                self.cache[key] = stored
        return torch.from_numpy(stored.astype(np.float32) / 32768)

    def _read(self, utterance: Utterance) -> np.ndarray:
        waveform = audio.load(
            utterance.audio_filepath, self.sample_rate, offset_s=utterance.offset, duration_s=utterance.duration
        )
        return np.round(np.clip(waveform, -1, 32767 / 32768) * 32768).astype(np.int16)


@dataclass(frozen=True)
class _PlannedBatches(Dataset["Batch | AsrError"]):
    """The batches of one epoch by number. Augmentation follows from (seed, epoch, number) and nothing else."""

    plan: Sequence[Sequence[Utterance]]
    reader: AudioReader
    tokenizer: Tokenizer
    augmenter: Augmenter | None
    seed: Sequence[int]
    part: tuple[int, int]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> "Batch | AsrError":
        """An unreadable file is returned, not raised: a worker process would wrap it into a traceback."""
        try:
            return self._batch(index)
        except AsrError as error:
            return error

    def _batch(self, index: int) -> Batch:
        number, parts = self.part
        mine = self.plan[index][number::parts]
        utterances = list(mine or self.plan[index][:1])
        waveforms = [self.reader(utterance) for utterance in utterances]
        if self.augmenter is not None:
            random = np.random.default_rng([*self.seed, index, number] if number else [*self.seed, index])
            waveforms = [self.augmenter(waveform, random) for waveform in waveforms]
        targets = [torch.tensor(self.tokenizer.encode(u.text), dtype=torch.long) for u in utterances]
        waveform, lengths = pad(waveforms)
        padded, target_lengths = pad(targets)
        weights = torch.full((len(utterances),), float(bool(mine)))
        return Batch(utterances, waveform, lengths, padded, target_lengths, weights)


def batches(
    plan: Sequence[Sequence[Utterance]],
    reader: AudioReader,
    tokenizer: Tokenizer,
    *,
    augmenter: Augmenter | None = None,
    seed: Sequence[int] = (0,),
    workers: int = 0,
    first: int = 0,
    part: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Read the planned batches from number `first` on, in their order, `workers` processes ahead.

    Of each batch only the part (number, of how many) is read; several processes share a batch so.

    Raises:
        AudioError: an utterance cannot be read.
    """
    dataset = _PlannedBatches(plan, reader, tokenizer, augmenter, seed, part)
    numbers = range(first, len(plan))
    ahead = 4 if workers else None
    for batch in DataLoader(dataset, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=ahead):
        if isinstance(batch, AsrError):
            raise batch
        yield batch
