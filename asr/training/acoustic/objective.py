"""What training minimises: CTC, if the recipe says so with intermediate heads and with consistency between two views.

The objective owns what exists in training only, so that the network that is evaluated and exported knows nothing of it.
"""

import torch
from torch import Tensor, nn

from asr.network.acoustic import AcousticModel, log_softmax
from asr.network.features import frame_mask
from asr.recipe.augmentation import MaskingConfig
from asr.recipe.training import ObjectiveConfig
from asr.text import BLANK
from asr.training.data.spec_augment import mask_spectrogram
from asr.training.task import Losses


class Objective(nn.Module):
    """The network with the loss around it; `forward` is one training step's loss."""

    def __init__(
        self, config: ObjectiveConfig, masking: MaskingConfig, network: AcousticModel, num_phones: int = 0
    ) -> None:
        """`num_phones` is the size of the phones' alphabet where `config` asks for a head over phones."""
        super().__init__()
        self.config, self.masking, self.network = config, masking, network
        size, tokens = network.context.output_size, network.head.out_features
        self.heads = nn.ModuleDict({str(layer): nn.Linear(size, tokens) for layer in config.intermediate})
        self.phone_head = nn.Linear(size, num_phones) if config.phone_layer else None

    def forward(
        self, waveform: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, *over_phones: Tensor
    ) -> Losses:
        """The plain loss is CTC of the last head; an utterance fits if its frames can carry its labels.

        Where there is a head over phones, `over_phones` are they and how many; without phones there is no loss over
        them.

        Shape: waveform (B, S), lengths (B,) in samples, targets (B, L), target_lengths (B,), phones (B, P), (B,)
        """
        views = 2 if self.config.consistency else 1
        fits = self.network.output_lengths(lengths) >= frames_needed(targets, target_lengths)
        features, lengths = self.network.features(waveform, lengths)
        features = mask_spectrogram(features.repeat(views, 1, 1), self.masking)
        lengths, targets, target_lengths = lengths.repeat(views), targets.repeat(views, 1), target_lengths.repeat(views)
        layers, frames = self.network.encode(features, lengths)
        log_probs = self.network.classify(layers[-1])
        ctc = ctc_losses(log_probs, frames, targets, target_lengths)
        total = ctc
        logits = [head(layers[int(layer) - 1]).transpose(0, 1) for layer, head in self.heads.items()]
        below = [ctc_losses(log_softmax(one), frames, targets, target_lengths) for one in logits]
        if self.phone_head is not None:
            phones, phone_lengths = (tensor.repeat(views, *[1] * (tensor.ndim - 1)) for tensor in over_phones)
            log_probs_of_phones = log_softmax(self.phone_head(layers[self.config.phone_layer - 1]).transpose(0, 1))
            below.append(ctc_losses(log_probs_of_phones, frames, phones, phone_lengths) * (phone_lengths > 0))
        if below:
            share = self.config.intermediate_weight
            total = (1 - share) * ctc + share * torch.stack(below).mean(dim=0)
        if views == 1:
            return Losses(total, ctc.detach(), fits)
        one, other = log_probs.chunk(2)
        distance = divergence(one, other, frames[: len(one)]) * fits
        total = torch.stack(total.chunk(2)).mean(dim=0) + self.config.consistency * distance
        return Losses(total, torch.stack(ctc.detach().chunk(2)).mean(dim=0), fits)


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
