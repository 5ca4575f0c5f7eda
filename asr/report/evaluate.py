"""Evaluate a model on corpora, and build the report."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asr.data.manifest import Utterance
from asr.decoding.decoder import Decoder
from asr.errors import DataError
from asr.evaluation.corpora import Corpus
from asr.evaluation.readable import ReadableScore, check, score_readable
from asr.evaluation.recognition import Unusable, reader, recognise, score_transcripts
from asr.models.description import AcousticDescription
from asr.models.session import LogProbModel
from asr.parallel import cores
from asr.progress import Progress, silent
from asr.readable.writing import Writing
from asr.report import recognised
from asr.report.document import Document, origin
from asr.report.media import Gallery, gallery
from asr.scoring.alignment import Rule
from asr.scoring.wer import Score
from asr.transcript.transcript import Transcript
from asr.transcription import windows

FACTS = (
    "name",
    "about",
    "licence",
    "parameters",
    "precision",
    "sample_rate",
    "frame_shift_s",
    "made_with",
    "created",
)
"""Fields of the model's description in the report."""


@dataclass(frozen=True)
class Evaluated:
    """The transcripts of corpora by a model, and their score."""

    corpora: Sequence[Corpus]
    transcripts: Sequence[Transcript]
    """One per utterance of the corpora, in the same order."""
    score: Score
    elapsed_s: float
    """Wall time of the recognition."""
    description: AcousticDescription
    """The description of the model."""
    decoding: str
    """Description of the decoding."""
    readable: ReadableScore | None
    """Of the text as `asr transcribe` writes it, if it was asked for."""
    unusable: Mapping[str, str]
    """Id of each utterance that was left out, because its audio cannot be read -> why, as a sentence."""

    @property
    def utterances(self) -> list[Utterance]:
        """The utterances of all corpora."""
        return [utterance for corpus in self.corpora for utterance in corpus.utterances]

    @property
    def duration_s(self) -> float:
        """Total duration of the utterances."""
        return sum(utterance.duration for utterance in self.utterances)


def evaluate(
    model: LogProbModel,
    corpora: Sequence[Corpus],
    decoder: Decoder | None = None,
    *,
    rule: Rule = "fewest",
    writing: Writing | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> Evaluated:
    """Transcribe corpora and score the transcripts; greedy decoding without a decoder.

    Utterances that cannot be read are left out of the result, which names them. With `writing`, readable text is
    scored, too.

    Raises:
        DataError: no utterance can be read, or the references of readable text are words alone.
    """
    decoder = decoder or Decoder()
    utterances = [utterance for corpus in corpora for utterance in corpus.utterances]
    if writing is not None:
        check([utterance.text for utterance in utterances])
    started = time.monotonic()
    failed: Unusable = {}
    transcripts = recognise(model, utterances, decoder, progress=progress, threads=threads, unusable=failed)
    elapsed_s = time.monotonic() - started
    unusable = {utterances[index].id: failed[index] for index in sorted(failed)}
    if len(unusable) == len(utterances):
        raise DataError(f"None of the utterances can be read. The first: {next(iter(unusable.values()))}")
    usable = [[u for u in corpus.utterances if u.id not in unusable] for corpus in corpora]
    corpora = [replace(corpus, utterances=tuple(kept)) for corpus, kept in zip(corpora, usable, strict=True) if kept]
    utterances = [utterance for corpus in corpora for utterance in corpus.utterances]
    score = score_transcripts(model.description, utterances, transcripts, rule)
    readable = None if writing is None else _score_readable(writing, utterances, transcripts)
    return Evaluated(corpora, transcripts, score, elapsed_s, model.description, decoder.about, readable, unusable)


def _score_readable(
    writing: Writing, utterances: Sequence[Utterance], transcripts: Sequence[Transcript]
) -> ReadableScore:
    return score_readable(
        [utterance.text for utterance in utterances],
        [" ".join(word.text for word in writing.write(transcript.words)) for transcript in transcripts],
        ids=[utterance.id for utterance in utterances],
        speakers=[utterance.speaker for utterance in utterances],
    )


def report(evaluated: Evaluated, *, given: str, command: str) -> Document:
    """Build the report described in `asr.report.document`.

    Args:
        evaluated: the result of the evaluation.
        given: the model as named by the user.
        command: the command that reproduces the numbers.
    """
    description = evaluated.description
    model: dict[str, Any] = {"given": given} | {name: getattr(description, name) for name in FACTS}
    return recognised.build(
        evaluated.corpora,
        evaluated.transcripts,
        evaluated.score,
        alphabet=description.tokenizer.alphabet,
        model=model,
        decoding=evaluated.decoding,
        elapsed_s=evaluated.elapsed_s,
        cores=cores(),
        readable=evaluated.readable,
        origin=origin(command),
    )


def media(
    model: LogProbModel,
    evaluated: Evaluated,
    count: int,
    progress: Progress = silent,
) -> Gallery:
    """Audio and pictures of the `count` utterances with the most errors; runs the model on them again."""
    utterances, description = evaluated.utterances, model.description
    read = reader(description.sample_rate)
    return gallery(
        evaluated.score,
        count,
        durations_s=[utterance.duration for utterance in utterances],
        read=lambda place: read(utterances[place]),
        log_probs=lambda waveform: windows.log_probs(model, waveform),
        tokenizer=description.tokenizer,
        sample_rate=description.sample_rate,
        frame_shift_s=description.frame_shift_s,
        progress=progress,
    )
