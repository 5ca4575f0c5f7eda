"""A model on a manifest: the same code for an exported file, a checkpoint, and the dev part after each epoch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from asr import audio
from asr.data.manifest import Utterance
from asr.decoding.decoder import Decoder
from asr.decoding.tokens_to_words import to_words
from asr.models.description import AcousticDescription
from asr.models.session import LogProbModel
from asr.parallel import map_ordered
from asr.progress import Progress, silent
from asr.scoring.alignment import Rule
from asr.scoring.wer import Score, score
from asr.transcript.transcript import Transcript
from asr.transcription import windows

BATCH = 8
"""Utterances of like duration heard together."""

Read = Callable[[Utterance], np.ndarray]
"""Gives an utterance's waveform at the model's rate. Shape: -> (S,)"""


def evaluate(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    *,
    read: Read | None = None,
    progress: Progress = silent,
) -> Score:
    """Transcribe the utterances greedily and score them; references are normalised to the model's alphabet.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file).
    """
    return score_transcripts(model.description, utterances, recognise(model, utterances, read=read, progress=progress))


def recognise(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    decoder: Decoder | None = None,
    *,
    read: Read | None = None,
    progress: Progress = silent,
    threads: int = 1,
) -> list[Transcript]:
    """The transcript of each utterance, in their order; greedy without a decoder.

    `threads` batches are heard at a time.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file).
    """
    decoder = decoder or Decoder()
    transcripts: dict[int, Transcript] = {}
    done_s, total_s = 0.0, sum(utterance.duration for utterance in utterances)
    for index, duration_s, rows in hear(model, utterances, read=read, threads=threads):
        transcripts[index] = decode(model.description, decoder, rows, duration_s)
        done_s += utterances[index].duration
        progress("transcribing", done_s, total_s)
    return [transcripts[index] for index in range(len(utterances))]


def decode(description: AcousticDescription, decoder: Decoder, log_probs: np.ndarray, duration_s: float) -> Transcript:
    """The transcript of one utterance from its log-probs. Shape: (T, V)"""
    tokens = decoder(log_probs, description.tokenizer)
    words = to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s)
    return Transcript(words, duration_s, model=description.name)


def hear(
    model: LogProbModel, utterances: Sequence[Utterance], *, read: Read | None = None, threads: int = 1
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield (index, duration in seconds, log-probs) of each utterance, the longest first. Shape of log-probs: (T, V)

    `threads` batches are heard at a time.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file).
    """
    sample_rate = model.description.sample_rate
    read = read or reader(sample_rate)
    longest_first = sorted(range(len(utterances)), key=lambda index: -utterances[index].duration)

    def one(batch: Sequence[int]) -> list[tuple[int, float, np.ndarray]]:
        waveforms = [read(utterances[index]) for index in batch]
        log_probs = windows.batch_log_probs(model, waveforms)
        durations_s = [len(waveform) / sample_rate for waveform in waveforms]
        return list(zip(batch, durations_s, log_probs, strict=True))

    batches = [longest_first[first : first + BATCH] for first in range(0, len(utterances), BATCH)]
    for found in map_ordered(one, batches, threads):
        yield from found


def score_transcripts(
    description: AcousticDescription,
    utterances: Sequence[Utterance],
    transcripts: Sequence[Transcript],
    rule: Rule = "fewest",
) -> Score:
    """The score of transcripts against their utterances' texts, normalised to the model's alphabet."""
    normalise = description.tokenizer.normalise
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
