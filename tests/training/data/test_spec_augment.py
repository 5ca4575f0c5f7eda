"""SpecAugment's masks: narrower than their width, zero inside, nothing touched outside."""

import pytest
import torch
from torch import Tensor

from asr.recipe.augmentation import MaskingConfig
from asr.training.data.spec_augment import mask_spectrogram

FREQUENCY_ONLY = {"time_masks": 0, "frequency_masks": 1}
TIME_ONLY = {"time_masks": 1, "frequency_masks": 0}


def spectrogram(batch: int = 400, frames: int = 50, bands: int = 30) -> Tensor:
    """Different numbers everywhere, none of them 0. Shape: -> (B, T, F)"""
    return torch.arange(1.0, 1 + batch * frames * bands).reshape(batch, frames, bands)


def masked(x: Tensor, **config) -> tuple[Tensor, Tensor]:
    """Which frames and which bands are blotted out. Shape: -> (B, T), (B, F)"""
    torch.manual_seed(0)
    y = mask_spectrogram(x, MaskingConfig.model_validate(config), 1.0)
    zero = y == 0
    assert torch.equal(y, x.masked_fill(zero, 0.0)), "outside of the masks nothing may change"
    frames, bands = zero.all(dim=2), zero.all(dim=1)
    assert torch.equal(zero, frames[:, :, None] | bands[:, None, :]), "a mask spans the other axis from end to end"
    return frames, bands


def is_one_stretch(row: list[bool]) -> bool:
    return sum(a != b for a, b in zip([False, *row], [*row, False], strict=True)) <= 2


def test_a_frequency_mask_is_one_stretch_of_fewer_bands_than_its_width() -> None:
    frames, bands = masked(spectrogram(), **FREQUENCY_ONLY, frequency_width=7)
    assert not frames.any()
    assert all(map(is_one_stretch, bands.tolist()))
    assert set(bands.sum(dim=1).tolist()) == set(range(7)), "every width below is drawn"
    assert bands.any(dim=0)[:-1].all(), "they lie all over the bands"


def test_a_time_mask_is_one_stretch_of_fewer_frames_than_its_width() -> None:
    frames, bands = masked(spectrogram(), **TIME_ONLY, time_width=9, time_share=1.0)
    assert not bands.any()
    assert all(map(is_one_stretch, frames.tolist()))
    assert set(frames.sum(dim=1).tolist()) == set(range(9))
    assert frames.any(dim=0)[:-1].all()


@pytest.mark.parametrize(("share", "most"), [(0.1, 5), (0.5, 25), (1.0, 40)])
def test_a_time_mask_covers_at_most_its_share_of_the_frames(share: float, most: int) -> None:
    frames, _ = masked(spectrogram(), **TIME_ONLY, time_width=40, time_share=share)
    widths = frames.sum(dim=1)
    assert most - 2 <= widths.max() <= most


def test_several_masks_cover_no_more_than_their_sum() -> None:
    frames, bands = masked(
        spectrogram(), time_masks=3, time_width=5, time_share=1.0, frequency_masks=2, frequency_width=4
    )
    assert 4 < frames.sum(dim=1).max() <= 3 * 4
    assert 3 < bands.sum(dim=1).max() <= 2 * 3


def test_each_utterance_gets_its_own_masks() -> None:
    frames, bands = masked(spectrogram(batch=20), time_masks=2, frequency_masks=2)
    patterns = {(tuple(f), tuple(b)) for f, b in zip(frames.tolist(), bands.tolist(), strict=True)}
    assert len(patterns) > 15


def test_no_masks_change_nothing_and_the_input_stays_as_it_was() -> None:
    x = spectrogram(batch=3)
    before = x.clone()
    assert torch.equal(mask_spectrogram(x, MaskingConfig(time_masks=0, frequency_masks=0), 1.0), before)
    mask_spectrogram(x, MaskingConfig(), 1.0)
    assert torch.equal(x, before)


def test_the_masks_follow_from_torchs_seed() -> None:
    x = spectrogram(batch=5)
    torch.manual_seed(3)
    first = mask_spectrogram(x, MaskingConfig(), 1.0)
    torch.manual_seed(3)
    assert torch.equal(mask_spectrogram(x, MaskingConfig(), 1.0), first)
    assert not torch.equal(mask_spectrogram(x, MaskingConfig(), 1.0), first)


def test_longer_utterances_have_more_masks_over_time() -> None:
    config = MaskingConfig(time_masks=1, time_masks_per_s=0.5, time_width=20, time_share=1.0, frequency_masks=0)
    shares = []
    for duration_s in (1.0, 4.0, 16.0):  # one, three and nine masks of 9.5 frames on average
        torch.manual_seed(0)
        frames = (mask_spectrogram(torch.ones(400, 4_000, 2), config, duration_s) == 0).all(dim=2)
        shares.append(frames.sum(dim=1).float().mean().item())
    assert shares == pytest.approx([9.5, 28.5, 85.5], rel=0.1)
