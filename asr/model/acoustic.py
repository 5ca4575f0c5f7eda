"""The whole acoustic model: waveform -> log-mel -> CNN -> BiLSTM stack -> fully connected CTC head -> log-probs."""

import torch
from torch import Tensor, nn

from asr.config import Section
from asr.model.context import Context, ContextConfig
from asr.model.features import Features, FeaturesConfig
from asr.model.frontend import Frontend, FrontendConfig
from asr.model.masking import MaskingConfig, mask_spectrogram


class ModelConfig(Section):
    """The network, stage by stage."""

    features: FeaturesConfig = FeaturesConfig()
    frontend: FrontendConfig = FrontendConfig()
    context: ContextConfig = ContextConfig()
    masking: MaskingConfig = MaskingConfig()

    @property
    def frame_shift_s(self) -> float:
        """Seconds from one output frame to the next."""
        return self.features.hop / self.features.sample_rate * self.frontend.time_reduction


class AcousticModel(nn.Module):
    """The network of Graves et al. 2006 (CTC) with the convolutions of Deep Speech 2 (Amodei et al. 2016)."""

    def __init__(self, config: ModelConfig, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        self.features = Features(config.features)
        self.frontend = Frontend(config.frontend, config.features.bands)
        self.context = Context(config.context, self.frontend.output_size)
        self.dropout = nn.Dropout(config.context.dropout)
        self.head = nn.Linear(self.context.output_size, num_tokens)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Output frames for so many samples. Shape: (B,) -> (B,)"""
        return self.frontend.output_lengths(self.features.output_lengths(lengths))

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the tokens (0 is the blank), the same in training and in evaluation.

        Shape:
            waveform (B, S) in -1..1, lengths (B,) in samples -> (B, T, V), (B,) in output frames
        """
        x, lengths = self.features(waveform, lengths)
        if self.training:
            x = mask_spectrogram(x, self.config.masking)
        x, lengths = self.frontend(x, lengths)
        x = self.context(x, lengths)
        return torch.log_softmax(self.head(self.dropout(x)), dim=2), lengths
