"""Utterances -> padded batches: how they are grouped and ordered, read and augmented."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asr import audio
from asr.data.manifest import Utterance
from asr.errors import AudioError
from asr.models.description import LOWEST_LEVEL_DB
from asr.network.torch_model import pad
from asr.text import Tokenizer
from asr.training.acoustic.phones import PhoneTargets
from asr.training.data import shar
from asr.training.data.augmentation import Augmenter
from asr.transcription.windows import DEFAULT, Leveller

SLACK_S = 0.1
"""Tolerance for recordings that are shorter than their manifest says."""
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
    """1; 0 for the silence that keeps a process busy whose part of the batch is empty. Shape: (B,)"""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Utterances whose audio cannot be used, by id, and why."""
    phones: tuple[Tensor, Tensor] | tuple[()] = ()
    """Tokens of the phones and their numbers, for a model with a head over phones. Shape: (B, N), (B,)"""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Waveform, lengths, targets and target lengths, and phones and their lengths where they are asked for."""
        return self.waveform, self.lengths, self.targets, self.target_lengths, *self.phones

    @property
    def names(self) -> list[str]:
        """The ids of the utterances."""
        return [utterance.id for utterance in self.utterances]

    @property
    def amount(self) -> float:
        """Seconds of speech in the batch as the manifest has them, without padding."""
        return sum(u.duration for u, weight in zip(self.utterances, self.weights, strict=True) if weight)


def plan_epoch(
    durations_s: Sequence[float] | np.ndarray,
    batch_duration_s: float,
    *,
    seed: int,
    epoch: int,
    ascending: bool = False,
) -> list[list[int]]:
    """Put every utterance into one batch, next to others of like duration, the same way for the same seed and epoch.

    Utterances are known by their duration alone, so that the plan needs neither their files nor their texts; a batch is
    a list of their numbers.

    The utterances are sorted by a duration that is changed at random by up to `JITTER`, so that each epoch has other
    neighbours, and cut where one more would make the batch, padding included, longer than `batch_duration_s`. The batch
    with the longest utterance comes first, so that a lack of memory shows early; the others are shuffled, or go from
    short to long if `ascending`. An utterance longer than `batch_duration_s` forms a batch of its own.
    """
    random = np.random.default_rng([seed, epoch])
    durations = np.asarray(durations_s, dtype=np.float64)
    keys = durations * random.uniform(*JITTER, len(durations))
    order = np.argsort(keys, kind="stable")[::-1]
    batches: list[list[int]] = []
    longest_s = 0.0
    for number, duration_s in zip(order.tolist(), durations[order].tolist(), strict=True):
        longest_s = max(longest_s, duration_s)
        if not batches or longest_s * (len(batches[-1]) + 1) > batch_duration_s:
            batches.append([])
            longest_s = duration_s
        batches[-1].append(number)
    first = max(range(len(batches)), key=lambda index: durations[batches[index]].max())
    rest = batches[:first] + batches[first + 1 :]
    if ascending:
        rest.reverse()
    else:
        random.shuffle(rest)
    return [batches[first], *rest]


class AudioReader:
    """Reads utterances as float32 waveforms at the level at which a model hears them when it transcribes.

    What it has decoded it keeps as 16-bit numbers while there is room.
    """

    def __init__(self, sample_rate: int, cache_gib: float) -> None:
        self.sample_rate = sample_rate
        self.room = int(cache_gib * 2**30)
        self.cache: dict[tuple[Path, float, float], np.ndarray] = {}

    def __call__(self, utterance: Utterance) -> Tensor:
        """Shape: -> (S,)

        Raises:
            AudioError: the file cannot be read, or holds less audio than the manifest says.
        """
        key = utterance.audio_filepath, utterance.offset, utterance.duration
        stored = self.cache.get(key)
        if stored is None:
            stored = self._read(utterance)
            if stored.nbytes <= self.room:
                self.room -= stored.nbytes
                self.cache[key] = stored
        levelled, _ = Leveller(DEFAULT, self.sample_rate, LOWEST_LEVEL_DB)(stored.astype(np.float32) / 32768)
        return torch.from_numpy(levelled)

    def _read(self, utterance: Utterance) -> np.ndarray:
        path = utterance.audio_filepath
        source = shar.read_member(path) if shar.is_member(path) else path
        waveform = audio.load(source, self.sample_rate, offset_s=utterance.offset, duration_s=utterance.duration)
        if len(waveform) < (utterance.duration - SLACK_S) * self.sample_rate:
            raise AudioError(
                f"'{utterance.audio_filepath}' holds {len(waveform) / self.sample_rate:.2f} s of audio where the "
                f"manifest says {utterance.duration:.2f} s: it was cut off, or the manifest is of another file."
            )
        return np.round(np.clip(waveform, -1, 32767 / 32768) * 32768).astype(np.int16)


@dataclass(frozen=True)
class _PlannedBatches(Dataset[Batch]):
    """The batches of one epoch by number. Augmentation follows from (seed, epoch, number) and nothing else."""

    plan: Sequence[Sequence[Utterance]]
    reader: AudioReader
    tokenizer: Tokenizer
    augmenter: Augmenter | None
    seed: Sequence[int]
    part: tuple[int, int]
    phone_targets: PhoneTargets | None

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Batch:
        number, parts = self.part
        random = np.random.default_rng([*self.seed, index, number] if number else [*self.seed, index])
        utterances: list[Utterance] = []
        waveforms: list[Tensor] = []
        skipped: dict[str, str] = {}
        for utterance in self.plan[index][number::parts]:
            try:
                waveform = self.reader(utterance)
            except AudioError as error:
                skipped[utterance.id] = str(error)
                continue
            waveforms.append(waveform if self.augmenter is None else self.augmenter(waveform, random))
            utterances.append(utterance)
        targets = [torch.tensor(self.tokenizer.encode(u.text), dtype=torch.long) for u in utterances]
        is_empty = not utterances
        if is_empty:  # a second of silence and one token, which do not count
            waveforms, targets = [torch.zeros(self.reader.sample_rate)], [torch.ones(1, dtype=torch.long)]
            utterances = [Utterance("nothing", Path(), 1.0, "")]
        waveform, lengths = pad(waveforms)
        padded, target_lengths = pad(targets)
        weights = torch.full((len(utterances),), float(not is_empty))
        phones: tuple[Tensor, Tensor] | tuple[()] = ()
        if self.phone_targets is not None:
            spoken = [self.phone_targets.encode(self.tokenizer.normalise(u.text)) for u in utterances]
            phones = pad([torch.tensor(sequence, dtype=torch.long) for sequence in spoken])
        return Batch(utterances, waveform, lengths, padded, target_lengths, weights, skipped, phones)


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
    phone_targets: PhoneTargets | None = None,
) -> Iterator[Batch]:
    """Read the planned batches from number `first` on, in their order, `workers` processes ahead.

    Of each batch only the part (number, of how many) is read; several processes share a batch so. An utterance whose
    audio cannot be used is skipped of its batch, which says so.
    """
    dataset = _PlannedBatches(plan, reader, tokenizer, augmenter, seed, part, phone_targets)
    numbers = range(first, len(plan))
    ahead = 4 if workers else None
    yield from DataLoader(dataset, batch_size=None, sampler=numbers, num_workers=workers, prefetch_factor=ahead)
