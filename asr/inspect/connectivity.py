"""Which moments of the input drove a letter: the gradient of its log-probability by the spectrogram, in NumPy.

The gradient says how much the log-probability of a token at one frame would rise if a band of the spectrogram rose a
little at some moment. Its length over the bands is the connectivity (as in Madsen 2019, "Visualizing memorization in
RNNs", Distill): large where the network listened to decide on this letter. Written by hand, stage by stage from the
end to the beginning; tests compare it with finite differences and with torch.

K is the number of letters that are followed at once; all of them share the gates, which do not depend on them.
"""

from collections.abc import Sequence

import numpy as np

from asr.cells import GATES, PEEPHOLES
from asr.inspect.network import Cells, Convolution, Direction, Kept, Network, Norm, Trace
from asr.progress import Progress, silent, tracked

REACH_S = 2.0
"""Gradients are followed this far to both sides of a letter, and are negligible beyond."""
TOGETHER = 48
"""Letters to follow at once, to limit the memory."""


def gradients(
    network: Network,
    trace: Trace,
    letters: Sequence[tuple[int, int]],
    reach: int,
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Compute the gradients of log-probabilities by the features.

    Args:
        network: the model.
        trace: what it did with the recording.
        letters: frame and token of each log-probability, in order of time.
        reach: number of frames to both sides of a letter beyond which its gradient is taken as zero.
        progress: receives the progress.

    Shape: -> for each letter (N, F)
    """
    found: list[np.ndarray] = []
    for first in tracked(range(0, len(letters), TOGETHER), "following letters back", progress):
        group = letters[first : first + TOGETHER]
        frames = slice(max(0, group[0][0] - reach), min(len(trace.log_probs), group[-1][0] + reach + 1))
        found += list(_group(network, trace, group, frames))
    return found


def _group(network: Network, trace: Trace, letters: Sequence[tuple[int, int]], frames: slice) -> np.ndarray:
    """The gradients of a few letters, followed through some of the frames. Shape: -> (K, N, F)"""
    dx = np.zeros((frames.stop - frames.start, len(letters), network.head_weight.shape[1]), np.float32)
    for k, (frame, token) in enumerate(letters):
        d_logits = -np.exp(trace.log_probs[frame])
        d_logits[token] += 1
        dx[frame - frames.start, k] = d_logits @ network.head_weight
    for layer, ran, kept in zip(reversed(network.layers), reversed(trace.cells), reversed(trace.norms), strict=True):
        halves = np.split(_norm(layer.norm, kept, dx, frames), 2, axis=2)
        ahead, back = (_cells(*parts, frames) for parts in zip(layer.directions, ran, halves, strict=True))
        dx = ahead + back
    channels, _, bands = trace.maps[-1].shape
    dy = dx.reshape(*dx.shape[:2], channels, bands).transpose(1, 2, 0, 3)
    inputs = [trace.features[None], *trace.maps[:-1]]
    for stage in reversed(range(len(inputs))):
        dy, frames = _convolution(
            network.convolutions[stage], trace.map_norms[stage], trace.maps[stage], dy, frames, inputs[stage].shape
        )
    gradient = np.zeros((len(letters), *trace.features.shape), np.float32)
    gradient[:, frames] = dy[:, 0]
    return gradient


def _norm(norm: Norm, kept: Kept, dy: np.ndarray, frames: slice) -> np.ndarray:
    """Back through a layer norm. Shape: (T, K, D) -> (T, K, D)"""
    x = _single(kept.normalised[frames, None])
    d = dy * _single(norm.scale)
    along = (d * x).mean(axis=2, keepdims=True)
    return (d - d.mean(axis=2, keepdims=True) - x * along) * _single(kept.inverse[frames, None])


def _cells(direction: Direction, ran: Cells, dy: np.ndarray, frames: slice) -> np.ndarray:
    """Back through one direction of a recurrent layer. Shape: (T, K, H) -> (T, K, D)"""
    order = -1 if direction.is_backward else 1
    state = ran.state[::order]
    before = np.concatenate([np.zeros_like(state[:1]), state[:-1]])[::order]

    def part(values: np.ndarray) -> np.ndarray:
        """The frames, in the order in which the direction reads them."""
        return _single(values[frames][::order])

    gates = {name: part(values) for name, values in ran.gates.items()}
    through_time = _gru if direction.kind == "gru" else _lstm
    d = through_time(direction, gates, part(ran.state), part(before), dy[::order])[::order]
    return (d.reshape(-1, d.shape[2]) @ _single(direction.w_x)).reshape(*d.shape[:2], -1)


def _lstm(
    direction: Direction, gates: dict[str, np.ndarray], state: np.ndarray, before: np.ndarray, dy: np.ndarray
) -> np.ndarray:
    """Back through any kind of LSTM, from the last step to the first.

    Shape: gates, state and the state before (T, H), dy (T, K, H) -> (T, K, G * H), the gradient by W x
    """
    i, g, o = gates["input"], gates["candidate"], gates["output"]
    f = gates.get("forget", 1 - i)
    shown = np.tanh(state)
    by_state = {
        "input": (g if "forget" in gates else g - before) * i * (1 - i),
        "forget": before * f * (1 - f),
        "candidate": i * (1 - g * g),
    }
    by_output, to_state = shown * o * (1 - o), o * (1 - shown * shown)
    names, hidden = GATES[direction.kind], state.shape[1]
    seen = {} if direction.peepholes is None else dict(zip(PEEPHOLES[direction.kind], direction.peepholes, strict=True))
    peepholes = {name: _single(weights) for name, weights in seen.items()}
    w_h = _single(direction.w_h)
    d = np.empty((*dy.shape[:2], len(names) * hidden), np.float32)
    dh = dc = np.zeros(dy.shape[1:], np.float32)
    for t in reversed(range(len(dy))):
        dh = dh + dy[t]
        z = {"output": dh * by_output[t]}
        dc = dc + dh * to_state[t]
        if "output" in peepholes:
            dc += z["output"] * peepholes["output"]
        z |= {name: dc * by_state[name][t] for name in names if name != "output"}
        dc = dc * f[t]
        for name in peepholes.keys() - {"output"}:
            dc += z[name] * peepholes[name]
        np.concatenate([z[name] for name in names], axis=1, out=d[t])
        dh = d[t] @ w_h
    return d


def _gru(
    direction: Direction, gates: dict[str, np.ndarray], state: np.ndarray, before: np.ndarray, dy: np.ndarray
) -> np.ndarray:
    """Back through a GRU, whose state is its output. Shape: as in `_lstm`"""
    reset, update, candidate = (gates[name] for name in GATES["gru"])
    hidden = state.shape[1]
    w_h = _single(direction.w_h)
    memory = before @ w_h[2 * hidden :].T + _single(direction.b_h[2 * hidden :])
    by_candidate = (1 - update) * (1 - candidate * candidate)
    by_update = (before - candidate) * update * (1 - update)
    by_reset = by_candidate * memory * reset * (1 - reset)
    d = np.empty((*dy.shape[:2], 3 * hidden), np.float32)
    dh = np.zeros(dy.shape[1:], np.float32)
    for t in reversed(range(len(dy))):
        dh = dh + dy[t]
        d_candidate = dh * by_candidate[t]
        np.concatenate([dh * by_reset[t], dh * by_update[t], d_candidate], axis=1, out=d[t])
        dh = dh * update[t] + d[t, :, : 2 * hidden] @ w_h[: 2 * hidden] + (d_candidate * reset[t]) @ w_h[2 * hidden :]
    return d


def _convolution(  # noqa: PLR0917 - what the stage read, wrote and is
    convolution: Convolution, kept: Kept, y: np.ndarray, dy: np.ndarray, frames: slice, shape: tuple[int, ...]
) -> tuple[np.ndarray, slice]:
    """Back through ReLU, norm and convolution; returns the gradient and its frames in the input, whose shape is given.

    Shape: y (C', T', F'), dy (K, C', frames, F') -> (K, C, frames, F)
    """
    letters, channels, num_frames, bands = dy.shape
    flat = (dy * (y[:, frames] > 0)).transpose(2, 0, 1, 3).reshape(num_frames, letters, -1)
    d_TKCF = _norm(convolution.norm, kept, flat, frames).reshape(num_frames, letters, channels, bands)
    d_KTFC = np.ascontiguousarray(d_TKCF.transpose(1, 0, 3, 2))
    in_channels, in_frames, in_bands = shape
    time, band = convolution.strides
    dx = np.zeros((letters, time * num_frames + 3, band * bands + 3, in_channels), np.float32)
    for row in range(3):
        for column in range(3):
            tap = _single(convolution.weight[:, :, row, column])
            d = (d_KTFC.reshape(-1, channels) @ tap).reshape(letters, num_frames, bands, in_channels)
            dx[:, row : row + time * num_frames : time, column : column + band * bands : band] += d
    begin = time * frames.start - 1  # of the first patch, which may lie in the padding
    inside = slice(max(0, begin), min(in_frames, begin + dx.shape[1]))
    dx = dx[:, inside.start - begin : inside.stop - begin, 1 : 1 + in_bands]
    return dx.transpose(0, 3, 1, 2), inside


def _single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)
