"""What training minimises: CTC, if the recipe says so with intermediate heads and with consistency between two views.

The objective owns what exists in training only, so that the network that is evaluated and exported knows nothing of it.
A head over phones is part of the network, as the search uses it.
"""

import torch
from torch import Tensor, nn

from asr.network.acoustic import AcousticModel, log_softmax
from asr.network.features import frame_mask
from asr.recipe.augmentation import AugmentationConfig
from asr.recipe.training import ObjectiveConfig
from asr.text import BLANK
from asr.training.acoustic.mmi import log_totals
from asr.training.data.spec_augment import mask_spectrogram
from asr.training.data.voices import change_voices
from asr.training.task import Losses


class Objective(nn.Module):
    """The network with the loss around it; `forward` is one training step's loss."""

    trigrams: Tensor | None

    def __init__(
        self,
        config: ObjectiveConfig,
        augmentation: AugmentationConfig,
        network: AcousticModel,
        phone_trigrams: Tensor | None = None,
    ) -> None:
        """Shape: phone_trigrams (P, P, P), see `mmi.trigrams`; needed where `config.phone_mmi` is not 0"""
        super().__init__()
        self.config, self.augmentation, self.network = config, augmentation, network
        size, tokens = network.context.output_size, network.head.out_features
        self.register_buffer("trigrams", phone_trigrams, persistent=False)
        self.heads = nn.ModuleDict({str(layer): nn.Linear(size, tokens) for layer in config.intermediate})

    def forward(
        self, waveform: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, *over_phones: Tensor
    ) -> Losses:
        """The plain loss is CTC of the last head; an utterance fits if its frames can carry its labels.

        Where the network has a head over phones, `over_phones` are the tokens of the phones and their numbers; an
        utterance without phones, or with more than its frames can carry, has no loss over them.

        Shape: waveform (B, S), lengths (B,) in samples, targets (B, L), target_lengths (B,), phones (B, N), (B,)
        """
        views = 2 if self.config.consistency else 1
        fits = self.network.output_lengths(lengths) >= frames_needed(targets, target_lengths)
        duration_s = waveform.shape[1] / self.network.features.config.sample_rate
        features, lengths = self._features(waveform, lengths)
        features = mask_spectrogram(features.repeat(views, 1, 1), self.augmentation.masking, duration_s)
        lengths, targets, target_lengths = lengths.repeat(views), targets.repeat(views, 1), target_lengths.repeat(views)
        layers, frames = self.network.encode(features, lengths)
        log_probs = self.network.classify(layers[-1])
        ctc = ctc_losses(log_probs, frames, targets, target_lengths)
        total = ctc
        logits = [head(layers[int(layer) - 1]).transpose(0, 1) for layer, head in self.heads.items()]
        below = [ctc_losses(log_softmax(one), frames, targets, target_lengths) for one in logits]
        if below:
            share = self.config.intermediate_weight
            total = (1 - share) * ctc + share * torch.stack(below).mean(dim=0)
        if views == 2:
            one, other = log_probs.chunk(2)
            distance = divergence(one, other, frames[: len(one)]) * fits
            total = _mean_of_views(total) + self.config.consistency * distance
            ctc = _mean_of_views(ctc)
        if self.network.phone_head is not None:
            phones, phone_lengths = (tensor.repeat(views, *[1] * (tensor.ndim - 1)) for tensor in over_phones)
            log_probs = self.network.classify_phones(layers[-1])
            of_phones = ctc_losses(log_probs, frames, phones, phone_lengths)
            if self.config.phone_mmi:
                assert self.trigrams is not None
                of_phones = of_phones + self.config.phone_mmi * log_totals(log_probs, frames, self.trigrams)
            can_be_learnt = (frames_needed(phones, phone_lengths) <= frames) & (phone_lengths > 0)
            of_phones = of_phones * can_be_learnt
            share = self.config.phone_weight
            total = (1 - share) * total + share * (_mean_of_views(of_phones) if views == 2 else of_phones)
        return Losses(total, ctc.detach(), fits)

    def _features(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the network, of changed voices. Shape: (B, S), (B,) -> (B, T, F), (B,)"""
        stage, voices = self.network.features, self.augmentation.voices
        features, lengths = stage(waveform, lengths)
        if voices.warp or voices.response_db:
            with torch.autocast(features.device.type, enabled=False):  # as in the stage itself
                log_mel = change_voices(features * stage.std + stage.mean, voices, stage.config.sample_rate)
                features = (log_mel - stage.mean) / stage.std
        return features, lengths


def _mean_of_views(losses: Tensor) -> Tensor:
    """Shape: (2 B,) -> (B,)"""
    return torch.stack(losses.chunk(2)).mean(dim=0)


def ctc_losses(log_probs: Tensor, frames: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Negative log-likelihood of each transcript, summed over all its paths (Graves et al. 2006).

    0, with no gradient, where the frames cannot carry the labels: the true value there is infinite.

    Shape: log_probs (B, T, V), frames (B,), targets (B, L), target_lengths (B,) -> (B,)
    """
    time_first = log_probs.transpose(0, 1).float()
    return nn.functional.ctc_loss(
        time_first, targets, frames, target_lengths, blank=BLANK, reduction="none", zero_infinity=True
    )


def divergence(one: Tensor, other: Tensor, frames: Tensor) -> Tensor:
    """Symmetric Kullback-Leibler divergence between two views, each drawn to the other held fixed (Yao et al. 2024).

    Summed over tokens and over the frames that exist.

    Shape: one, other (B, T, V) log-probs, frames (B,) -> (B,)
    """
    pulls = nn.functional.kl_div(one, other.detach(), reduction="none", log_target=True)
    pulls = pulls + nn.functional.kl_div(other, one.detach(), reduction="none", log_target=True)
    return (pulls.sum(dim=2) * frame_mask(frames, one.shape[1])).sum(dim=1) / 2


def frames_needed(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The fewest frames that can carry each transcript: one a token, and a blank between equal neighbours.

    Shape: targets (B, L), target_lengths (B,) -> (B,)
    """
    repeats = (targets[:, 1:] == targets[:, :-1]) & frame_mask(target_lengths - 1, max(0, targets.shape[1] - 1))
    return target_lengths + repeats.sum(dim=1)
