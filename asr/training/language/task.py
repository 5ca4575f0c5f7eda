"""Training a language model: sentences in, bits a character out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from asr.lm.protocol import END
from asr.lm.sampling import generate
from asr.network import recurrent
from asr.network.language import LanguageModel
from asr.recipe.recipe import LanguageRecipe
from asr.text import Tokenizer
from asr.training.exchange import Exchange
from asr.training.language import checkpoint as language_checkpoint
from asr.training.language.objective import LanguageObjective, TorchReader, summed
from asr.training.language.windows import EncodedSentences, Windows, make_tokenizer
from asr.training.task import Column, Evaluation
from asr.training.text import TextTask

DEV_BATCH = 256
"""Sentences that are scored at a time."""
SAMPLE = 60
"""Tokens of the sample text that is printed."""


class LanguageTask(TextTask[LanguageRecipe, EncodedSentences]):
    """The `Task` of a `LanguageRecipe`; the tokens are made from it unless given."""

    columns = (Column("dev_bits", "dev bits/char", digits=3),)
    speed = Column("tokens_per_s", "tokens/s", digits=0)

    def __init__(self, recipe: LanguageRecipe, tokenizer: Tokenizer | None) -> None:
        """Raises DataError: a text is bad, or holds no sentence."""
        self.recipe = recipe
        self.tokenizer = tokenizer or make_tokenizer(recipe.text, recipe.data)
        self.train_set = EncodedSentences(recipe.data.train, self.tokenizer)
        self.dev_set = EncodedSentences(recipe.data.dev, self.tokenizer)
        self.model = language_checkpoint.build(recipe, self.tokenizer)
        self.network = self.model.network
        self.objective = LanguageObjective(self.network)

    def gradients(self, device_type: str) -> tuple[str, ...]:
        """Who can compute the gradient of the recurrent layers on a device."""
        return recurrent.gradients(self.recipe.language.cell, device_type)

    def use_gradient(self, own: bool) -> None:
        """Choose who computes the gradient of the recurrent layers on a CPU."""
        self.model.network.own_gradient = own

    def read(
        self,
        plan: Sequence[Sequence[list[int]]],
        epoch: int,
        first: int,
        part: tuple[int, int],
        skip: Mapping[str, str],
    ) -> Iterator[Windows]:
        """Each window begins with an end of sentence, as a text to be scored does."""
        number, parts = part
        for windows in plan[first:]:
            mine = windows[number::parts]
            tokens = np.full((max(1, len(mine)), self.recipe.data.window + 1), END, dtype=np.int64)
            lengths = np.zeros(len(tokens), dtype=np.int64)
            for row, window in enumerate(mine):
                text = np.concatenate([self.train_set[index] for index in window])[: self.recipe.data.window]
                tokens[row, 1 : len(text) + 1] = text
                lengths[row] = len(text)
            longest = max(1, int(lengths.max()))  # a process without a window reads one token that does not count
            names = tuple(f"sentence {window[0] + 1}" for window in mine) or ("nothing",)
            yield Windows(torch.from_numpy(tokens[:, : longest + 1]), torch.from_numpy(lengths), names)

    def facts(self) -> dict[str, str]:
        """Network and text in a few words."""
        return {
            "model": f"{self.model.description.parameters / 1e6:.1f} M parameters, {self.tokenizer.size} tokens",
            "train": f"{len(self.train_set):,} sentences, {self.train_set.characters / 1e6:.1f} M characters",
            "dev": f"{len(self.dev_set):,} sentences, {self.dev_set.characters / 1e6:.1f} M characters",
            "batches": f"of {self.recipe.data.batch} windows of {self.recipe.data.window} tokens",
        }

    def evaluate(self, network: nn.Module, epoch: int, exchange: Exchange) -> Evaluation:
        """Bits per character over the dev sentences, each read alone with its end; and a text of the model's own."""
        nats = sum(exchange.gather(self._nats(cast("LanguageModel", network), exchange.rank, exchange.processes)))
        bits = nats / math.log(2) / self.dev_set.characters
        text = generate(
            TorchReader(cast("LanguageModel", network)), self.tokenizer, "", SAMPLE, temperature=0.7, seed=epoch
        )
        return Evaluation((bits,), (f"wrote {' / '.join(text)}",), {"bits_per_character": bits})

    def summary(self, path: Path) -> str:
        """Bits and perplexity a character."""
        bits = self._nats(language_checkpoint.load(path).network, 0, 1) / math.log(2) / self.dev_set.characters
        return (
            f"{bits:.3f} bits a character on {len(self.dev_set):,} dev sentences, their ends included: "
            f"perplexity {2**bits:.2f} a character."
        )

    @torch.no_grad()
    def _nats(self, network: LanguageModel, part: int, parts: int) -> float:
        """What one of some parts of the dev sentences costs."""
        network.eval()
        by_length = sorted(range(len(self.dev_set)), key=lambda index: len(self.dev_set[index]))[part::parts]
        total = 0.0
        for first in range(0, len(by_length), DEV_BATCH):
            chosen = by_length[first : first + DEV_BATCH]
            rows = [torch.from_numpy(self.dev_set[index].astype(np.int64)) for index in chosen]
            targets = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(network.head.weight.device)
            lengths = torch.tensor([len(row) for row in rows], device=targets.device)
            inputs = nn.functional.pad(targets[:, :-1], (1, 0), value=END)
            log_probs, _ = network(inputs, network.start(len(rows)))
            total -= float(summed(log_probs, targets, lengths).double().sum())
        network.train()
        return total
