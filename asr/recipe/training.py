"""The sections of a recipe that say what is trained on what, and how."""

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from asr.errors import DataError
from asr.recipe.section import Section
from asr.text import ENGLISH, CharTokenizer


class TextConfig(Section):
    """What the model writes."""

    alphabet: str = ENGLISH
    """The characters, each once, the space among them. Transcripts are normalised to it."""
    subwords: int = Field(default=0, ge=0)
    """So many tokens, pieces of words found in the training transcripts, instead of one a character; 0: characters."""

    @field_validator("alphabet")
    @classmethod
    def _alphabet_makes_a_tokenizer(cls, alphabet: str) -> str:
        try:
            CharTokenizer(alphabet)
        except DataError as error:
            raise ValueError(str(error)) from None
        return alphabet


class DataConfig(Section):
    """What the model hears in training."""

    train: tuple[Path, ...] = Field(min_length=1)
    """Manifests to train on, relative to the current folder."""
    dev: tuple[Path, ...] = Field(min_length=1)
    """Manifests for every decision: learning curves, the best checkpoint. Never a test part."""
    batch_duration_s: float | Literal["auto"] = 60.0
    """Seconds of audio in a batch, padding and slowing down included: utterances of like duration stand together.
    `auto`: as many as the memory is expected to hold, but at least 50 steps an epoch; the run folder notes how many."""
    workers: int = Field(default=0, ge=0)
    """Processes that read audio ahead of the training; 0 reads between two steps."""
    cache_gib: float = Field(default=2.0, ge=0)
    """Memory for decoded audio, so that a small corpus is decoded once and not every epoch. Workers live for an epoch
    and cannot remember, so with them nothing is kept."""
    curriculum: bool = False
    """In the first epoch go from short utterances to long ones (SortaGrad, Amodei et al. 2016)."""

    @field_validator("batch_duration_s", mode="before")
    @classmethod
    def _seconds_or_auto(cls, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value != "auto" and not (number and 0 < value < math.inf):
            raise ValueError(f"`data.batch_duration_s` (={value!r}) must be a number of seconds above 0, or `auto`")
        return value


class TrainingConfig(Section):
    """How long, on what."""

    epochs: int = Field(default=50, ge=1)
    """Passes over the training manifests."""
    save_every_s: float = Field(default=300.0, gt=0)
    """Seconds between two saves of the whole state, from which `--resume` goes on; one more follows each epoch."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to run; `auto` takes a GPU when there is one."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Arithmetic of the network; the loss is always computed in 32 bits."""


class ObjectiveConfig(Section):
    """The parts of the loss."""

    intermediate: tuple[int, ...] = ()
    """Recurrent layers, counted from 1, that get a CTC head of their own in training (Lee and Watanabe 2021)."""
    intermediate_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of the intermediate heads, together, in the CTC loss."""
    consistency: float = Field(default=0.0, ge=0)
    """Weight of the consistency between two differently masked views of each utterance (CR-CTC, Yao et al. 2024; 0.2
    there). Above 0 every utterance is heard twice, so halve `data.batch_duration_s` for the same memory."""


class OptimiserConfig(Section):
    """AdamW (Loshchilov and Hutter 2019) with linear warm-up and a decay."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """The peak, reached at the end of the warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Pull of the weights towards zero, decoupled from the gradient."""
    warmup: float = Field(default=0.05, gt=0, lt=1)
    """Share of the training over which the rate rises from zero."""
    decay: Literal["cosine", "inverse_sqrt"] = "cosine"
    """After the warm-up: half a cosine down to `final` (Loshchilov and Hutter 2017), or falling with the square root
    of the position (Vaswani et al. 2017)."""
    final: float = Field(default=0.01, ge=0, le=1)
    """The last rate of the cosine as a share of the peak."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients longer than this are shortened to it (Pascanu et al. 2013)."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of an exponential moving average of the weights (Polyak and Juditsky 1992), which is evaluated and kept in
    their place; 0.999 remembers about a thousand steps, 0 switches it off."""
    average_epochs: int = Field(default=0, ge=0)
    """Checkpoint averaging (as in Vaswani et al. 2017): over so many of the last epochs the mean of the weights at
    their ends is evaluated and kept; 0 switches it off. Either this or `ema`."""

    @model_validator(mode="after")
    def _one_average(self) -> "OptimiserConfig":
        if self.ema and self.average_epochs:
            raise ValueError(
                f"`optimiser.ema` (={self.ema}) and `optimiser.average_epochs` (={self.average_epochs}) both replace "
                "the weights by an average: set one of them to 0"
            )
        return self
