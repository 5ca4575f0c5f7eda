"""Dropout by random bytes."""

import pytest
import torch

from asr.network.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_dropout_hides_its_share_of_all_numbers_and_scales_the_others_up(share: float) -> None:
    torch.manual_seed(0)
    out = Dropout(share)(torch.ones(50, 41, 101))
    hidden = out == 0
    for dims in ((0, 1), (0, 2), (1, 2)):  # no frame, utterance or feature is spared
        torch.testing.assert_close(hidden.float().mean(dims), torch.full_like(out.mean(dims), share), rtol=0, atol=0.05)
    assert abs(float(hidden.float().mean()) - share) < 0.003
    values = out[~hidden]
    torch.testing.assert_close(values, torch.full_like(values, 1 / (1 - share)), rtol=0.005, atol=0)


def test_dropout_follows_the_seed() -> None:
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(Dropout(0.5)(torch.ones(7, 3, 5)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
