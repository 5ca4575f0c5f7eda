"""NIST's trn format, which sclite reads: the text and, in parentheses, the utterance's id, on one line."""

import re

from asr.report.document import Document
from asr.scoring.texts import speaker_of


def write(document: Document) -> tuple[str, str]:
    """The references and the hypotheses.

    sclite takes an id's part before the first `-` or, without one, the first `_` for the speaker, so that the speaker
    is put in front of the id where that part is another. White space and parentheses, which would end an id, become
    `.`, and so do `-` and `_` in a speaker's name.
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
