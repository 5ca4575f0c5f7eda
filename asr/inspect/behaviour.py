"""What the cells of a layer do, in numbers that cells can be sorted by and in words that they can be searched by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asr.inspect.network import Cells

CLEAR = 0.5
"""Correlation from which on a cell is said to do something."""
MOSTLY = 0.9
"""Mean opening from which on a gate is mostly open; one minus it: mostly closed."""
TENTH = 0.1
"""Share of the cells that keep longest, or forget soonest."""
LEAST_FORGOTTEN = 1e-4
"""Smallest rate of forgetting per frame that differs from none: a gate has some seven digits."""


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of H cells of one direction of a layer, on one recording."""

    memory_ms: np.ndarray
    """Mean memory length: the time in which the state's old content decays to 1/e. Shape: (H,)"""
    means: Mapping[str, np.ndarray]
    """Mean opening of each gate. Shape: (H,) each"""
    loudness: Mapping[str, np.ndarray]
    """Correlation of each gate, of the state and of the output with the loudness. Shape: (H,) each"""
    tokens: np.ndarray
    """Correlation of the output with the probability of each token. Shape: (H, tokens)"""
    words: list[str]
    """What each cell does."""


def kept_share(cells: Cells) -> np.ndarray:
    """The share of its content that each cell keeps from one frame to the next. Shape: -> (T, H)

    It is the forget gate; where gates are coupled, one minus the input gate; of a GRU, the update gate.
    """
    gates = cells.gates
    if "update" in gates:
        return gates["update"]
    return gates.get("forget", 1 - gates["input"])


def memory_ms(kept: np.ndarray, frame_shift_s: float) -> np.ndarray:
    """Compute the mean memory length of each cell.

    After T frames, the product of the shares f_t that were kept is left of the first content: exp(sum of log f_t). That
    is exponential decay with the mean rate -(sum of log f_t) / T per frame, whose time constant is returned.

    Shape: (T, H) -> (H,)
    """
    rate = -np.log(np.maximum(kept, 1e-30)).mean(axis=0)
    return 1000 * frame_shift_s / np.maximum(rate, LEAST_FORGOTTEN)


def loudness(features: np.ndarray, num_frames: int) -> np.ndarray:
    """The mean of the spectrogram around each output frame. Shape: (N, F) -> (T,)"""
    levels = features.mean(axis=1)
    step = max(1, round(len(levels) / num_frames))
    ends = [(max(0, step * t - step // 2), step * t + (step + 1) // 2) for t in range(num_frames)]
    return np.array([levels[min(begin, len(levels) - 1) : end].mean() for begin, end in ends])


def correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of all columns; 0 where a column is constant. Shape: (T, H), (T, N) -> (H, N)"""
    x, y = (values - values.mean(axis=0) for values in (x, y))
    norms = np.outer(np.linalg.norm(x, axis=0), np.linalg.norm(y, axis=0))
    return np.where(norms > 1e-9, x.T @ y / np.maximum(norms, 1e-9), 0.0)


def describe(
    cells: Cells, loud: np.ndarray, probabilities: np.ndarray, names: Sequence[str], frame_shift_s: float
) -> Behaviour:
    """Describe the cells of one direction of a layer.

    Args:
        cells: what they did.
        loud: the loudness. Shape: (T,)
        probabilities: of some tokens. Shape: (T, tokens)
        names: of these tokens.
        frame_shift_s: seconds per frame.
    """
    gates = {name: values for name, values in cells.gates.items() if name != "candidate"}
    memory = memory_ms(kept_share(cells), frame_shift_s)
    series = {**gates, "state": cells.state, "output of the cell": cells.output}
    with_loudness = {name: correlation(values, loud[:, None])[:, 0] for name, values in series.items()}
    with_tokens = correlation(cells.output, probabilities)
    means = {name: values.mean(axis=0) for name, values in gates.items()}
    with_time = correlation(cells.state, np.arange(len(cells.state), dtype=float)[:, None])[:, 0]
    rank, tenth = memory.argsort().argsort(), max(1, round(TENTH * len(memory)))
    words = []
    for cell in range(len(memory)):
        what = (
            ["keeps longest"]
            if rank[cell] >= len(memory) - tenth
            else ["forgets soonest"]
            if rank[cell] < tenth
            else []
        )
        for gate in gates:
            if abs(value := with_loudness[gate][cell]) >= CLEAR:
                what.append(f"{gate} gate opens at {'sound' if value > 0 else 'silence'}")
            if max(mean := means[gate][cell], 1 - mean) >= MOSTLY:
                what.append(f"{gate} gate mostly {'open' if mean > CLEAR else 'closed'}")
        if abs(value := with_time[cell]) >= MOSTLY:
            what.append(f"state {'grows' if value > 0 else 'falls'} with time")
        for token in np.argsort(-np.abs(with_tokens[cell]), kind="stable")[:2]:
            if abs(value := with_tokens[cell, token]) >= CLEAR:
                what.append(f"{'rises' if value > 0 else 'falls'} at {names[token]}")
        words.append(", ".join(what))
    return Behaviour(memory, means, with_loudness, with_tokens, words)
