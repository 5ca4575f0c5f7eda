"""The page: one HTML file with its data, in bytes, that opens from disk without a network."""

import base64
import zlib
from typing import Any

import numpy as np

from asr.audio.encoders import ogg_opus
from asr.inspect.inspection import Inspection
from asr.inspect.numbers import facts, rounded
from asr.pages.assemble import assemble

RANGE_DB = 70
"""Dynamic range of the spectrogram."""
POINTS_PER_S = 400
"""Pairs of minimum and maximum of the drawn waveform."""
SPAN_S = 1.0
"""The gradient of a letter is drawn over time and bands this far to both sides; over time alone everywhere."""
BANDS_TOGETHER = 2
"""Bands of that picture that share a row."""


STEPS, FINE_STEPS = 63, 127
"""Steps of a value that is drawn as a colour; of one that is drawn as a curve. More would cost space and not be seen.
"""


class Bytes:
    """Arrays as bytes, one after the other: each value between two limits in so few steps that it compresses well."""

    def __init__(self) -> None:
        self._content = bytearray()
        self.index: dict[str, dict[str, Any]] = {}

    def put(self, name: str, array: np.ndarray, low: float, high: float, steps: int = STEPS) -> None:
        """Append an array; values beyond the limits are clipped."""
        scaled = np.rint((np.asarray(array, np.float64) - low) * (steps / ((high - low) or 1)))
        at = len(self._content)
        self._content += np.clip(scaled, 0, steps).astype(np.uint8).tobytes()
        self.index[name] = {"at": at, "shape": list(array.shape), "low": low, "high": high, "steps": steps}

    def encoded(self) -> str:
        """All of it, deflated (zlib), in base64."""
        return base64.b64encode(zlib.compress(bytes(self._content), 9)).decode()


def build(inspection: Inspection, file: str) -> str:
    """Build the page about the recording `file`."""
    store = Bytes()
    _sound(inspection, store)
    _cells(inspection, store)
    _letters(inspection, store)
    data = {
        **facts(inspection),
        "file": file,
        "letters": [
            [letter.text, letter.token, letter.frame, round(letter.probability, 3)] for letter in inspection.letters
        ],
        "words": [
            [word.text, round(word.start_s, 3), round(word.end_s, 3), round(word.confidence, 3)]
            for word in inspection.words
        ],
        "tokens": [inspection.token_text(token) for token in range(inspection.log_probs.shape[1])],
        "used": inspection.tokens,
        "span": _span(inspection),
        "layers": [
            [_behaviour(inspection, layer, side) for side in (0, 1)] for layer in range(len(inspection.behaviours))
        ],
        "index": store.index,
    }
    audio = base64.b64encode(ogg_opus(inspection.waveform, inspection.description.sample_rate)).decode()
    title = f"Inside {inspection.description.name}: {file}"
    return assemble("inspect", title, {"data": data, "bytes": store.encoded(), "audio": audio})


def _sound(inspection: Inspection, store: Bytes) -> None:
    waveform, trace, spectrum = inspection.waveform, inspection.trace, inspection.network.spectrum
    points = min(len(waveform), max(1, round(POINTS_PER_S * inspection.duration_s)))
    edges = np.linspace(0, len(waveform), points, endpoint=False).astype(int)
    peak = float(np.abs(waveform).max()) or 1.0
    ends = [reduce.reduceat(waveform, edges) for reduce in (np.minimum, np.maximum)]
    store.put("waveform", np.stack(ends), -peak, peak, FINE_STEPS)
    decibels = (trace.features * spectrum.std + spectrum.mean) * (10 / np.log(10))
    top = float(decibels.max())
    store.put("spectrogram", decibels, top - RANGE_DB, top)
    for index, maps in enumerate(trace.maps):
        store.put(f"maps.{index}", maps, 0.0, float(np.percentile(maps, 99.8)) or 1.0)
    store.put("posteriors", np.exp(inspection.log_probs), 0.0, 1.0, FINE_STEPS)


def _cells(inspection: Inspection, store: Bytes) -> None:
    for layer, directions in enumerate(inspection.trace.cells):
        for side, cells in enumerate(directions):
            name = f"cells.{layer}.{side}"
            for gate, values in cells.gates.items():
                store.put(f"{name}.{gate}", values.T, -1.0 if gate == "candidate" else 0.0, 1.0)
            largest = _largest_state(cells.state)
            store.put(f"{name}.state", (cells.state / largest).T, -1.0, 1.0, FINE_STEPS)
            store.put(f"{name}.tokens", inspection.behaviours[layer][side].tokens, -1.0, 1.0)


def _letters(inspection: Inspection, store: Bytes) -> None:
    """The gradient of each letter: over all time, and over time and bands around it."""
    span = _span(inspection)
    count, bands = inspection.trace.features.shape
    ratio = max(1, round(inspection.description.frame_shift_s / inspection.feature_shift_s))
    rows = -(-bands // BANDS_TOGETHER)
    over_time = np.zeros((len(inspection.letters), count))
    pictures = np.zeros((len(inspection.letters), rows, 2 * span + 1))
    for number, letter in enumerate(inspection.letters):
        over_time[number] = letter.connectivity / (letter.connectivity.max() or 1)
        size = np.abs(np.pad(letter.gradient, ((span, span), (0, rows * BANDS_TOGETHER - bands))))
        middle = letter.frame * ratio
        around = size[middle : middle + 2 * span + 1].T.reshape(rows, BANDS_TOGETHER, -1).mean(axis=1)
        pictures[number, :, : around.shape[1]] = around / (around.max() or 1)
    store.put("over_time", over_time, 0.0, 1.0, FINE_STEPS)
    store.put("pictures", pictures, 0.0, 1.0)


def _behaviour(inspection: Inspection, layer: int, side: int) -> dict[str, Any]:
    behaviour = inspection.behaviours[layer][side]
    largest = _largest_state(inspection.trace.cells[layer][side].state)
    return {
        "memory": [round(value) for value in behaviour.memory_ms.tolist()],
        "means": {name: _short(values) for name, values in behaviour.means.items()},
        "loudness": {name: _short(values) for name, values in behaviour.loudness.items()},
        "what": behaviour.words,
        "largest": rounded(largest),
    }


def _largest_state(state: np.ndarray) -> np.ndarray:
    """Of each cell. Shape: (T, H) -> (H,)"""
    return np.maximum(np.abs(state).max(axis=0), 1e-6)


def _short(values: np.ndarray) -> list[float]:
    return np.round(values, 2).tolist()


def _layers(inspection: Inspection) -> range:
    return range(len(inspection.behaviours))


def _span(inspection: Inspection) -> int:
    return round(SPAN_S / inspection.feature_shift_s)
