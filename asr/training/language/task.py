"""Training a language model: sentences in, bits a character out."""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from asr.errors import DataError, ModelError
from asr.lm.protocol import END
from asr.lm.sampling import generate
from asr.lm.sentences import lines
from asr.network.language import LanguageModel, State
from asr.recipe.files import with_values
from asr.recipe.recipe import LanguageRecipe, SentencesConfig
from asr.recipe.training import TextConfig
from asr.text import CharTokenizer, Tokenizer, normalise, train_subwords
from asr.training import checkpoint
from asr.training.acoustic import corpus
from asr.training.acoustic.objective import Losses
from asr.training.exchange import Exchange
from asr.training.language import checkpoint as language_checkpoint
from asr.training.task import Column, Evaluation
from asr.version import __version__

DEV_BATCH = 256
"""Sentences that are scored at a time."""
SAMPLE = 60
"""Tokens of the text that shows a person what the model has learnt."""


@dataclass(frozen=True)
class Windows:
    """Stretches of text, of which `lengths` tokens are to be foretold. Shape: tokens (B, T + 1), lengths (B,)"""

    tokens: Tensor
    lengths: Tensor
    names: tuple[str, ...]

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Tokens and lengths."""
        return self.tokens, self.lengths

    @property
    def weights(self) -> Tensor:
        """Every window counts. Shape: (B,)"""
        return (self.lengths > 0).float()

    @property
    def target_lengths(self) -> Tensor:
        """Shape: (B,)"""
        return self.lengths

    @property
    def amount(self) -> float:
        """Tokens."""
        return float(self.lengths.sum())

    @property
    def left_out(self) -> Mapping[str, str]:
        """Text is read before the first step, so nothing is left out later."""
        return {}


class LanguageObjective(nn.Module):
    """The network with the loss around it: cross-entropy of each token, given those before it in its window."""

    def __init__(self, network: LanguageModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, lengths: Tensor) -> Losses:
        """Shape: tokens (B, T + 1), lengths (B,)"""
        log_probs, _ = self.network(tokens[:, :-1], self.network.start(len(tokens)))
        loss = -told(log_probs, tokens[:, 1:], lengths)
        return Losses(loss, loss.detach(), torch.ones_like(lengths, dtype=torch.bool))


def told(log_probs: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Log-probability of each row's first `lengths` targets together. Shape: (B, T, V), (B, T), (B,) -> (B,)"""
    chosen = log_probs.float().gather(2, targets[:, :, None])[:, :, 0]
    within = torch.arange(targets.shape[1], device=targets.device) < lengths[:, None]
    return (chosen * within).sum(dim=1)


class TorchReader:
    """The network as a `Reader` of one text."""

    def __init__(self, network: LanguageModel) -> None:
        self.network = network

    def start(self) -> State:
        """Nothing is remembered."""
        return self.network.start(1)

    @torch.no_grad()
    def read(self, tokens: Sequence[int], state: State) -> tuple[np.ndarray, State]:
        """Shape: -> (V,)"""
        was_training = self.network.training
        self.network.eval()
        log_probs, state = self.network(torch.tensor([list(tokens)], device=state[0].device), state)
        self.network.train(was_training)
        return log_probs[0, -1].float().cpu().numpy(), state


class Sentences:
    """Encoded sentences, each with its end, behind one another in one array.

    Lines with letters or digits outside the alphabet are left out and counted, empty ones are passed over.
    """

    def __init__(self, paths: Sequence[Path], tokenizer: Tokenizer) -> None:
        parts, lengths = [], []
        self.characters = self.left_out = 0
        self.first_left_out = ""
        for where, line in lines(paths):
            text = tokenizer.normalise(line)
            try:
                tokens = tokenizer.encode(text)
            except DataError as error:
                self.left_out += 1
                self.first_left_out = self.first_left_out or f"{where}: {error}"
                continue
            if tokens:
                parts.append(np.array([*tokens, END], dtype=np.int16))
                lengths.append(len(tokens) + 1)
                self.characters += len(text) + 1  # the end of a line is a character
        if not parts:
            raise DataError(f"{', '.join(map(str, paths))} hold no sentence: give text with a sentence a line.")
        self.tokens = np.concatenate(parts)
        self.ends = np.cumsum(lengths)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> np.ndarray:
        """A sentence with its end. Shape: -> (T,)"""
        return self.tokens[self.ends[index - 1] if index else 0 : self.ends[index]]


def make_tokenizer(text: TextConfig, data: SentencesConfig) -> Tokenizer:
    """The tokens that the recipe asks for; sub-words are found in the training texts' lines of known characters."""
    if not text.subwords:
        return CharTokenizer(text.alphabet)
    normalised = (normalise(line, text.alphabet) for _, line in lines(data.train))
    return train_subwords(
        (line for line in normalised if set(line) <= set(text.alphabet)), text.alphabet, text.subwords
    )


def plan_windows(sentences: Sentences, window: int, order: np.ndarray) -> list[list[int]]:
    """Sentences in the given order, cut into windows that each begin with a sentence.

    A window holds the sentences named by a list, as far as they fit; the next one begins with the sentence that did not
    fit whole, unless that began the window, too.
    """
    lengths = np.diff(sentences.ends, prepend=0)[order]
    ends = np.cumsum(lengths)
    windows, first = [], 0
    while first < len(order):
        before = ends[first] - lengths[first]
        last = int(np.searchsorted(ends, before + window))  # the first sentence that reaches the window's end
        windows.append(order[first : last + 1].tolist())
        whole = last < len(order) and ends[last] == before + window
        first = max(first + 1, last + 1 if whole else last)
    return windows


class LanguageTask:
    """The `Task` of a `LanguageRecipe`; the tokens are made from it unless given."""

    columns = (Column("dev_bits", "dev bits/char", digits=3),)
    speed = Column("tokens_per_s", "tokens/s", digits=0)

    def __init__(self, recipe: LanguageRecipe, tokenizer: Tokenizer | None) -> None:
        """Raises DataError: a text is bad, or holds no sentence."""
        self.recipe = recipe
        self.tokenizer = tokenizer or make_tokenizer(recipe.text, recipe.data)
        self.train_set = Sentences(recipe.data.train, self.tokenizer)
        self.dev_set = Sentences(recipe.data.dev, self.tokenizer)
        self.model = language_checkpoint.build(recipe, self.tokenizer)
        self.network = self.model.network
        self.objective = LanguageObjective(self.network)

    def look(self, exchange: Exchange) -> Mapping[str, str]:
        """All text has been read already."""
        return {}

    def check_bad(self, reasons: Mapping[str, str]) -> None:
        """Nothing is ever left out in a step."""

    def write_entries(self, path: Path) -> None:
        """Note the text's checksum, for its batches are planned from the text itself."""
        corpus.write_entries([self._entry()], path)

    def resume_entries(self, path: Path) -> None:
        """Raises ModelError when the text is another one."""
        if corpus.read_entries(path) != [self._entry()]:
            raise ModelError(
                f"The run in '{path.parent}' cannot be resumed because its training text has changed, and with it its "
                "batches: give the text that it was started with, or start a new run."
            )

    def _entry(self) -> corpus.Entry:
        tokens = self.train_set.tokens
        return corpus.Entry("text", float(len(tokens)), zlib.crc32(tokens.tobytes()))

    def begin(self) -> None:
        """Nothing is to be measured."""

    def use_gradient(self, own: bool) -> bool:
        """torch's own always."""
        return False

    def fit(self, trial: Callable[[Any], object], device: torch.device, processes: int) -> None:
        """The recipe leaves nothing open."""

    def settle(self, values: Mapping[str, Any]) -> None:
        """Put what was found for `auto` into the recipe."""
        self.recipe = with_values(self.recipe, values)
        self.model = replace(
            self.model, description=replace(self.model.description, recipe=self.recipe.model_dump(mode="json"))
        )

    def plan(self, epoch: int, parts: int) -> list[list[list[int]]]:
        """The sentences in another order each epoch, cut into windows, `batch` windows for each part."""
        data = self.recipe.data
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.train_set))
        windows = plan_windows(self.train_set, data.window, order)
        size = data.batch * parts
        return [windows[first : first + size] for first in range(0, len(windows), size)]

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

    def warnings(self) -> list[str]:
        """How many lines are left out."""
        return [
            f"Left out of {name}: {text.left_out:,} lines with characters outside the alphabet. {text.first_left_out}"
            for name, text in (("train", self.train_set), ("dev", self.dev_set))
            if text.left_out
        ]

    def evaluate(self, network: nn.Module, epoch: int, exchange: Exchange) -> Evaluation:
        """Bits per character over the dev sentences, each read alone with its end; and a text of the model's own."""
        nats = sum(exchange.gather(self._nats(cast("LanguageModel", network), exchange.rank, exchange.processes)))
        bits = nats / math.log(2) / self.dev_set.characters
        text = generate(
            TorchReader(cast("LanguageModel", network)), self.tokenizer, "", SAMPLE, temperature=0.7, seed=epoch
        )
        return Evaluation((bits,), (f"wrote {' / '.join(text)}",), {"bits_per_character": bits})

    def keep(self, network: nn.Module, path: Path, scores: Mapping[str, Any]) -> None:
        """Write a checkpoint."""
        made = {"made_with": __version__, "created": f"{date.today()}"}
        checkpoint.save(path, network, self.model.description, **made, scores={"dev": scores})

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
            total -= float(told(log_probs, targets, lengths).double().sum())
        network.train()
        return total
