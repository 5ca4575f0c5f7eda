"""What cells are said to do is what they do."""

import numpy as np
import pytest

from asr.inspect.behaviour import correlation, describe, kept_share, loudness, memory_ms
from asr.inspect.network import Cells

RANDOM = np.random.default_rng(0)


def test_memory_is_the_time_constant_of_the_product_of_what_was_kept() -> None:
    kept = RANDOM.uniform(0.2, 1, size=(50, 7))
    lengths_ms = memory_ms(kept, 0.04)
    np.testing.assert_allclose(np.exp(-50 * 40 / lengths_ms), kept.prod(axis=0), rtol=1e-9)
    np.testing.assert_allclose(memory_ms(np.full((9, 1), np.exp(-0.5)), 0.04), 80)
    assert np.isfinite(memory_ms(np.array([[1.0, 0.0]]), 0.04)).all()


@pytest.mark.parametrize(
    ("gates", "kept"),
    [({"input": 0.3, "forget": 0.9}, 0.9), ({"input": 0.3}, 0.7), ({"update": 0.6, "reset": 0.1}, 0.6)],
)
def test_each_cell_keeps_by_its_own_gate(gates: dict[str, float], kept: float) -> None:
    cells = Cells({name: np.full((4, 2), value) for name, value in gates.items()}, np.zeros((4, 2)), np.zeros((4, 2)))
    np.testing.assert_allclose(kept_share(cells), kept)


def test_correlation_equals_numpys_and_is_zero_for_constants() -> None:
    x, y = RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(30, 2))
    expected = np.corrcoef(x.T, y.T)[:3, 3:]
    np.testing.assert_allclose(correlation(x, y), expected, atol=1e-12)
    assert not correlation(np.ones((5, 1)), RANDOM.normal(size=(5, 1))).any()


def test_loudness_is_the_mean_around_each_frame() -> None:
    features = np.repeat(np.arange(40.0)[:, None], 3, axis=1)
    loud = loudness(features, 10)
    np.testing.assert_allclose(loud[1:], np.arange(4, 40, 4) - 0.5)
    assert loudness(features[:1], 1).shape == (1,)


def test_cells_are_described_by_what_they_do() -> None:
    loud = np.sin(np.arange(60) / 5)
    letter = (np.arange(60) % 13 == 0).astype(float)
    opens_at_sound, opens_at_silence, always = 0.5 + 0.4 * loud, 0.5 - 0.4 * loud, np.full(60, 0.95)
    gates = {
        "input": np.stack([opens_at_sound, always, 1 - always], axis=1),
        "forget": np.stack([np.full(60, 0.5), np.full(60, 0.999), opens_at_silence], axis=1),
        "candidate": np.zeros((60, 3)),
    }
    state = np.stack([np.zeros(60), np.arange(60.0), -np.arange(60.0)], axis=1)
    output = np.stack([letter, -letter, RANDOM.normal(size=60)], axis=1)
    behaviour = describe(Cells(gates, state, output), loud, letter[:, None], ["s"], 0.04)
    first, second, third = behaviour.words
    assert "input gate opens at sound" in first
    assert "rises at s" in first
    assert "forgets soonest" not in second
    assert {"keeps longest", "input gate mostly open", "state grows with time", "falls at s"} <= set(second.split(", "))
    assert {"forget gate opens at silence", "input gate mostly closed", "state falls with time"} <= set(
        third.split(", ")
    )
    assert "candidate" not in "".join(behaviour.words)
