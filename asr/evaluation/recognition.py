"""Run a model on a manifest: shared by exported files, checkpoints, and the dev set after each epoch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from asr import audio
from asr.data.manifest import Utterance
from asr.decoding.decoder import Decoder
from asr.decoding.tokens_to_words import to_words
from asr.errors import AudioError
from asr.models.description import AcousticDescription
from asr.models.session import LogProbModel
from asr.parallel import map_ordered
from asr.progress import Progress, silent
from asr.scoring.alignment import Rule
from asr.scoring.wer import Score, score
from asr.transcript.transcript import Transcript
from asr.transcription import windows

BATCH = 8
"""Utterances of similar duration in one batch."""

Unusable = dict[int, str]
"""Index of each utterance that cannot be read -> why, as a sentence."""

Read = Callable[[Utterance], np.ndarray]
"""Reads the waveform of an utterance at the model's sample rate. Shape: -> (S,)"""


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
    unusable: Unusable | None = None,
) -> list[Transcript]:
    """Transcribe the utterances and return the transcripts in the same order; greedy without a decoder.

    `threads` batches run in parallel. Utterances that cannot be read are left out and put into `unusable` if given.

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file), and there is no `unusable`.
    """
    decoder = decoder or Decoder()
    transcripts: dict[int, Transcript] = {}
    done_s, total_s = 0.0, sum(utterance.duration for utterance in utterances)
    for index, duration_s, log_probs in compute_log_probs(
        model, utterances, read=read, threads=threads, unusable=unusable
    ):
        transcripts[index] = decode(model.description, decoder, log_probs, duration_s)
        done_s += utterances[index].duration
        progress("transcribing", done_s, total_s)
    return [transcripts[index] for index in sorted(transcripts)]


def decode(description: AcousticDescription, decoder: Decoder, log_probs: np.ndarray, duration_s: float) -> Transcript:
    """Decode the log-probs of one utterance into a transcript. Shape: log_probs (T, V)"""
    tokens = decoder(log_probs, description.tokenizer)
    words = to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s)
    return Transcript(words, duration_s, model=description.name)


def compute_log_probs(
    model: LogProbModel,
    utterances: Sequence[Utterance],
    *,
    read: Read | None = None,
    threads: int = 1,
    unusable: Unusable | None = None,
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield (index, duration in seconds, log-probs) of each utterance, the longest first.

    `threads` batches run in parallel. Utterances that cannot be read are left out and put into `unusable` if given.

    Shape:
        log-probs: (T, V)

    Raises:
        AudioError: an utterance cannot be read (`read`'s default reads its file), and there is no `unusable`.
    """
    sample_rate = model.description.sample_rate
    read = read or reader(sample_rate)
    longest_first = sorted(range(len(utterances)), key=lambda index: -utterances[index].duration)

    def run(batch: Sequence[int]) -> list[tuple[int, float, np.ndarray]]:
        waveforms: dict[int, np.ndarray] = {}
        for index in batch:
            try:
                waveforms[index] = read(utterances[index])
            except AudioError as error:
                if unusable is None:
                    raise
                unusable[index] = str(error)
        log_probs = windows.batch_log_probs(model, list(waveforms.values()))
        durations_s = [len(waveform) / sample_rate for waveform in waveforms.values()]
        return list(zip(waveforms, durations_s, log_probs, strict=True))

    batches = [longest_first[first : first + BATCH] for first in range(0, len(utterances), BATCH)]
    for results in map_ordered(run, batches, threads):
        yield from results


def score_transcripts(
    description: AcousticDescription,
    utterances: Sequence[Utterance],
    transcripts: Sequence[Transcript],
    rule: Rule = "fewest",
) -> Score:
    """Score transcripts against the texts of their utterances, normalised to the model's alphabet."""
    normalise = description.tokenizer.normalise
    return score(
        [normalise(utterance.text) for utterance in utterances],
        [transcript.text for transcript in transcripts],
        ids=[utterance.id for utterance in utterances],
        speakers=[utterance.speaker for utterance in utterances],
        rule=rule,
    )


def reader(sample_rate: int) -> Read:
    """Return a function that reads the audio of an utterance: its segment of the file."""
    return lambda utterance: audio.load(
        utterance.audio_filepath, sample_rate, offset_s=utterance.offset, duration_s=utterance.duration
    )
