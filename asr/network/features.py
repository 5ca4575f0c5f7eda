"""Waveform -> normalised log-mel spectrogram, inside the model so that training and serving cannot disagree."""

import torch
import torchaudio
from torch import Tensor, nn

from asr.recipe.network import FeaturesConfig

LOG_FLOOR = 1e-6
"""Added to the mel power before the logarithm: about -80 dB of full scale, below the noise floor of any microphone."""


class Features(nn.Module):
    """Log-mel spectrogram, each band normalised with the mean and standard deviation of the training data.

    Windows are not centred (`center=False`): a reflection at the end of a padded batch would make the last frames
    depend on the padding. A waveform shorter than one window is padded with zeros to one window.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: FeaturesConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=config.sample_rate,
            n_fft=config.window,
            hop_length=config.hop,
            n_mels=config.bands,
            center=False,
        )
        self.register_buffer("mean", torch.zeros(config.bands))
        self.register_buffer("std", torch.ones(config.bands))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Compute numbers of frames from numbers of samples. Shape: (B,) -> (B,)"""
        remaining = (lengths - self.config.window).clamp(min=0)
        return torch.div(remaining, self.config.hop, rounding_mode="floor") + 1

    def log_mel(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Compute the spectrogram without normalisation, to measure its statistics. Shape: (B, S), (B,) -> (B, T, F)"""
        missing = self.config.window - waveform.shape[1]
        waveform = nn.functional.pad(waveform, (0, max(0, missing)))
        waveform = torch.where(frame_mask(lengths, waveform.shape[1]), waveform, 0.0)
        return torch.log(self.mel(waveform) + LOG_FLOOR).transpose(1, 2)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute normalised features and their lengths.

        Shape:
            waveform (B, S) in -1..1, lengths (B,) in samples -> (B, T, F), (B,) in frames.
            Frames beyond an utterance's length are meaningless and must be masked by the caller.
        """
        with torch.autocast(waveform.device.type, enabled=False):  # bfloat16 is too imprecise for a spectrogram
            features = (self.log_mel(waveform, lengths) - self.mean) / self.std
        return features, self.output_lengths(lengths)


def frame_mask(lengths: Tensor, num_frames: int) -> Tensor:
    """Build a mask that is True at valid frames. Shape: (B,) -> (B, T)"""
    return torch.arange(num_frames, device=lengths.device) < lengths[:, None]
