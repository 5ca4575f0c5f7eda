"""The sections of a recipe that change training utterances without changing their words."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from asr.recipe.section import Section


class MaskingConfig(Section):
    """SpecAugment (Park et al. 2019), without time warping."""

    frequency_masks: int = Field(default=2, ge=0)
    """Masks over frequency for each utterance."""
    frequency_width: int = Field(default=27, ge=0)
    """A frequency mask covers fewer than this many bands."""
    time_masks: int = Field(default=2, ge=0)
    """Masks over time for each utterance ..."""
    time_masks_per_s: float = Field(default=0.0, ge=0)
    """... and as many more for each second of the batch's longest utterance, rounded down."""
    time_width: int = Field(default=40, ge=0)
    """A time mask covers fewer than this many frames ..."""
    time_share: float = Field(default=0.2, gt=0, le=1)
    """... and at most this share of the batch's frames."""


class NoiseConfig(Section):
    """Additive noise."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training utterances that get it."""
    snr_db: tuple[float, float] = (5.0, 30.0)
    """Lowest and highest ratio of voice to noise, in decibels; drawn evenly."""
    files: tuple[Path, ...] = ()
    """Recordings of noise, or folders of them; none: simulated noise, from white to brown."""

    @field_validator("snr_db")
    @classmethod
    def _lowest_first(cls, snr_db: tuple[float, float]) -> tuple[float, float]:
        if snr_db[0] > snr_db[1]:
            raise ValueError(f"`noise.snr_db` (={list(snr_db)}) must have the lowest ratio first")
        return snr_db


class ReverberationConfig(Section):
    """The reverberation of a room (Ko et al. 2017)."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training utterances that get it."""
    files: tuple[Path, ...] = ()
    """Recorded impulse responses, or folders of them; none: simulated ones (lhotse's fast random generator)."""


CodecKind = Literal["telephone", "mp3", "opus", "vorbis"]


class CodecConfig(Section):
    """Coding and decoding again, by lhotse."""

    share: float = Field(default=0.0, ge=0, le=1)
    """Share of the training utterances that go through a codec."""
    kinds: tuple[CodecKind, ...] = ("telephone", "mp3", "opus")
    """Which, each as often: a telephone's 8 kHz in mu-law (ITU-T G.711), or a compressed file's."""
    compression: tuple[float, float] = (0.5, 0.99)
    """Least and most compression of a file, from 0 to below 1, as libsndfile counts; drawn evenly."""

    @field_validator("kinds")
    @classmethod
    def _one_at_least(cls, kinds: tuple[CodecKind, ...]) -> tuple[CodecKind, ...]:
        if not kinds:
            raise ValueError("`codec.kinds` must name at least one; to code nothing, set `codec.share` to 0")
        return kinds

    @field_validator("compression")
    @classmethod
    def _least_first(cls, compression: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= compression[0] <= compression[1] < 1:
            raise ValueError(
                f"`codec.compression` (={list(compression)}) must be from 0 to below 1, the lower number first"
            )
        return compression


class VoicesConfig(Section):
    """Other voices and microphones, from the spectrogram."""

    warp: float = Field(default=0.0, ge=0, le=0.5)
    """Vocal tract length perturbation (Jaitly and Hinton 2013): all frequencies of an utterance are scaled by a factor
    from 1 less this to 1 and this, drawn evenly; its speed stays."""
    response_db: float = Field(default=0.0, ge=0)
    """Frequency response, after FilterAugment (Nam et al. 2022): standard deviation in decibels at five frequencies,
    which straight lines join."""


class AugmentationConfig(Section):
    """What happens to a training utterance that does not happen to others."""

    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    """Speed perturbation (Ko et al. 2015): one of these factors, drawn for each utterance; pitch changes with it."""
    reverberation: ReverberationConfig = ReverberationConfig()
    """Rooms."""
    noise: NoiseConfig = NoiseConfig()
    """Noise, added after the room."""
    codec: CodecConfig = CodecConfig()
    """Coding and decoding, after the noise."""
    gain_db: float = Field(default=6.0, ge=0)
    """Loudness is changed by up to this many decibels, up or down."""
    voices: VoicesConfig = VoicesConfig()
    """Vocal tracts and frequency responses."""
    masking: MaskingConfig = MaskingConfig()
    """SpecAugment, on the spectrogram."""

    @field_validator("speeds")
    @classmethod
    def _tenths(cls, speeds: tuple[float, ...]) -> tuple[float, ...]:
        if not speeds or any(not 0.5 <= s <= 2 or abs(round(s * 100) - s * 100) > 1e-6 for s in speeds):
            raise ValueError(f"`augmentation.speeds` (={list(speeds)}) must be factors from 0.5 to 2 in hundredths")
        return speeds
