"""Training an acoustic model: utterances in, error rates out."""

import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import torch
from torch import nn

from asr.data.manifest import Utterance
from asr.data.table import UtteranceTable
from asr.decoding import build
from asr.decoding.decoder import Decoder
from asr.decoding.options import DecodingOptions
from asr.errors import AudioError, DataError
from asr.evaluation.recognition import compute_log_probs, decode, evaluate, score_transcripts
from asr.models.decoding_settings import Settings
from asr.network import recurrent
from asr.network.acoustic import AcousticModel
from asr.network.torch_model import TorchModel
from asr.recipe.files import with_values
from asr.recipe.recipe import Recipe
from asr.scoring.summary import render
from asr.text import FIRST_PHONE, Tokenizer
from asr.training import checkpoint, probe
from asr.training.acoustic import corpus, mmi, phones
from asr.training.acoustic.objective import Objective
from asr.training.data.augmentation import Augmenter
from asr.training.data.batches import AudioReader, Batch, batches, plan_epoch
from asr.training.display import clock
from asr.training.entries import Entry, read_entries, write_entries
from asr.training.exchange import Exchange
from asr.training.task import Column, Evaluation
from asr.transcript.transcript import Transcript
from asr.version import __version__

CHUNK = 32
"""Dev utterances that each process recognises before the processes exchange results, which is their sign of life."""
COLUMNS = {
    "wer": Column("dev_wer", "dev WER %", 100.0),
    "cer": Column("dev_cer", "dev CER %", 100.0),
    "wer_lm": Column("dev_wer_lm", "with LM %", 100.0),
}


class AcousticTask:
    """The `Task` of a `Recipe`; the tokens are made from it unless given."""

    speed = Column("audio_s_per_s", "audio s/s", digits=0)

    def __init__(self, recipe: Recipe, tokenizer: Tokenizer | None) -> None:
        """Raises DataError: a manifest or the dictionary is bad, or no utterance is left to train on."""
        self.recipe = recipe
        everything = corpus.read_manifests(recipe.data.train)
        self.dev_set: Sequence[Utterance] = corpus.read_manifests(recipe.data.dev)
        writable, outside = corpus.within_alphabet(everything, recipe.text, skip_bad=recipe.data.skip_bad)
        self.tokenizer = tokenizer or corpus.make_tokenizer(recipe.text, writable)
        self.model = checkpoint.build(recipe, self.tokenizer)
        self.network = self.model.network
        self.train_set, self.unusable = corpus.split_trainable(writable, self.tokenizer, self._num_frames, recipe.data)
        self.unusable |= dict.fromkeys(outside, "has characters outside the alphabet")
        self.durations_s, self.places = self.train_set.durations_s, np.arange(len(self.train_set))
        corpus.check_dev(self.dev_set, self.tokenizer)
        self.reader = AudioReader(self.model.description.sample_rate, recipe.data.cache_gib)
        self.augmenter = Augmenter(recipe.augmentation, self.model.description.sample_rate)
        dictionary = recipe.objective.pronunciations
        texts = map(self.tokenizer.normalise, self.train_set.texts)
        self.phone_targets = phones.load(dictionary, recipe.model.phones, texts) if dictionary else None
        self.objective = Objective(recipe.objective, recipe.augmentation, self.network, self._phone_trigrams())
        best_by = recipe.evaluation.best_by
        shown = ["wer", "cer"] + ["wer_lm"] * (recipe.evaluation.lm is not None)
        self.columns = tuple(COLUMNS[name] for name in [best_by, *(name for name in shown if name != best_by)])
        self.decoders = [Decoder(), *self._searches()]
        self.unreadable_dev: dict[str, str] = {}

    def _num_frames(self, durations_s: np.ndarray) -> np.ndarray:
        """CTC frames at the fastest speed. Shape: (N,) -> (N,)"""
        fastest = max(self.recipe.augmentation.speeds)
        samples = (durations_s / fastest * self.model.description.sample_rate).astype(np.int64)
        return self.network.output_lengths(torch.from_numpy(samples)).numpy()

    def _phone_trigrams(self) -> torch.Tensor | None:
        """Which phones follow which in the training transcripts, where the objective needs to know."""
        if self.phone_targets is None or not self.recipe.objective.phone_mmi:
            return None
        sequences = (self.phone_targets.encode(self.tokenizer.normalise(text)) for text in self.train_set.texts)
        return mmi.trigrams(filter(None, sequences), FIRST_PHONE + len(self.recipe.model.phones))

    def _searches(self) -> list[Decoder]:
        """The beam search with the recipe's language model, where it names one."""
        options = self.recipe.evaluation
        if options.lm is None:
            return []
        settings = Settings(beam=options.beam, lm_weight=options.lm_weight, word_bonus=options.word_bonus)
        return [build.make(replace(self.model.description, decoding=settings), DecodingOptions(lm=options.lm))]

    def look(self, exchange: Exchange, known: Mapping[str, str]) -> dict[str, str]:
        """Read the header of every file, each process its share, and decode what could not be decoded before.

        Bad dev utterances are taken out of the dev set.
        """
        rank, processes = exchange.rank, exchange.processes
        found: list[dict[str, str]] = []
        every = -(-len(self.train_set) // corpus.HEADERS)
        suspects = self.train_set.at([place for place, name in enumerate(self.train_set.ids) if name in known])
        for here in (
            corpus.unusable_audio(self.train_set[rank::processes], every)
            | corpus.undecodable(suspects[rank::processes], self.reader),
            corpus.unusable_audio(self.dev_set[rank::processes]),
        ):
            found.append({name: reason for part in exchange.gather(here) for name, reason in part.items()})
        bad, self.unreadable_dev = found
        corpus.check_share_of_bad(self.unreadable_dev, len(self.dev_set), self.recipe.data)
        self.dev_set = [utterance for utterance in self.dev_set if utterance.id not in self.unreadable_dev]
        if not self.dev_set:
            raise DataError("No dev utterance can be read: " + next(iter(self.unreadable_dev.values())))
        corpus.check_dev(self.dev_set, self.tokenizer)
        return bad

    def check_bad(self, reasons: Mapping[str, str]) -> None:
        """Raises DataError when more utterances had to be skipped than the recipe allows."""
        corpus.check_share_of_bad(dict(reasons), len(self.places), self.recipe.data)

    def write_entries(self, path: Path) -> None:
        """Note what the batches are planned from."""
        write_entries(self._entries(), path)

    def _entries(self) -> Iterator[Entry]:
        """The training set as it is noted."""
        known = zip(self.train_set.ids, self.train_set.durations_s.tolist(), self.train_set.texts, strict=True)
        return (Entry(name, duration_s, zlib.crc32(text.encode())) for name, duration_s, text in known)

    def resume_entries(self, path: Path) -> str | None:
        """Plan from what a stopped run noted, whatever the manifests hold now; say what changed."""
        now = {entry.id: (place, entry) for place, entry in enumerate(self._entries())}
        durations_s, places = array("d"), array("q")
        removed: list[str] = []
        changed: list[str] = []
        for begun in read_entries(path):
            place, entry = now.pop(begun.id, (-1, None))
            durations_s.append(begun.duration_s)
            places.append(place)
            if entry is None:
                removed.append(begun.id)
            elif entry != begun:
                changed.append(begun.id)
        added = sorted(now)
        self.durations_s, self.places = np.array(durations_s), np.array(places)
        if len(removed) == len(places):
            raise DataError("None of the utterances that the run was started with is in the manifests any more.")
        notes = [
            f"{len(names):,} utterances {what} (first: '{names[0]}')"
            for names, what in (
                (removed, "are gone or cannot be trained on any more and are skipped"),
                (changed, "have another duration or transcript, which is used from now on"),
                (added, "are new and not trained on in this run"),
            )
            if names
        ]
        if not notes:
            return None
        return f"The manifests have changed: {'; '.join(notes)}. The run continues, but not to the same weights."

    def begin(self) -> str | None:
        """Measure what the feature stage needs, or take over a checkpoint."""
        if self.recipe.init is None:
            corpus.set_statistics(self.network.features, self.train_set, self.reader, self.recipe.seed)
            return None
        fresh = checkpoint.initialise(self.model, self.recipe.init)
        return f"Started from '{self.recipe.init}'; newly initialised: {', '.join(fresh) or 'nothing'}."

    def gradients(self, device_type: str) -> tuple[str, ...]:
        """Who can compute the gradient of the recurrent layers on a device."""
        return recurrent.gradients(self.recipe.model.context.cell, device_type)

    def use_gradient(self, own: bool) -> None:
        """Choose who computes the gradient of the recurrent layers on a CPU."""
        for layer in self.network.context.layers:
            layer.own_gradient = own

    def fit(self, trial: Callable[[Batch], object], device: torch.device, processes: int) -> float | None:
        """Seconds of audio in a batch, where the recipe says `auto`."""
        if self.recipe.data.batch_duration_s != "auto":
            return None
        durations_s = self.train_set.durations_s
        total_s, longest = float(durations_s.sum()), self.train_set[int(durations_s.argmax())]
        (batch,) = batches([[longest]], self.reader, self.tokenizer, phone_targets=self.phone_targets)
        found_s = probe.largest_batch_s(
            trial,
            batch,
            probe.most_useful_s(total_s, processes),
            lambda: probe.peak_bytes(device),
            probe.limit_bytes(device),
        )
        return round(found_s / min(self.recipe.augmentation.speeds), 1)

    def settle(self, values: Mapping[str, Any]) -> None:
        """Put what was found for `auto` into the recipe."""
        self.recipe = with_values(self.recipe, values)
        self.model.description = replace(self.model.description, recipe=self.recipe.model_dump(mode="json"))

    def plan(self, epoch: int, parts: int) -> list[list[int]]:
        """Batches of utterances of like duration, by the number of each, for all `parts` together."""
        data = self.recipe.data
        assert isinstance(data.batch_duration_s, float)
        return plan_epoch(
            self.durations_s,
            data.batch_duration_s * parts * min(self.recipe.augmentation.speeds),
            seed=self.recipe.seed,
            epoch=epoch,
            ascending=data.curriculum and epoch == 0,
        )

    def read(
        self,
        plan: Sequence[Sequence[int]],
        epoch: int,
        first: int,
        part: tuple[int, int],
        skip: Mapping[str, str],
    ) -> Iterator[Batch]:
        """Read, augment, encode and pad."""
        return batches(
            _Planned(plan, self.train_set, self.places, skip),
            self.reader,
            self.tokenizer,
            augmenter=self.augmenter,
            seed=(self.recipe.seed, epoch),
            workers=self.recipe.data.workers,
            first=first,
            part=part,
            phone_targets=self.phone_targets,
        )

    def facts(self) -> dict[str, str]:
        """Network and speech in a few words."""
        description = self.model.description
        return {
            "model": f"{description.parameters / 1e6:.1f} M parameters, {self.tokenizer.size} tokens, "
            f"{1000 * description.frame_shift_s:.0f} ms per frame",
            "train": _size(self.train_set),
            "dev": _size(self.dev_set),
            "batches": f"{self.recipe.data.batch_duration_s} s with padding",
            **({"phones": self.phone_targets.summary} if self.phone_targets else {}),
        }

    def warnings(self) -> list[str]:
        """Which utterances are skipped, and why."""
        warnings = [f"Skipped: '{name}' {reason}." for name, reason in self.unusable.items()]
        if len(warnings) > corpus.LISTED:
            warnings[corpus.LISTED :] = [f"Skipped for such reasons: {len(warnings) - corpus.LISTED:,} more."]
        return warnings + [f"Skipped in dev: '{name}': {reason}" for name, reason in self.unreadable_dev.items()]

    def evaluate(self, network: nn.Module, epoch: int, exchange: Exchange) -> Evaluation:
        """WER and CER, and the transcript of one utterance; every process recognises its share."""
        model = TorchModel(cast("AcousticModel", network), self.model.description)
        own = self.dev_set[exchange.rank :: exchange.processes]
        largest_share = -(-len(self.dev_set) // exchange.processes)
        found: dict[str, list[Transcript]] = {}
        for first in range(0, largest_share, CHUNK):
            readable = []
            for utterance in own[first : first + CHUNK]:
                try:
                    self.reader(utterance)
                    readable.append(utterance)
                except AudioError as error:
                    self.unreadable_dev[utterance.id] = str(error)
            here = {
                readable[index].id: [
                    decode(model.description, decoder, log_probs, duration_s) for decoder in self.decoders
                ]
                for index, duration_s, log_probs in compute_log_probs(model, readable, read=self._read)
            }
            for there in exchange.gather(here):
                found |= there
        scored = [utterance for utterance in self.dev_set if utterance.id in found]
        if not scored:
            raise DataError("No dev utterance can be read: " + next(iter(self.unreadable_dev.values())))
        greedy, *searched = (
            score_transcripts(self.model.description, scored, [found[u.id][way] for u in scored])
            for way in range(len(self.decoders))
        )
        values = {"dev_wer": greedy.words.rate, "dev_cer": greedy.characters.rate}
        scores = {"wer": greedy.words.to_dict(), "cer": greedy.characters.to_dict()}
        sample = greedy.utterances[epoch % len(scored)]
        for score in searched:
            values["dev_wer_lm"] = score.words.rate
            scores["wer_lm"] = score.words.to_dict()
            sample = score.utterances[epoch % len(scored)]
        return Evaluation(
            tuple(values[column.name] or 0.0 for column in self.columns),
            (f"reference   {sample.reference}", f"hypothesis  {sample.hypothesis}"),
            scores,
        )

    def _read(self, utterance: Utterance) -> np.ndarray:
        return self.reader(utterance).numpy()

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write a checkpoint."""
        made = {"made_with": __version__, "created": f"{date.today()}"}
        checkpoint.save(path, network, self.model.description, **made, scores={"dev": scores})

    def summary(self, path: Path) -> str:
        """Greedy error rates with their counts and intervals."""
        dev_set = [utterance for utterance in self.dev_set if utterance.id not in self.unreadable_dev]
        return render(evaluate(checkpoint.load(path), dev_set, read=self._read))


@dataclass(frozen=True)
class _Planned(Sequence[list[Utterance]]):
    """The utterances of planned batches, without those that are gone or skipped, made when they are asked for."""

    plan: Sequence[Sequence[int]]
    table: UtteranceTable
    places: np.ndarray
    """Where the utterance of each number is in the table; -1 of one that is gone."""
    skip: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.plan)

    @overload
    def __getitem__(self, index: int) -> list[Utterance]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Utterance]]: ...
    def __getitem__(self, index: int | slice) -> list[Utterance] | list[list[Utterance]]:
        if isinstance(index, slice):
            return [self[one] for one in range(len(self))[index]]
        there = (self.table[place] for place in self.places[self.plan[index]].tolist() if place >= 0)
        return [utterance for utterance in there if utterance.id not in self.skip]


def _size(utterances: Sequence[Utterance]) -> str:
    table = utterances if isinstance(utterances, UtteranceTable) else UtteranceTable(utterances)
    speakers = f", {table.num_speakers} speakers" if table.num_speakers else ""
    return f"{len(table):,} utterances, {clock(float(table.durations_s.sum()))} h{speakers}"
