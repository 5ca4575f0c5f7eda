"""Changes to the waveform that leave the words alone: speed, rooms, noise, codecs and gain."""

import numpy as np
import torch
import torchaudio
from pydantic import Field, field_validator
from torch import Tensor

from asr.config import Section
from asr.training.data.codecs import CodecConfig, encode_and_decode
from asr.training.data.noise_and_rooms import NoiseConfig, ReverberationConfig, add_noise, recordings_in, reverberate
from asr.training.data.spec_augment import MaskingConfig


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
    masking: MaskingConfig = MaskingConfig()
    """SpecAugment, on the spectrogram."""

    @field_validator("speeds")
    @classmethod
    def _tenths(cls, speeds: tuple[float, ...]) -> tuple[float, ...]:
        if not speeds or any(not 0.5 <= s <= 2 or abs(round(s * 100) - s * 100) > 1e-6 for s in speeds):
            raise ValueError(f"`augmentation.speeds` (={list(speeds)}) must be factors from 0.5 to 2 in hundredths")
        return speeds


class Augmenter:
    """Applies an AugmentationConfig; every random choice comes from the generator it is given."""

    def __init__(self, config: AugmentationConfig, sample_rate: int) -> None:
        self.config, self.sample_rate = config, sample_rate
        for files in (config.noise.files, config.reverberation.files):
            if files:
                recordings_in(files)  # whatever is missing shows now and not hours later
        self.resamplers = {s: torchaudio.transforms.Speed(sample_rate, s) for s in config.speeds if s != 1}

    def __call__(self, waveform: Tensor, random: np.random.Generator) -> Tensor:
        """Shape: (S,) -> (S',)"""
        speed = float(random.choice(self.config.speeds))
        gain_db = float(random.uniform(-self.config.gain_db, self.config.gain_db))
        if speed != 1:
            waveform, _ = self.resamplers[speed](waveform)
        room, noise = self.config.reverberation, self.config.noise
        if room.share and random.random() < room.share:
            waveform = reverberate(waveform, room, self.sample_rate, random)
        if noise.share and random.random() < noise.share:
            waveform = add_noise(waveform, noise, self.sample_rate, random)
        codec = self.config.codec
        if codec.share and random.random() < codec.share:
            waveform = encode_and_decode(waveform, codec, self.sample_rate, random)
        return waveform * 10 ** (gain_db / 20)


def pad(waveforms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Waveforms side by side, zeros after the shorter ones. Shape: B times (S_b,) -> (B, S), (B,)"""
    lengths = torch.tensor([len(w) for w in waveforms])
    return torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths
