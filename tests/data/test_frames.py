"""Frame counts, compared with the model and torch's CTC."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.data import frames, validation
from asr.data.frames import frames_needed, num_frames
from asr.network.features import Features
from asr.network.frontend import Frontend
from asr.recipe.network import FeaturesConfig, FrontendConfig
from asr.text import ENGLISH


@pytest.mark.parametrize("time_reduction", [2, 4, 8])
def test_num_frames_matches_the_model(time_reduction):
    features = Features(FeaturesConfig())
    frontend = Frontend(FrontendConfig(channels=1, time_reduction=time_reduction), features.config.bands)
    samples = torch.cat([torch.arange(1, 5000), torch.tensor([16_000, 160_001, 9_999_999])])
    theirs = frontend.output_lengths(features.output_lengths(samples))
    assert theirs.tolist() == [num_frames(number, time_reduction) for number in samples.tolist()]
    assert features.config.sample_rate == frames.SAMPLE_RATE


@given(st.text("abc", min_size=1, max_size=12))
def test_frames_needed_matches_torch_ctc(text):
    """torch finds a path with this number of frames, and none with one frame less."""
    needed = frames_needed(text)
    targets = torch.tensor([["_abc".index(character) for character in text]])
    for num, has_path in [(needed, True), (needed - 1, False)]:
        if num:
            log_probs = torch.zeros(num, 1, 4).log_softmax(dim=2)
            loss = torch.nn.functional.ctc_loss(
                log_probs, targets, torch.tensor([num]), torch.tensor([len(text)]), reduction="sum"
            )
            assert torch.isfinite(loss) == has_path


def test_the_alphabet_is_that_of_the_recipe():
    assert validation.ENGLISH == ENGLISH
