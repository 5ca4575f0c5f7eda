"""The denominator of lattice-free MMI (Povey et al. 2016) on the paths of CTC (CTC-CRF, Xiang and Ou 2019).

CTC makes the right phones likely, each frame by itself. MMI makes them likelier than all other sequences of phones,
each weighted by a trigram model. So the network need not learn which phones follow which: that is left to the language
model that is searched with.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.network.features import frame_mask
from asr.text import BLANK

EDGE = 0
"""Stands for the beginning and the end of a sequence in a trigram table, where no token is the blank."""
TINY = 1e-30
"""Instead of a probability of zero."""


def trigrams(sequences: Iterable[Sequence[int]], tokens: int) -> Tensor:
    """Estimate the probability of each token after any two (Witten and Bell 1991, interpolated down to uniform).

    Shape: -> (V, V, V), [a, b, c] is that of c after a and b; `EDGE` takes the place of the blank
    """
    counts = np.zeros((tokens,) * 3)
    for sequence in sequences:
        padded = np.array([EDGE, EDGE, *sequence, EDGE])
        np.add.at(counts, (padded[:-2], padded[1:-1], padded[2:]), 1)
    probs = np.full(tokens, 1 / tokens)
    for of_history in (counts.sum(axis=(0, 1)), counts.sum(axis=0), counts):
        total = of_history.sum(axis=-1, keepdims=True)
        kinds = np.maximum((of_history > 0).sum(axis=-1, keepdims=True), 1)
        probs = (of_history + kinds * probs) / (total + kinds)
    return torch.from_numpy(probs).float()


def log_totals(log_probs: Tensor, frames: Tensor, trigrams: Tensor) -> Tensor:
    """Log of the summed probability of all sequences of tokens, each times that of the trigram model.

    Frames after the end may hold anything.

    Shape: log_probs (B, T, V), frames (B,), trigrams (V, V, V) -> (B,)
    """
    with torch.autocast(log_probs.device.type, enabled=False):
        return _LogTotals.apply(log_probs.float(), frames, trigrams)


class _LogTotals(torch.autograd.Function):
    """Forward-backward over pairs of tokens (Rabiner 1989), scaled in each frame.

    A state is the last two tokens, a and b, and whether the last frame said b or was blank. A token that is the same as
    the last one begins after a blank only.

    Shape: probabilities of states (V, B, V): [b, i, a] is of utterance i, after the tokens a and b
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, frames: Tensor, trigrams: Tensor) -> Tensor:
        batch, length, tokens = log_probs.shape
        others, again, end = _transitions(trigrams)
        exist = frame_mask(frames, length)
        probs = log_probs.exp().where(exist.unsqueeze(2), 1.0).permute(1, 2, 0).contiguous()
        states = probs.new_zeros(2, length + 1, tokens, batch, tokens)
        said, blank = states
        blank[0, EDGE, :, EDGE] = 1
        scales = probs.new_ones(length, batch)
        for t in range(length):
            either = said[t] + blank[t]
            begun = torch.bmm(either, others)
            begun.diagonal(dim1=0, dim2=2).add_((blank[t] * again).sum(dim=2).T)
            torch.mul(said[t] + begun.permute(2, 1, 0), probs[t].unsqueeze(2), out=said[t + 1])
            torch.mul(either, probs[t, BLANK].unsqueeze(1), out=blank[t + 1])
            scales[t] = states[:, t + 1].sum(dim=(0, 1, 3)).clamp(min=TINY)
            states[:, t + 1] /= scales[t].unsqueeze(1)
        last = states[:, frames, :, torch.arange(batch, device=frames.device)]  # (B, 2, V, V)
        ended = (last * end.squeeze(1)).sum(dim=(1, 2, 3)).clamp(min=TINY)
        ctx.save_for_backward(states, probs, trigrams, frames)
        return (scales.log().T * exist).sum(dim=1) + ended.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient is the probability of each token in each frame, given all sequences."""
        states, probs, trigrams, frames = ctx.saved_tensors
        length, tokens, batch = probs.shape
        others, again, end = _transitions(trigrams)
        backwards = others.transpose(1, 2).contiguous()
        occupancy = probs.new_zeros(length, tokens, batch)
        said = blank = end.expand(tokens, batch, tokens)
        for t in reversed(range(length)):
            is_last = (frames == t + 1).unsqueeze(1)
            said, blank = torch.where(is_last, end, said), torch.where(is_last, end, blank)
            found = (states[0, t + 1] * said).sum(dim=2)
            found[BLANK] += (states[1, t + 1] * blank).sum(dim=(0, 2))
            occupancy[t] = found / found.sum(dim=0).clamp(min=TINY)
            staying = said * probs[t].unsqueeze(2)
            begun = staying.permute(2, 1, 0)
            blank = blank * probs[t, BLANK].unsqueeze(1) + torch.bmm(begun, backwards)
            said, blank = staying + blank, blank + begun.diagonal(dim1=0, dim2=2).T.unsqueeze(2) * again
            scale = (said + blank).sum(dim=(0, 2)).clamp(min=TINY).unsqueeze(1)
            said, blank = said / scale, blank / scale
        exist = frame_mask(frames, length).unsqueeze(2)
        return occupancy.permute(2, 0, 1) * exist * gradients[0].view(-1, 1, 1), None, None


def _transitions(trigrams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """After each two tokens a and b, the probabilities of another token, of b again, and of the end.

    Shape: (V, V, V) -> (V, V, V): [b, a, c]; (V, 1, V): [b, 0, a]; (V, 1, V)
    """
    after = trigrams.transpose(0, 1)
    end = after[:, :, EDGE]
    others = after.clone()
    others[:, :, EDGE] = 0
    again = others.diagonal(dim1=0, dim2=2).T.clone()
    others.diagonal(dim1=0, dim2=2).zero_()
    return others, again.unsqueeze(1), end.unsqueeze(1)
