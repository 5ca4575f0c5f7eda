"""The report of a text against its reference, whatever program or person wrote it."""

from collections.abc import Mapping
from pathlib import Path

from asr.evaluation.readable import ReadableScore
from asr.report import document
from asr.report.document import Details, Document
from asr.scoring.texts import Normalisation, Texts
from asr.scoring.wer import Score


def build(
    given: Texts,
    score: Score,
    *,
    reference: Path,
    hypothesis: Path,
    normalisation: Normalisation,
    readable: ReadableScore | None = None,
    origin: Mapping[str, str],
) -> Document:
    """Build the report described in `asr.report.document`, without audio, times and confidence.

    Shape:
        given, score.utterances: the texts as they were read and their score, in the same order.
    """
    references = [utterance.reference for utterance in score.utterances]
    changed = sum(" ".join(text.split()) != scored for text, scored in zip(given.references, references, strict=True))
    return document.build(
        score,
        [Details(corpus=reference.name, text=text) for text in given.references],
        model={"name": hypothesis.name, "given": str(hypothesis)},
        decoding=None,
        normalisation={
            "name": normalisation.name,
            "description": normalisation.description,
            "alphabet": None,
            "changed": changed,
            "unwritable": {},
        },
        speed=None,
        calibration=None,
        readable=None if readable is None else readable.to_dict(),
        manifests={reference.name: str(reference)},
        origin=origin,
    )
