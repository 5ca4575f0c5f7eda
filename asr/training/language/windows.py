"""Text as a language model is trained on it: encoded sentences, cut into windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from asr.errors import DataError
from asr.lm.protocol import END
from asr.lm.sentences import lines
from asr.recipe.recipe import SentencesConfig
from asr.recipe.training import TextConfig
from asr.text import CharTokenizer, Tokenizer, normalise, train_subwords
from asr.training.text import TextBatch


@dataclass(frozen=True)
class Windows(TextBatch):
    """Stretches of text, of which `lengths` tokens are to be predicted. Shape: tokens (B, T + 1), lengths (B,)"""

    tokens: Tensor
    lengths: Tensor
    names: tuple[str, ...]

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Tokens and lengths."""
        return self.tokens, self.lengths


class EncodedSentences:
    """Encoded sentences, each with its end, behind one another in one array.

    Lines with letters or digits outside the alphabet are skipped and counted, empty ones are ignored.
    """

    def __init__(self, paths: Sequence[Path], tokenizer: Tokenizer) -> None:
        parts, lengths = [], []
        self.characters = self.skipped = 0
        self.first_skipped = ""
        for where, line in lines(paths):
            text = tokenizer.normalise(line)
            try:
                tokens = tokenizer.encode(text)
            except DataError as error:
                self.skipped += 1
                self.first_skipped = self.first_skipped or f"{where}: {error}"
                continue
            if tokens:
                parts.append(np.array([*tokens, END], dtype=np.int16))
                lengths.append(len(tokens) + 1)
                self.characters += len(text) + 1  # the end of a line is a character
        if not parts:
            raise DataError(f"{', '.join(map(str, paths))} hold no sentence: give text with a sentence a line.")
        self.tokens = np.concatenate(parts)
        self.ends = np.cumsum(lengths)

    @property
    def content(self) -> tuple[np.ndarray, ...]:
        """The tokens, ends of sentences among them."""
        return (self.tokens,)

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
