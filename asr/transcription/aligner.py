"""A sound and the text that is spoken in it -> when each word is spoken."""

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
    """Find the words of a text in a sound; they keep their spelling, with what punctuation is attached to them.

    Shape: waveform (S,), float32 samples at the model's sample rate

    Args:
        model: its log-probs say what sounds where.
        waveform: the sound.
        lines: the text.
        text: what messages call it.
        source: what the transcript says of where the sound comes from.

    Raises:
        DataError: a word cannot be spoken in the letters of the model, there are no words, or they need more time than
            the sound lasts.
    """
    description = model.description
    written, spoken = [], []
    for number, line in enumerate(lines, start=1):
        for word in line.split():
            if letters := _spoken(word, description.tokenizer, f"{text}, line {number}"):
                written.append(word)
                spoken.append(letters)
    if not spoken:
        raise DataError(f"{text} holds no words: give the text that is spoken in the sound.")
    duration_s = len(waveform) / description.sample_rate
    tokens = align(windows.log_probs(model, waveform), description.tokenizer.encode(" ".join(spoken)))
    found = to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s)
    times = widen([(word.start_s, word.end_s) for word in found], waveform, description.sample_rate)
    words, first = [], 0
    for word, letters in zip(written, spoken, strict=True):
        last = first + len(letters.split())
        confidence = math.prod(part.confidence for part in found[first:last]) ** (1 / (last - first))
        words.append(Word(word, times[first][0], times[last - 1][1], confidence))
        first = last
    return Transcript(tuple(words), duration_s, source, description.name)


def _spoken(word: str, tokenizer: Tokenizer, where: str) -> str:
    """A word in the model's letters, several words where it has a hyphen, none where it is a sign alone."""
    letters = tokenizer.normalise(word)
    foreign = sorted(set(letters) - set(tokenizer.alphabet))
    if foreign:
        named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in foreign)
        raise DataError(
            f"{where}: the word {word!r} holds {named}, for which the model (alphabet {tokenizer.alphabet!r}) has no "
            "sound: write it as it is spoken."
        )
    return letters
