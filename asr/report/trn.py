"""NIST's trn format for sclite: one line per utterance, its text followed by its id in parentheses."""

import re

from asr.report.document import Document
from asr.scoring.texts import speaker_of


def write(document: Document) -> tuple[str, str]:
    """Build the contents of the two files: references and hypotheses.

    sclite takes the part of an id before the first `-` or, without one, the first `_` as the speaker; if this is not
    the speaker, the speaker is prepended to the id. White space and parentheses, which would end an id, become `.`, and
    so do `-` and `_` in the name of a speaker.
    """
    ids = [_id(utterance["speaker"], utterance["id"]) for utterance in document["utterances"]]
    reference, hypothesis = (
        "".join(f"{u[side]} ({id_})\n" for id_, u in zip(ids, document["utterances"], strict=True))
        for side in ("reference", "hypothesis")
    )
    return reference, hypothesis


def _id(speaker: str | None, name: str) -> str:
    name = re.sub(r"[\s()]", ".", name)
    if speaker is None:
        return name
    speaker = re.sub(r"[\s()_-]", ".", speaker)
    return name if speaker_of(name) == speaker else f"{speaker}-{name}"
