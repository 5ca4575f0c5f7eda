"""Align a known text to a recording: find when each word is spoken."""

import math
from collections.abc import Sequence

import numpy as np

from asr.decoding.forced_alignment import align
from asr.decoding.tokens_to_words import to_words
from asr.decoding.word_boundaries import widen
from asr.errors import DataError
from asr.models.session import LogProbModel
from asr.text import Tokenizer
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import windows


def align_text(
    model: LogProbModel,
    waveform: np.ndarray,
    lines: Sequence[str],
    *,
    text: str = "the text",
    source: str | None = None,
) -> Transcript:
    """Find when each word of a text is spoken; words keep their spelling, including attached punctuation.

    Shape: waveform (S,), float32 samples at the model's sample rate

    Args:
        model: acoustic model whose log-probs are aligned.
        waveform: the recording.
        lines: lines of the text.
        text: name of the text in messages.
        source: source of the recording, stored in the transcript.

    Raises:
        DataError: a word contains characters outside the model's alphabet, there are no words, or the recording is too
            short for them.
    """
    description = model.description
    written, normalised = [], []
    for number, line in enumerate(lines, start=1):
        for word in line.split():
            if letters := _normalise(word, description.tokenizer, f"{text}, line {number}"):
                written.append(word)
                normalised.append(letters)
    if not normalised:
        raise DataError(f"{text} contains no words: give the text that is spoken in the recording.")
    duration_s = len(waveform) / description.sample_rate
    tokens = align(windows.log_probs(model, waveform), description.tokenizer.encode(" ".join(normalised)))
    aligned = to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s)
    times = widen([(word.start_s, word.end_s) for word in aligned], waveform, description.sample_rate)
    words, first = [], 0
    for word, letters in zip(written, normalised, strict=True):
        last = first + len(letters.split())
        confidence = math.prod(part.confidence for part in aligned[first:last]) ** (1 / (last - first))
        words.append(Word(word, times[first][0], times[last - 1][1], confidence))
        first = last
    return Transcript(tuple(words), duration_s, source, description.name)


def _normalise(word: str, tokenizer: Tokenizer, where: str) -> str:
    """Normalise a word: a hyphenated one becomes several words, punctuation alone becomes an empty string."""
    letters = tokenizer.normalise(word)
    foreign = sorted(set(letters) - set(tokenizer.alphabet))
    if foreign:
        named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in foreign)
        raise DataError(
            f"{where}: the word {word!r} contains {named}, outside the model's alphabet {tokenizer.alphabet!r}: "
            "write it as it is spoken."
        )
    return letters
