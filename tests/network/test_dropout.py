"""Dropout with random bytes."""

import pytest
import torch

from asr.network.dropout import Dropout


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5])
def test_dropout_zeroes_its_fraction_of_the_elements_and_scales_up_the_others(fraction: float) -> None:
    torch.manual_seed(0)
    out = Dropout(fraction)(torch.ones(50, 41, 101))
    dropped = out == 0
    for dims in ((0, 1), (0, 2), (1, 2)):  # no frame, utterance or feature is spared
        torch.testing.assert_close(
            dropped.float().mean(dims), torch.full_like(out.mean(dims), fraction), rtol=0, atol=0.05
        )
    assert abs(float(dropped.float().mean()) - fraction) < 0.003
    values = out[~dropped]
    torch.testing.assert_close(values, torch.full_like(values, 1 / (1 - fraction)), rtol=0.005, atol=0)


def test_dropout_follows_the_seed() -> None:
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(Dropout(0.5)(torch.ones(7, 3, 5)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
