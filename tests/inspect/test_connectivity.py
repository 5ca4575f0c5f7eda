"""The gradient of a letter equals finite differences, and torch's own gradient."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from asr.inspect import network
from asr.inspect.connectivity import TOGETHER, gradients
from asr.network.torch_model import TorchModel

Export = Callable[..., Path]
EVERYWHERE = 10**6


def test_it_equals_finite_differences(toy: TorchModel, exported: Export, speech: np.ndarray) -> None:
    loaded = network.load(exported(toy))
    trace = network.run(loaded, speech)
    letters = [(0, 3), (21, 0), (21, 7), (len(trace.log_probs) - 1, 12)]
    found = gradients(loaded, trace, letters, EVERYWHERE)
    random = np.random.default_rng(0)
    step = 1e-6  # so small that no ReLU changes its side
    for (frame, token), gradient in zip(letters, found, strict=True):
        assert gradient.shape == trace.features.shape
        direction = random.normal(size=gradient.shape)
        directions = [direction, direction * (np.arange(len(gradient)) == 4 * frame)[:, None]]
        for place in random.integers(0, gradient.size, 3):
            directions.append(np.eye(1, gradient.size, place).reshape(gradient.shape))
        for tried in directions:
            above, below = (network.run_features(loaded, trace.features + sign * step * tried) for sign in (1, -1))
            expected = (above.log_probs[frame, token] - below.log_probs[frame, token]) / (2 * step)
            np.testing.assert_allclose((gradient * tried).sum(), expected, rtol=2e-3, atol=2e-5)


def test_it_equals_torchs(toy: TorchModel, exported: Export, speech: np.ndarray) -> None:
    loaded = network.load(exported(toy))
    trace = network.run(loaded, speech)
    features = torch.tensor(trace.features[None], dtype=torch.float32, requires_grad=True)
    net = toy.network.eval()
    layers, _ = net.encode(features, torch.tensor([len(trace.features)]))
    log_probs = net.classify(layers[-1])[0]
    letters = [(frame, int(trace.log_probs[frame].argmax())) for frame in range(0, len(trace.log_probs), 5)]
    for (frame, token), own in zip(letters, gradients(loaded, trace, letters, EVERYWHERE), strict=True):
        (expected,) = torch.autograd.grad(log_probs[frame, token], features, retain_graph=True)
        size = float(expected.abs().max())
        np.testing.assert_allclose(own, expected[0].numpy(), rtol=0, atol=2e-3 * size + 1e-7)


def test_it_does_not_depend_on_the_other_letters_and_ends_at_the_reach(
    toy: TorchModel, exported: Export, speech: np.ndarray
) -> None:
    loaded = network.load(exported(toy))
    trace = network.run(loaded, speech)
    letters = [(t % len(trace.log_probs), 1 + t % 20) for t in range(TOGETHER + 5)]
    together = gradients(loaded, trace, letters, EVERYWHERE)
    for place in (0, TOGETHER - 1, TOGETHER + 2):
        (alone,) = gradients(loaded, trace, [letters[place]], EVERYWHERE)
        np.testing.assert_allclose(alone, together[place], atol=1e-5 * np.abs(alone).max() + 1e-9)
    (near,) = gradients(loaded, trace, [(20, 5)], 6)
    rows = np.flatnonzero(np.abs(near).sum(axis=1))
    assert 4 * (20 - 6) - 3 <= rows[0] < 4 * 20 < rows[-1] <= 4 * (20 + 6) + 3
