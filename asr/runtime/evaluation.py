"""A model on a manifest: the same code for an exported file, a checkpoint, and the dev part after each epoch."""

from collections.abc import Callable, Sequence

import numpy as np

from asr import audio
from asr.data.manifest import Utterance
from asr.decoding.greedy import greedy
from asr.runtime import windows
from asr.runtime.session import LogProbModel
from asr.scoring.wer import Score, score

BATCH = 8
"""Utterances of like duration heard together."""


def evaluate(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    *,
    read: Callable[[Utterance], np.ndarray] | None = None,
    progress: Callable[[Utterance], None] = lambda utterance: None,
) -> Score:
    """Transcribe the utterances greedily and score them; references are normalised to the model's alphabet.

    `read` gives an utterance's waveform at the model's rate (default: from its file); `progress` is told of each
    utterance when it is done.

    Raises:
        AudioError: an utterance cannot be read.
    """
    read = read or reader(model.description.sample_rate)
    tokenizer = model.description.tokenizer
    hypotheses = [""] * len(utterances)
    longest_first = sorted(range(len(utterances)), key=lambda index: -utterances[index].duration)
    for first in range(0, len(utterances), BATCH):
        batch = longest_first[first : first + BATCH]
        waveforms = [read(utterances[index]) for index in batch]
        for index, log_probs in zip(batch, windows.batch_log_probs(model, waveforms), strict=True):
            text = tokenizer.decode(token.number for token in greedy(log_probs))
            hypotheses[index] = " ".join(text.split())
            progress(utterances[index])
    return score(
        [tokenizer.normalise(u.text) for u in utterances],
        hypotheses,
        ids=[u.id for u in utterances],
        speakers=[u.speaker for u in utterances],
    )


def reader(sample_rate: int) -> Callable[[Utterance], np.ndarray]:
    """A function that reads an utterance's stretch of its file. Shape: -> (S,)"""
    return lambda utterance: audio.load(
        utterance.audio_filepath, sample_rate, offset_s=utterance.offset, duration_s=utterance.duration
    )
