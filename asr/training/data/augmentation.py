"""Changes to the waveform that leave the words alone: speed, rooms, noise, codecs and gain."""

import numpy as np
import torchaudio
from torch import Tensor

from asr.recipe.augmentation import AugmentationConfig
from asr.training.data.codecs import encode_and_decode
from asr.training.data.noise_and_rooms import add_noise, recordings_in, reverberate


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
