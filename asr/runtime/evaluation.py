"""A model on a manifest: the same code for an exported file, a checkpoint, and the dev part after each epoch."""

from collections.abc import Callable, Sequence

import numpy as np

from asr import audio
from asr.data.manifest import Utterance
from asr.decoding.greedy import greedy
from asr.decoding.words import to_words
from asr.runtime import windows
from asr.runtime.session import LogProbModel
from asr.scoring.alignment import Rule
from asr.scoring.wer import Score, score
from asr.transcript import Transcript

BATCH = 8
"""Utterances of like duration heard together."""

Read = Callable[[Utterance], np.ndarray]
"""Gives an utterance's waveform at the model's rate. Shape: -> (S,)"""
Progress = Callable[[Utterance], None]
"""Is told of each utterance when it is done."""


def evaluate(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    *,
    read: Read | None = None,
    progress: Progress = lambda utterance: None,
) -> Score:
    """Transcribe the utterances greedily and score them; references are normalised to the model's alphabet.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file).
    """
    return score_transcripts(model, utterances, recognise(model, utterances, read=read, progress=progress))


def recognise(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    *,
    read: Read | None = None,
    progress: Progress = lambda utterance: None,
) -> list[Transcript]:
    """The greedy transcript of each utterance, in their order.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file).
    """
    description = model.description
    read = read or reader(description.sample_rate)
    transcripts: dict[int, Transcript] = {}
    longest_first = sorted(range(len(utterances)), key=lambda index: -utterances[index].duration)
    for first in range(0, len(utterances), BATCH):
        batch = longest_first[first : first + BATCH]
        waveforms = [read(utterances[index]) for index in batch]
        log_probs = windows.batch_log_probs(model, waveforms)
        for index, waveform, rows in zip(batch, waveforms, log_probs, strict=True):
            duration_s = len(waveform) / description.sample_rate
            words = to_words(greedy(rows), description.tokenizer, description.frame_shift_s, duration_s)
            transcripts[index] = Transcript(words, duration_s, model=description.name)
            progress(utterances[index])
    return [transcripts[index] for index in range(len(utterances))]


def score_transcripts(
    model: LogProbModel, utterances: Sequence[Utterance], transcripts: Sequence[Transcript], rule: Rule = "fewest"
) -> Score:
    """The score of transcripts against their utterances' texts, normalised to the model's alphabet."""
    normalise = model.description.tokenizer.normalise
    return score(
        [normalise(utterance.text) for utterance in utterances],
        [transcript.text for transcript in transcripts],
        ids=[utterance.id for utterance in utterances],
        speakers=[utterance.speaker for utterance in utterances],
        rule=rule,
    )


def reader(sample_rate: int) -> Read:
    """A function that reads an utterance's stretch of its file."""
    return lambda utterance: audio.load(
        utterance.audio_filepath, sample_rate, offset_s=utterance.offset, duration_s=utterance.duration
    )
