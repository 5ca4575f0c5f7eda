"""The learning rate against what its name promises, and the moving average against its recursion."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from asr.recipe.training import OptimiserConfig
from asr.training.optimiser import average_of, build_optimiser, learning_rate

decays = st.sampled_from(["cosine", "inverse_sqrt"])
configs = st.builds(
    OptimiserConfig,
    learning_rate=st.floats(1e-6, 1),
    warmup=st.floats(0.01, 0.99),
    final=st.floats(0, 1),
    decay=decays,
)
shares = st.floats(0, 1)


@settings(deadline=None)
@given(configs)
def test_the_rate_starts_at_zero_and_peaks_after_the_warm_up(config: OptimiserConfig) -> None:
    assert learning_rate(config, 0) == 0
    assert learning_rate(config, config.warmup / 2) == pytest.approx(config.learning_rate / 2)
    assert learning_rate(config, config.warmup) == pytest.approx(config.learning_rate)


@settings(deadline=None)
@given(configs.map(lambda config: config.model_copy(update={"decay": "cosine"})))
def test_the_cosine_is_in_the_middle_halfway_and_ends_at_its_share(config: OptimiserConfig) -> None:
    halfway = (1 + config.warmup) / 2
    assert learning_rate(config, halfway) == pytest.approx(config.learning_rate * (1 + config.final) / 2)
    assert learning_rate(config, 1) == pytest.approx(config.learning_rate * config.final, abs=1e-12)


def test_the_inverse_square_root_halves_when_the_position_is_fourfold() -> None:
    config = OptimiserConfig(learning_rate=0.8, warmup=0.05, decay="inverse_sqrt")
    assert [learning_rate(config, share) for share in (0.05, 0.2, 0.8)] == pytest.approx([0.8, 0.4, 0.2])


@settings(deadline=None)
@given(configs, shares, shares)
def test_the_rate_rises_then_falls_without_a_jump(config: OptimiserConfig, one: float, other: float) -> None:
    a, b = sorted((one, other))
    rate_a, rate_b = learning_rate(config, a), learning_rate(config, b)
    rounding = 1e-12 * config.learning_rate
    if b <= config.warmup:
        assert rate_a <= rate_b + rounding
    if a >= config.warmup:
        assert rate_a >= rate_b - rounding
    steepest = config.learning_rate * max(1 / config.warmup, math.pi / 2 / (1 - config.warmup))
    assert abs(rate_b - rate_a) <= steepest * (b - a) * (1 + 1e-9) + rounding
    assert 0 <= rate_a <= config.learning_rate + rounding


def test_matrices_that_get_no_push_decay_by_rate_times_decay_and_biases_stay() -> None:
    matrix, bias = nn.Parameter(torch.tensor([[2.0]])), nn.Parameter(torch.tensor([2.0]))
    optimiser = build_optimiser(OptimiserConfig(learning_rate=0.1, weight_decay=0.5), [bias, matrix])
    matrix.grad, bias.grad = torch.zeros(1, 1), torch.zeros(1)
    optimiser.step()
    assert matrix.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5))
    assert bias.item() == 2.0


def test_the_average_follows_its_recursion() -> None:
    network = nn.Linear(2, 1, bias=False)
    assert average_of(OptimiserConfig(), network) is None
    average = average_of(OptimiserConfig(ema=0.75), network)
    assert average is not None
    values = [torch.full((1, 2), value) for value in (4.0, 8.0, 0.0)]
    for value in values:
        with torch.no_grad():
            network.weight.copy_(value)
        average.update_parameters(network)
    expected = 0.75 * (0.75 * values[0] + 0.25 * values[1]) + 0.25 * values[2]
    torch.testing.assert_close(average.module.state_dict()["weight"], expected)
    torch.testing.assert_close(network.weight.detach(), values[2])


def test_the_mean_of_checkpoints_weighs_each_alike() -> None:
    network = nn.Linear(2, 1, bias=False)
    average = average_of(OptimiserConfig(average_epochs=3), network)
    assert average is not None
    for value in (4.0, 8.0, 0.0):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update_parameters(network)
    torch.testing.assert_close(average.module.state_dict()["weight"], torch.full((1, 2), 4.0))


def test_two_averages_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="both replace the weights by an average"):
        OptimiserConfig(ema=0.9, average_epochs=2)
