"""index.html: one file with its data, style and script in it, which opens from disk without a network."""

import base64
from typing import Any

from asr.data.traits import TRAITS
from asr.pages.assemble import assemble
from asr.report.document import Document
from asr.report.media import MAX_SOUND_S, Gallery, Media
from asr.scoring.alignment import RULES

NO_WORD = 0
"""What stands for no word in the page's short form of an alignment."""


def write(document: Document, gallery: Gallery) -> str:
    """The whole page."""
    corpora = " and ".join(corpus["name"] for corpus in document["corpora"])
    data = {
        **document,
        "rule_name": RULES[document["rule"]],
        "utterances": _short(document),
        "media": {
            "count": gallery.count,
            "max_s": MAX_SOUND_S,
            "ticks": gallery.ticks,
            "no_picture": gallery.no_picture,
        },
    }
    media = {place: _media(each) for place, each in gallery.media.items()}
    return assemble("report", f"{document['model']['name']} on {corpora}", {"data": data, "media": media})


def short_pairs(pairs: list[list[str | None]]) -> list[Any]:
    """A hit as its word, anything else as said and recognised: 5,000 utterances become a third as long."""
    return [
        said if kind == "hit" else [NO_WORD if said is None else said, NO_WORD if heard is None else heard]
        for kind, said, heard in pairs
    ]


def _short(document: Document) -> list[list[Any]]:
    """Utterances as report.js reads them: by place, times in milliseconds, confidence in percent."""
    places = {corpus["name"]: place for place, corpus in enumerate(document["corpora"])}
    return [
        [
            utterance["id"],
            places[utterance["corpus"]],
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
        "sound": base64.b64encode(media.sound).decode(),
        "spectrogram": None if media.spectrogram is None else base64.b64encode(media.spectrogram).decode(),
        "posteriors": {
            "frame_shift_s": posteriors.frame_shift_s,
            "blank": posteriors.blank,
            "tokens": [[text, [number for pair in pairs for number in pair]] for text, pairs in posteriors.tokens],
        },
    }
