"""Training an acoustic model: utterances in, error rates out."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from asr.data.manifest import Utterance
from asr.evaluation.recognition import evaluate
from asr.network.acoustic import AcousticModel
from asr.network.torch_model import TorchModel
from asr.recipe.recipe import Recipe
from asr.scoring.summary import render
from asr.scoring.wer import Score
from asr.text import Tokenizer
from asr.training import checkpoint, probe
from asr.training.acoustic.corpus import check_dev, make_tokenizer, part_by_room, read_manifests, set_statistics
from asr.training.acoustic.objective import Objective
from asr.training.data.augmentation import Augmenter
from asr.training.data.batches import AudioReader, Batch, batches, plan_epoch
from asr.training.display import clock
from asr.training.task import Column, Evaluation
from asr.version import __version__


class AcousticTask:
    """The `Task` of a `Recipe`; the tokens are made from it unless given."""

    columns = (Column("dev_wer", "dev WER %", 100.0), Column("dev_cer", "dev CER %", 100.0))
    speed = Column("audio_s_per_s", "audio s/s", digits=0)

    def __init__(self, recipe: Recipe, tokenizer: Tokenizer | None) -> None:
        """Raises DataError: a manifest is bad, or no utterance is left to train on."""
        self.recipe = recipe
        everything, self.dev_set = read_manifests(recipe.data.train), read_manifests(recipe.data.dev)
        self.tokenizer = tokenizer or make_tokenizer(recipe.text, everything)
        self.model = checkpoint.build(recipe, self.tokenizer)
        self.train_set, self.unusable = part_by_room(everything, self.model, max(recipe.augmentation.speeds))
        check_dev(self.dev_set, self.tokenizer)
        self.reader = AudioReader(self.model.description.sample_rate, recipe.data.cache_gib)
        self.augmenter = Augmenter(recipe.augmentation, self.model.description.sample_rate)
        self.network = self.model.network
        self.objective = Objective(recipe.objective, recipe.augmentation.masking, self.network)
        heard = "".join(f"{u.id}\t{u.duration!r}\t{u.text}\n" for u in self.train_set)
        self.fingerprint = hashlib.sha256(heard.encode()).hexdigest()[:12]

    def begin(self) -> str | None:
        """Measure what the feature stage needs, or take over a checkpoint."""
        if self.recipe.init is None:
            set_statistics(self.network.features, self.train_set, self.reader, self.recipe.seed)
            return None
        anew = checkpoint.initialise(self.model, self.recipe.init)
        return f"Started from '{self.recipe.init}'; anew: {', '.join(anew) or 'nothing'}."

    def fit(self, trial: Callable[[Batch], object], device: torch.device, processes: int) -> float | None:
        """Seconds of audio in a batch, where the recipe says `auto`."""
        if self.recipe.data.batch_duration_s != "auto":
            return None
        longest = max(self.train_set, key=lambda utterance: utterance.duration)
        total_s = sum(utterance.duration for utterance in self.train_set)
        (batch,) = batches([[longest]], self.reader, self.tokenizer)
        found_s = probe.largest_batch_s(
            trial,
            batch,
            probe.most_useful_s(total_s, processes),
            lambda: probe.peak_bytes(device),
            probe.limit_bytes(device),
        )
        return found_s / min(self.recipe.augmentation.speeds)

    def settle(self, found: float) -> None:
        """Put the batch duration into the recipe."""
        self.recipe = self.recipe.with_batch_duration(round(found, 1))
        self.model.description = replace(self.model.description, recipe=self.recipe.model_dump(mode="json"))

    def plan(self, epoch: int, processes: int) -> list[list[Utterance]]:
        """Utterances of like duration stand together; every process gets `batch_duration_s`."""
        data = self.recipe.data
        assert isinstance(data.batch_duration_s, float)
        return plan_epoch(
            self.train_set,
            data.batch_duration_s * processes * min(self.recipe.augmentation.speeds),
            seed=self.recipe.seed,
            epoch=epoch,
            ascending=data.curriculum and epoch == 0,
        )

    def read(
        self, plan: Sequence[Sequence[Utterance]], epoch: int, first: int, part: tuple[int, int]
    ) -> Iterator[Batch]:
        """Read, augment, encode and pad."""
        return batches(
            plan,
            self.reader,
            self.tokenizer,
            augmenter=self.augmenter,
            seed=(self.recipe.seed, epoch),
            workers=self.recipe.data.workers,
            first=first,
            part=part,
        )

    def facts(self) -> dict[str, str]:
        """Network and speech in a few words."""
        description = self.model.description
        return {
            "model": f"{description.parameters / 1e6:.1f} M parameters, {self.tokenizer.size} tokens, "
            f"{1000 * description.frame_shift_s:.0f} ms a frame",
            "train": _size(self.train_set),
            "dev": _size(self.dev_set),
            "batches": f"of {self.recipe.data.batch_duration_s} s with padding",
        }

    def warnings(self) -> list[str]:
        """Which utterances are left out, and why."""
        return [
            f"Left out: '{utterance.id}' ({utterance.duration:.2f} s) {reason}."
            for reason, utterances in self.unusable.items()
            for utterance in utterances
        ]

    def evaluate(self, network: nn.Module, epoch: int) -> Evaluation:
        """WER, then CER, and the transcript of one utterance."""
        dev = self._score(self._as_model(network))
        sample = dev.utterances[epoch % len(dev.utterances)]
        return Evaluation(
            (dev.words.rate or 0.0, dev.characters.rate or 0.0),
            (f"said  {sample.reference}", f"heard {sample.hypothesis}"),
            {"wer": dev.words.to_dict(), "cer": dev.characters.to_dict()},
        )

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write a checkpoint."""
        made = {"made_with": __version__, "created": f"{date.today()}"}
        checkpoint.save(path, network, self.model.description, **made, scores={"dev": scores})

    def summary(self, path: Path) -> str:
        """Error rates with their counts and intervals."""
        return render(self._score(checkpoint.load(path)))

    def _as_model(self, network: nn.Module) -> TorchModel:
        return TorchModel(cast("AcousticModel", network), self.model.description)

    def _score(self, model: TorchModel) -> Score:
        return evaluate(model, self.dev_set, read=lambda utterance: self.reader(utterance).numpy())


def _size(utterances: list[Utterance]) -> str:
    speakers = {u.speaker for u in utterances if u.speaker}
    duration = clock(sum(u.duration for u in utterances))
    return f"{len(utterances):,} utterances, {duration} h" + (f", {len(speakers)} speakers" if speakers else "")
