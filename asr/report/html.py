"""index.html: one file that contains its data, style and script, and opens from disk without a network."""

import base64
from typing import Any

from asr.data.traits import TRAITS
from asr.pages.assemble import assemble
from asr.report.document import Document
from asr.report.media import MAX_AUDIO_S, Gallery, Media
from asr.scoring.alignment import RULES

NO_WORD = 0
"""Placeholder for a missing word in the compact form of an alignment."""


def write(document: Document, gallery: Gallery) -> str:
    """Build the page."""
    corpora = " and ".join(corpus["name"] for corpus in document["corpora"])
    data = {
        **document,
        "rule_name": RULES[document["rule"]],
        "utterances": _compact(document),
        "media": {
            "count": gallery.count,
            "max_s": MAX_AUDIO_S,
            "ticks": gallery.ticks,
            "no_picture": gallery.no_picture,
        },
    }
    media = {index: _media(item) for index, item in gallery.media.items()}
    return assemble("report", f"{document['model']['name']} on {corpora}", {"data": data, "media": media})


def short_pairs(pairs: list[list[str | None]]) -> list[Any]:
    """A compact alignment: a hit is its word, an error is [reference, hypothesis]; saves two thirds of the size."""
    return [
        reference if kind == "hit" else [NO_WORD if word is None else word for word in (reference, hypothesis)]
        for kind, reference, hypothesis in pairs
    ]


def _compact(document: Document) -> list[list[Any]]:
    """Utterances for report.js: corpora by index, times in milliseconds, confidence in percent."""
    indices = {corpus["name"]: index for index, corpus in enumerate(document["corpora"])}
    return [
        [
            utterance["id"],
            indices[utterance["corpus"]],
            utterance["speaker"],
            utterance["duration_s"],
            None if utterance["text"].lower() == utterance["reference"] else utterance["text"],
            short_pairs(utterance["pairs"]),
            [
                number
                for word in utterance["recognised"]
                for number in (
                    round(1000 * word["start_s"]),
                    round(1000 * word["end_s"]),
                    round(100 * word["confidence"], 1),
                )
            ],
            [utterance["characters"]["errors"], utterance["characters"]["reference"]],
            {trait: utterance[trait] for trait in TRAITS if utterance[trait] is not None},
        ]
        for utterance in document["utterances"]
    ]


def _media(media: Media) -> dict[str, Any]:
    posteriors = media.posteriors
    return {
        "audio": base64.b64encode(media.audio).decode(),
        "spectrogram": None if media.spectrogram is None else base64.b64encode(media.spectrogram).decode(),
        "posteriors": {
            "frame_shift_s": posteriors.frame_shift_s,
            "blank": posteriors.blank,
            "tokens": [[text, [number for pair in pairs for number in pair]] for text, pairs in posteriors.tokens],
        },
    }
