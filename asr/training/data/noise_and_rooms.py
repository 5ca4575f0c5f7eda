"""Rooms and noise around a voice: recorded ones where the recipe names files, simulated ones otherwise."""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torchaudio
from torch import Tensor

from asr import audio
from asr.errors import DataError
from asr.files import below
from asr.recipe.augmentation import NoiseConfig, ReverberationConfig

ROOMS = 200
"""Simulated rooms in all; each takes most of a second to simulate, and is kept."""
SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
"""What counts as a recording in a folder."""


def add_noise(waveform: Tensor, config: NoiseConfig, sample_rate: int, random: np.random.Generator) -> Tensor:
    """Add noise at a random ratio. Shape: (S,) -> (S,)"""
    if config.files:
        noise = _stretch(_draw(config.files, random), len(waveform), sample_rate, random)
    else:
        noise = coloured_noise(len(waveform), float(random.uniform(0, 2)), random)
    snr_db = torch.tensor(random.uniform(*config.snr_db), dtype=waveform.dtype)
    if not waveform.any() or not noise.any():
        return waveform  # a ratio to silence is none
    return torchaudio.functional.add_noise(waveform, noise, snr_db)


def coloured_noise(num_samples: int, slope: float, random: np.random.Generator) -> Tensor:
    """Gaussian noise whose power falls as frequency to the power of -slope: 0 white, 1 pink, 2 brown. Shape: -> (S,)"""
    spectrum = np.fft.rfft(random.normal(size=num_samples))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-slope / 2)
    spectrum[0] = 0
    return torch.from_numpy(np.fft.irfft(spectrum, n=num_samples).astype(np.float32))


def reverberate(waveform: Tensor, config: ReverberationConfig, sample_rate: int, random: np.random.Generator) -> Tensor:
    """Put the voice into a room; its loudness and its place in time stay. Shape: (S,) -> (S,)"""
    if config.files:
        response = _response(_draw(config.files, random), sample_rate)
    else:
        response = _simulated_response(int(random.integers(ROOMS)), sample_rate)
    direct = int(response.abs().argmax())
    wet = torchaudio.functional.fftconvolve(waveform, response)[direct : direct + len(waveform)]
    return wet * (waveform.norm() / wet.norm().clamp(min=1e-9))


@functools.cache
def _simulated_response(room: int, sample_rate: int) -> Tensor:
    """lhotse draws from torch's global generator, too, whose state is therefore saved and restored. Shape: -> (S,)"""
    from lhotse.augmentation.utils import FastRandomRIRGenerator

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        torch.manual_seed(room)
        response = FastRandomRIRGenerator(sample_rate, room_seed=room, source_seed=room)()[0]
    return torch.as_tensor(response, dtype=torch.float32)


def _draw(files: Sequence[Path], random: np.random.Generator) -> Path:
    recordings = recordings_in(tuple(files))
    return recordings[int(random.integers(len(recordings)))]


@functools.cache
def recordings_in(files: tuple[Path, ...]) -> list[Path]:
    """The files, and those in the folders. Raises DataError when there is none, or one is not there."""
    found = []
    for path in files:
        found += [p for p in below(path) if p.suffix.lower() in SUFFIXES] if path.is_dir() else [path]
    missing = [str(path) for path in found if not path.exists()]
    if missing:
        raise DataError(f"Recordings of the recipe's `augmentation` are not there: {', '.join(missing)}.")
    if not found:
        raise DataError(f"There is no recording in {', '.join(map(str, files))}: give audio files or folders of them.")
    return found


def _stretch(path: Path, num_samples: int, sample_rate: int, random: np.random.Generator) -> Tensor:
    """A stretch of a recording from a random place on, repeated where the recording is shorter. Shape: -> (S,)"""
    wanted_s, there_s = num_samples / sample_rate, _duration_s(path)
    start_s = float(random.uniform(0, max(0.0, there_s - wanted_s)))
    part_s = min(wanted_s, there_s)
    part = torch.from_numpy(audio.load(path, sample_rate, offset_s=start_s, duration_s=part_s))
    return part.repeat(-(-num_samples // len(part)))[:num_samples]


_duration_s = functools.cache(audio.duration_s)


@functools.lru_cache(maxsize=256)
def _response(path: Path, sample_rate: int) -> Tensor:
    return torch.from_numpy(audio.load(path, sample_rate))
