"""The report of transcripts that a model made of corpora."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from asr.data.traits import TRAITS
from asr.evaluation.corpora import Corpus
from asr.evaluation.readable import ReadableScore
from asr.report import document
from asr.report.document import Details, Document
from asr.scoring.calibration import calibrate
from asr.scoring.wer import Score
from asr.transcript.transcript import Transcript

NORMALISATION = "nfkc-lower-alphabet"
"""The name of the normalisation by `asr.text.normalise`."""
DESCRIPTION = (
    "References: Unicode NFKC, lower case, typographic apostrophes become plain ones, single quotation marks are "
    "removed; punctuation and symbols outside "
    "the model's alphabet become spaces (apostrophes are removed), white space one space. Letters and digits outside "
    "the alphabet are kept and count as errors. Hypotheses: as the model outputs them."
)


def build(
    corpora: Sequence[Corpus],
    transcripts: Sequence[Transcript],
    score: Score,
    *,
    alphabet: str,
    model: Mapping[str, Any],
    decoding: str,
    elapsed_s: float,
    cores: int,
    readable: ReadableScore | None = None,
    origin: Mapping[str, str],
) -> Document:
    """Build the report described in `asr.report.document`.

    Shape:
        transcripts, score.utterances: one per utterance of the corpora, in the same order.
    """
    utterances = [utterance for corpus in corpora for utterance in corpus.utterances]
    names = [corpus.name for corpus in corpora for _ in corpus.utterances]
    duration_s = sum(utterance.duration for utterance in utterances)
    return document.build(
        score,
        [
            Details(
                corpus=name,
                text=utterance.text,
                duration_s=utterance.duration,
                traits={trait: getattr(utterance, trait) for trait in TRAITS},
                confidence=transcript.confidence,
                words=transcript.words,
            )
            for name, utterance, transcript in zip(names, utterances, transcripts, strict=True)
        ],
        model=model,
        decoding=decoding,
        normalisation=_normalisation([u.text for u in utterances], score, alphabet),
        speed={
            "duration_s": round(duration_s, 3),
            "elapsed_s": round(elapsed_s, 3),
            "real_time_factor": elapsed_s / duration_s,
            "cores": cores,
        },
        calibration=_calibration(score, transcripts),
        readable=None if readable is None else readable.to_dict(),
        manifests={corpus.name: str(corpus.path) for corpus in corpora},
        origin=origin,
    )


def _normalisation(texts: Sequence[str], score: Score, alphabet: str) -> dict[str, Any]:
    references = [utterance.reference for utterance in score.utterances]
    unwritable = Counter(character for text in references for character in set(text) - set(alphabet))
    return {
        "name": NORMALISATION,
        "description": DESCRIPTION,
        "alphabet": alphabet,
        "changed": sum(text != reference for text, reference in zip(texts, references, strict=True)),
        "unwritable": dict(sorted(unwritable.items())),
    }


def _calibration(score: Score, transcripts: Sequence[Transcript]) -> dict[str, Any] | None:
    """Calibration of the word confidence; a recognised word is correct if it is a hit in the alignment."""
    calibration = calibrate(
        [word.confidence for transcript in transcripts for word in transcript.words],
        [p.kind == "hit" for u in score.utterances for p in u.pairs if p.hypothesis is not None],
    )
    if calibration is None:
        return None
    bins = [asdict(bin_) | {"interval": list(bin_.interval)} for bin_ in calibration.bins]
    return asdict(calibration) | {"bins": bins}
