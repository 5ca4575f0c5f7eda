"""The numbers behind the page, for those who draw their own pictures."""

from typing import Any

import numpy as np

from asr.inspect.behaviour import Behaviour
from asr.inspect.inspection import Inspection
from asr.inspect.network import Cells

DIGITS = 4
"""Digits after the point, as the page cannot show more."""


def document(inspection: Inspection) -> dict[str, Any]:
    """Everything as objects of JSON. Arrays are nested lists, whose shapes `shapes` explains; times are in seconds."""
    network = inspection.network
    return {
        "shapes": {
            "spectrogram": "frame, band: normalised log-mel power",
            "feature_maps": "layer, map, frame, band",
            "layers": "layer -> direction -> gate, state or output: frame, cell",
            "posteriors": "frame, token",
            "letters.connectivity": "frame of the spectrogram",
        },
        **facts(inspection),
        "tokens": [inspection.token_text(token) for token in range(inspection.log_probs.shape[1])],
        "spectrogram": rounded(inspection.trace.features),
        "feature_maps": [rounded(maps) for maps in inspection.trace.maps],
        "layers": [
            {
                direction: {"cell": layer.directions[side].kind} | _cells(ran[side], behaviour[side])
                for side, direction in enumerate(("forward", "backward"))
            }
            for layer, ran, behaviour in zip(network.layers, inspection.trace.cells, inspection.behaviours, strict=True)
        ],
        "posteriors": rounded(np.exp(inspection.log_probs)),
        "letters": [
            {
                "text": letter.text,
                "token": letter.token,
                "time_s": rounded(inspection.centre_s + letter.frame * inspection.description.frame_shift_s),
                "probability": rounded(letter.probability),
                "connectivity": rounded(letter.connectivity),
            }
            for letter in inspection.letters
        ],
        "words": [
            {
                "text": word.text,
                "start_s": rounded(word.start_s),
                "end_s": rounded(word.end_s),
                "confidence": rounded(word.confidence),
            }
            for word in inspection.words
        ],
    }


def facts(inspection: Inspection) -> dict[str, Any]:
    """What the page and the document both say about model and recording."""
    description, network = inspection.description, inspection.network
    return {
        "model": {
            "name": description.name,
            "cell": network.layers[0].directions[0].kind,
            "layers": len(network.layers),
            "hidden": network.layers[0].directions[0].w_h.shape[1],
            "parameters": description.parameters,
            "precision": description.precision,
            "difference_from_onnxruntime": float(f"{inspection.difference:.3g}"),
        },
        "duration_s": inspection.duration_s,
        "sample_rate": description.sample_rate,
        "spectrogram_shift_s": inspection.feature_shift_s,
        "frame_shift_s": description.frame_shift_s,
        "first_centre_s": inspection.centre_s,
        "band_hz": rounded(band_hz(network.spectrum.bank, description.sample_rate)),
    }


def band_hz(bank: np.ndarray, sample_rate: int) -> np.ndarray:
    """The centre frequency of each mel band, from its triangle. Shape: (2 K, F) -> (F,)"""
    triangles = bank[: len(bank) // 2]
    hertz = np.linspace(0, sample_rate / 2, len(triangles))
    return hertz @ triangles / np.maximum(triangles.sum(axis=0), 1e-12)


def rounded(array: np.ndarray | float) -> Any:
    """Numbers for JSON."""
    return np.round(np.asarray(array, np.float64), DIGITS).tolist()


def _cells(cells: Cells, behaviour: Behaviour) -> dict[str, Any]:
    return {
        "gates": {name: rounded(values) for name, values in cells.gates.items()},
        "state": rounded(cells.state),
        "output": rounded(cells.output),
        "memory_ms": rounded(behaviour.memory_ms),
        "correlation_with_loudness": {name: rounded(values) for name, values in behaviour.loudness.items()},
        "what_it_does": behaviour.words,
    }
