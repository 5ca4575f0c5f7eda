"""The convolutions: computed sizes are correct, and the padding has no effect."""

import math

import pytest
import torch

from asr.network.frontend import Frontend, MaskedConv
from asr.recipe.network import FrontendConfig

REDUCTIONS = [2, 4, 8]


def frontend(time_reduction: int, bands: int = 11) -> Frontend:
    """A small frontend with random weights, including the norms'."""
    torch.manual_seed(time_reduction)
    network = Frontend(FrontendConfig.model_validate({"channels": 3, "time_reduction": time_reduction}), bands)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


@pytest.mark.parametrize("time_reduction", REDUCTIONS)
def test_output_lengths_are_the_actual_sizes(time_reduction: int) -> None:
    network = frontend(time_reduction)
    lengths = torch.arange(1, 51)
    computed = network.output_lengths(lengths).tolist()
    assert computed == [math.ceil(length / time_reduction) for length in range(1, 51)]
    for length, size in zip(lengths.tolist(), computed, strict=True):
        x, returned = network(torch.randn(1, length, 11), torch.tensor([length]))
        assert x.shape == (1, size, network.output_size)
        assert returned.tolist() == [size]


@pytest.mark.parametrize("bands", [8, 23, 80])
@pytest.mark.parametrize("time_reduction", REDUCTIONS)
def test_the_output_size_is_the_actual_one(bands: int, time_reduction: int) -> None:
    network = frontend(time_reduction, bands)
    assert network(torch.randn(2, 9, bands), torch.tensor([9, 4]))[0].shape[2] == network.output_size


@pytest.mark.parametrize("time_reduction", REDUCTIONS)
def test_neither_padding_nor_neighbours_change_a_result(time_reduction: int) -> None:
    network = frontend(time_reduction)
    lengths = torch.tensor([50, 1, 17, 32, 49])
    features = torch.randn(5, 50, 11)
    for row, length in zip(features, lengths.tolist(), strict=True):
        row[length:] = 1e4 * torch.randn(50 - length, 11)
    together, frames = network(features, lengths)
    for row, out, length, count in zip(features, together, lengths.tolist(), frames.tolist(), strict=True):
        alone, _ = network(row[None, :length], torch.tensor([length]))
        torch.testing.assert_close(out[:count], alone[0], rtol=0, atol=1e-5)


def test_every_frame_is_normalised_over_channels_and_bands() -> None:
    layer = MaskedConv(1, channels=4, in_bands=12, time_stride=2)
    torch.nn.init.constant_(layer.norm.bias, 10.0)  # far above zero, so that the ReLU has no effect
    x, _ = layer(torch.randn(3, 1, 20, 12), torch.tensor([20, 20, 20]))
    frames = x.transpose(1, 2).flatten(2)
    torch.testing.assert_close(frames.mean(dim=2), torch.full((3, 10), 10.0), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames.std(dim=2, correction=0), torch.ones(3, 10), rtol=0, atol=1e-2)


def test_a_negative_value_becomes_zero() -> None:
    x, _ = frontend(4)(torch.randn(2, 30, 11), torch.tensor([30, 30]))
    assert x.min() == 0
    assert x.max() > 0
