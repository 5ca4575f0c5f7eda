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
    """Number of sub-word tokens, learnt from the training transcripts; 0: characters."""

    @field_validator("alphabet")
    @classmethod
    def _alphabet_makes_a_tokenizer(cls, alphabet: str) -> str:
        try:
            CharTokenizer(alphabet)
        except DataError as error:
            raise ValueError(str(error)) from None
        return alphabet


class DataConfig(Section):
    """Training data."""

    train: tuple[Path, ...] = Field(min_length=1)
    """Manifests to train on, relative to the current folder, or shards (`asr prepare shar`): `shar:` and their folder
    or URL."""
    dev: tuple[Path, ...] = Field(min_length=1)
    """Manifests for every decision: learning curves, the best checkpoint. Never a test part."""
    batch_duration_s: float | Literal["auto"] = 60.0
    """Seconds of audio in a batch, padding and slowing down included; utterances of similar duration are batched
    together. `auto`: as many as the memory is expected to hold, with at least 50 steps per epoch; the run folder notes
    how many."""
    workers: int = Field(default=0, ge=0)
    """Processes that read audio ahead of the training; 0 reads between two steps."""
    cache_gib: float = Field(default=2.0, ge=0)
    """Memory for decoded audio, so that a small corpus is decoded once and not every epoch. Workers live for an epoch
    and cannot remember, so with them nothing is kept."""
    max_duration_s: float = Field(default=60.0, gt=0)
    """Longer utterances are skipped: one of them can take more memory than a whole batch of others."""
    max_bad_share: float = Field(default=0.005, ge=0, le=1)
    """Share of the utterances whose audio may be missing, unreadable, cut off or not finite, at least one: they are
    skipped and named. One more ends the run, its state saved."""
    skip_bad: bool = False
    """Skip utterances with characters outside the alphabet instead of refusing to start."""
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
    max_steps: int = Field(default=0, ge=0)
    """The run ends after this many optimiser steps, if they come before the last epoch's end; 0: no limit."""
    accumulate: int = Field(default=1, ge=1)
    """Batches per process and optimiser step, for batches that do not fit into the memory at once. The global batch,
    to which `optimiser.learning_rate` refers, is `data.batch_duration_s` times this times the number of processes."""
    evaluate_every_steps: int = Field(default=0, ge=0)
    """Steps from one evaluation to the next, in addition to every epoch's end; 0: at epoch ends only."""
    log_every_steps: int = Field(default=50, ge=1)
    """Steps from one line with loss, gradient norm and learning rate in metrics.jsonl and TensorBoard to the next."""
    save_every_s: float = Field(default=300.0, gt=0)
    """Seconds between two saves of the whole state, from which `--resume` continues; one more follows each epoch."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to run; `auto` takes a GPU when there is one."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    """Arithmetic of the network; log-softmax and loss are always computed in 32 bits. `auto` takes bf16 where the
    processor or GPU has instructions for it, fp16 on other GPUs, 32 bits elsewhere; the run folder notes the choice."""
    lstm_gradient: Literal["auto", "own", "torch"] = "auto"
    """Who computes the gradient of an LSTM or GRU on a CPU, this program or torch, both exactly; which is faster
    depends on the processor. `auto` times both before the first step; the run folder notes the choice. torch does not
    have the other cells, whose gradient this program computes."""


class EvaluationConfig(Section):
    """How the dev manifests are decoded after each epoch, and by which figure the best weights are chosen."""

    best_by: Literal["wer", "cer", "wer_lm"] = "wer"
    """Greedy WER, greedy CER, or the WER of a beam search with the language model `lm`. With a language model, the
    CER is the better criterion."""
    lm: Path | None = None
    """An n-gram language model (`asr lm pack`) for `wer_lm`."""
    lm_weight: float = Field(default=0.7, ge=0)
    """Its weight. `asr tune` finds the one of a finished model."""
    word_bonus: float = 0.5
    """What each word adds to a text's score."""
    beam: int = Field(default=30, ge=1)
    """Prefixes that the search keeps."""

    @model_validator(mode="after")
    def _a_language_model_where_one_is_needed(self) -> "EvaluationConfig":
        if self.best_by == "wer_lm" and self.lm is None:
            raise ValueError("`evaluation.best_by` (='wer_lm') needs a language model: give `evaluation.lm`")
        return self


class ObjectiveConfig(Section):
    """The parts of the loss."""

    intermediate: tuple[int, ...] = ()
    """Recurrent layers, counted from 1, that get a CTC head of their own in training (Lee and Watanabe 2021)."""
    intermediate_weight: float = Field(default=0.3, ge=0, le=1)
    """Share of the intermediate heads, together, in the CTC loss."""
    pronunciations: Path | None = None
    """A dictionary of words and their phones, like CMUdict, plain or compressed, for the head over `model.phones`.
    Words that it lacks are pronounced by rules learnt from it; a transcript with a word that cannot be pronounced has
    no loss over phones."""
    phone_weight: float = Field(default=0.5, ge=0, le=1)
    """Share of the CTC loss over phones in the whole loss, where there are `model.phones`."""
    phone_mmi: float = Field(default=0.0, ge=0, le=1)
    """Weight, in the loss over phones, of the log-probability of all sequences of phones together, each as likely as a
    trigram model of the training transcripts says: 1 is lattice-free MMI (CTC-CRF, Xiang and Ou 2019), a little less is
    MMI with a share of CTC beside it, 0 is CTC."""
    consistency: float = Field(default=0.0, ge=0)
    """Weight of the consistency between two differently masked views of each utterance (CR-CTC, Yao et al. 2024; 0.2
    there). Above 0 every utterance is processed twice, so halve `data.batch_duration_s` for the same memory."""

    @model_validator(mode="before")
    @classmethod
    def _no_phone_layer(cls, tree: Any) -> Any:
        """Accept the recipes of older versions, which write `phone_layer: 0` where they have no head over phones."""
        if not isinstance(tree, dict) or "phone_layer" not in tree:
            return tree
        if tree["phone_layer"]:
            raise ValueError(
                f"`objective.phone_layer` (={tree['phone_layer']!r}) no longer exists: name the phones of a head on "
                "the last layer in `model.phones`"
            )
        return {key: value for key, value in tree.items() if key != "phone_layer"}


class OptimiserConfig(Section):
    """AdamW (Loshchilov and Hutter 2019) with linear warm-up and a decay."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """The peak, reached at the end of the warm-up, for the global batch of all processes together: a batch of another
    length may want another rate."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Pull of the weight matrices towards zero, decoupled from the gradient; biases and norms are not decayed."""
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
    """Checkpoint averaging (as in Vaswani et al. 2017): over this number of last epochs the mean of the weights at
    their ends is evaluated and kept; 0 switches it off. Either this or `ema`."""

    @model_validator(mode="after")
    def _one_average(self) -> "OptimiserConfig":
        if self.ema and self.average_epochs:
            raise ValueError(
                f"`optimiser.ema` (={self.ema}) and `optimiser.average_epochs` (={self.average_epochs}) both replace "
                "the weights by an average: set one of them to 0"
            )
        return self
