"""The sections of a recipe that shape a network. torch is not needed to read them."""

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from asr.cells import CellKind
from asr.recipe.section import Section


def _empty_band(bands: int, window: int, sample_rate: int) -> bool:
    """Whether a triangle of the mel filter bank (HTK's scale) lies between two neighbours of the spectrum's bins."""
    top_mel = 2595 * math.log10(1 + sample_rate / 2 / 700)
    edges_hz = [700 * (10 ** (top_mel * edge / (bands + 1) / 2595) - 1) for edge in range(bands + 2)]
    num_bins = window // 2 + 1
    width_hz = (sample_rate // 2) / (num_bins - 1)
    # The first bin above the lower edge has to lie below the upper one.
    return any(
        (math.floor(low / width_hz) + 1) * width_hz >= high
        for low, high in zip(edges_hz[:-2], edges_hz[2:], strict=True)
    )


class FeaturesConfig(Section):
    """The spectrogram."""

    sample_rate: int = Field(default=16_000, ge=1_000, le=768_000)
    """Sample rate of the model's input; every file is resampled to it."""
    window_ms: float = Field(default=25.0, gt=0, le=1000)
    """Length of the analysis window."""
    hop_ms: float = Field(default=10.0, gt=0, le=1000)
    """Step from one window to the next."""
    bands: int = Field(default=80, ge=8)
    """Mel bands."""

    @model_validator(mode="after")
    def _has_frames_and_bands(self) -> "FeaturesConfig":
        if self.hop < 1 or self.window < 2:
            raise ValueError(f"`window_ms` (={self.window_ms}) and `hop_ms` (={self.hop_ms}) are below a sample")
        if _empty_band(self.bands, self.window, self.sample_rate):
            raise ValueError(f"`bands` (={self.bands}) is too many for a window of {self.window_ms} ms: some are empty")
        return self

    @property
    def window(self) -> int:
        """Window length in samples."""
        return round(self.window_ms * self.sample_rate / 1000)

    @property
    def hop(self) -> int:
        """Hop in samples."""
        return round(self.hop_ms * self.sample_rate / 1000)


class FrontendConfig(Section):
    """The convolutions."""

    channels: int = Field(default=32, ge=1)
    """Feature maps of each convolution."""
    time_reduction: Literal[2, 4, 8] = 4
    """Spectrogram frames for one output frame. With a 10 ms hop, 4 means one CTC frame every 40 ms."""

    @property
    def time_strides(self) -> tuple[int, ...]:
        """Stride in time of each layer: at least two layers, as many halvings as the reduction asks for."""
        halvings = int(math.log2(self.time_reduction))
        return (2,) * halvings + (1,) * (2 - halvings)


class ContextConfig(Section):
    """The recurrent layers."""

    cell: CellKind = "lstm"
    """Kind of cell: lstm, peephole (gates that also see the cell state), coupled (forgets as much as it takes in),
    peephole_coupled (both), or gru. Their equations: asr/cells.py."""
    layers: int = Field(default=3, ge=1)
    """Bidirectional layers, one above the other."""
    hidden: int = Field(default=256, ge=1)
    """Cells per direction."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the inputs of each layer, and of the head, that is set to zero in training."""


class ModelConfig(Section):
    """The network, stage by stage."""

    features: FeaturesConfig = FeaturesConfig()
    frontend: FrontendConfig = FrontendConfig()
    context: ContextConfig = ContextConfig()
    phones: tuple[str, ...] = ()
    """Names of the phones of a second head, which lets the search find words by their pronunciations; empty: none."""
    shifts: int = Field(default=1, ge=1)
    """Copies of the spectrogram, each shifted by a further fraction of an output frame, whose results are averaged when
    speech is recognised: fewer errors in about as many times the time. Not used in training."""

    @field_validator("phones")
    @classmethod
    def _names_of_phones(cls, phones: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in phones if name.split() != [name]]:
            raise ValueError(f"`model.phones` must be names without white space, not {wrong[0]!r}")
        if twice := [name for index, name in enumerate(phones) if name in phones[:index]]:
            raise ValueError(f"`model.phones` must be different names, but {twice[0]!r} occurs twice")
        if len(phones) == 1:
            raise ValueError(f"`model.phones` (={list(phones)}) must be at least two names, or empty for no such head")
        return phones

    @model_validator(mode="after")
    def _shifts_by_whole_frames(self) -> "ModelConfig":
        if self.frontend.time_reduction % self.shifts:
            raise ValueError(
                f"`model.shifts` (={self.shifts}) must divide `model.frontend.time_reduction` "
                f"(={self.frontend.time_reduction})"
            )
        return self

    @property
    def offsets(self) -> tuple[int, ...]:
        """What is added to the numbers of the spectrogram's frames in each shifted copy: on average, less than one."""
        step = self.frontend.time_reduction // self.shifts
        first = -((self.shifts - 1) * step // 2)
        return tuple(range(first, first + self.shifts * step, step))

    @property
    def frame_shift_s(self) -> float:
        """Seconds from one output frame to the next."""
        return self.features.hop / self.features.sample_rate * self.frontend.time_reduction


class LanguageConfig(Section):
    """The network."""

    embedding: int = Field(default=128, ge=1)
    """Dimension of the token embeddings."""
    cell: CellKind = "lstm"
    """Kind of cell, as in `model.context.cell`."""
    layers: int = Field(default=2, ge=1)
    """Recurrent layers, one above the other."""
    hidden: int = Field(default=512, ge=1)
    """Cells of each layer."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the inputs of each layer, and of the head, that is set to zero in training."""


class PunctuationConfig(Section):
    """The network."""

    rows: int = Field(default=24_000, ge=2, le=1_000_000)
    """Rows of the table of embeddings, to which words and their groups of letters are hashed."""
    embedding: int = Field(default=64, ge=1)
    """Dimension of the embeddings."""
    channels: int = Field(default=128, ge=1)
    """Feature maps of the convolution over three words."""
    context: ContextConfig = ContextConfig(layers=2, hidden=128, dropout=0.1)
