"""Align a known text to a recording: find when each word is spoken."""

import math
import unicodedata
from collections.abc import Sequence

import numpy as np

from asr.decoding.forced_alignment import align_words
from asr.decoding.tokens_to_words import to_words
from asr.decoding.word_boundaries import widen
from asr.errors import DataError
from asr.models.session import LogProbModel
from asr.text import Tokenizer
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word, ends_sentence
from asr.transcription import windows

MOST_NAMED = 20
"""Number of words that an error names."""


SURE = 0.05
"""Confidence of a word that was probably spoken."""
LEAST_FOUND = 0.4
"""A smaller `found_share` shows that the text is not what is spoken (`scripts/foreign_speech.py`)."""


def found_share(words: Sequence[Word]) -> float:
    """Compute the share of the text, in letters, that was found with a confidence of more than `SURE`."""
    total = sum(len(word.text) for word in words)
    return sum(len(word.text) for word in words if word.confidence > SURE) / total if total else 1.0


def align_text(
    model: LogProbModel,
    waveform: np.ndarray,
    lines: Sequence[str],
    *,
    text: str = "the text",
    source: str | None = None,
) -> Transcript:
    """Find when each word of a text is spoken; words keep their spelling, including attached punctuation.

    The recording may contain speech and other sounds that are not in the text. A word that is not in the recording gets
    no time of its own, and the confidence 0.

    Shape: waveform (S,), float32 samples at the model's sample rate

    Args:
        model: acoustic model whose log-probs are aligned.
        waveform: the recording.
        lines: lines of the text.
        text: name of the text in messages.
        source: source of the recording, stored in the transcript.

    Raises:
        DataError: words contain characters outside the model's alphabet, there are no words, or the recording is too
            short for them.
    """
    description = model.description
    words, breaks = _words(lines)
    normalised = _normalised(words, description.tokenizer, text)
    kept = [index for index, letters in enumerate(normalised) if letters]
    if not kept:
        raise DataError(f"{text} contains no words: give the text that is spoken in the recording.")
    duration_s = len(waveform) / description.sample_rate
    tokens = description.tokenizer.encode(" ".join(normalised[index] for index in kept))
    spans = description.tokenizer.words(tokens)
    log_probs = windows.log_probs(model, waveform)[:, : description.tokenizer.size]
    aligned = to_words(
        align_words(log_probs, tokens, spans),
        description.tokenizer,
        description.frame_shift_s,
        duration_s,
    )
    found = [word for word in aligned if word.confidence]
    times = iter(widen([(word.start_s, word.end_s) for word in found], waveform, description.sample_rate))
    # A word that was not found is put where the one before it ends.
    end_s, widened = 0.0, list[tuple[float, float]]()
    for word in aligned:
        widened.append(next(times) if word.confidence else (end_s, end_s))
        end_s = widened[-1][1]
    result, first = [], 0
    for position, index in enumerate(kept):
        last = first + len(normalised[index].split())
        confidence = math.prod(part.confidence for part in aligned[first:last]) ** (1 / (last - first))
        following = kept[position + 1] if position + 1 < len(kept) else len(words)
        ends = any(breaks[index:following])
        result.append(Word(words[index][0], widened[first][0], widened[last - 1][1], confidence, ends_sentence=ends))
        first = last
    return Transcript(tuple(result), duration_s, source, description.name)


def _words(lines: Sequence[str]) -> tuple[list[tuple[str, int]], list[bool]]:
    """Split lines into words, each with the number of its line, and tell which end a line or sentence."""
    words, breaks = list[tuple[str, int]](), list[bool]()
    for number, line in enumerate(lines, start=1):
        for word in line.split():
            words.append((word, number))
            breaks.append(ends_sentence(word))
        if breaks:
            breaks[-1] = True
    return words, breaks


def _normalised(words: Sequence[tuple[str, int]], tokenizer: Tokenizer, text: str) -> list[str]:
    """Normalise words: a hyphenated one becomes several words, punctuation alone becomes an empty string.

    Raises:
        DataError: some contain characters outside the alphabet; all of them are named.
    """
    letters = [tokenizer.normalise(word) for word, _ in words]
    foreign = [index for index, word in enumerate(letters) if set(word) - set(tokenizer.alphabet)]
    if foreign:
        named = ", ".join(f"{words[index][0]!r} (line {words[index][1]})" for index in foreign[:MOST_NAMED])
        rest = f" and {len(foreign) - MOST_NAMED:,} more" if len(foreign) > MOST_NAMED else ""
        characters = sorted({character for index in foreign for character in letters[index]} - set(tokenizer.alphabet))
        raise DataError(
            f"{text} has {len(foreign):,} {'word' if len(foreign) == 1 else 'words'} with characters outside the "
            "model's "
            f"alphabet ({', '.join(map(repr, characters[:MOST_NAMED]))}): {named}{rest}; {_remedy(characters)}."
        )
    return letters


def _remedy(characters: Sequence[str]) -> str:
    """What to do about characters outside the alphabet."""
    remedies = []
    if any(character.isdigit() for character in characters):
        remedies.append("write numbers as they are spoken, such as nineteen eighty four for 1984")
    if any(unicodedata.decomposition(character) for character in characters):
        remedies.append("write letters without their accents, such as cafe for caf\u00e9")
    return " and ".join(remedies) or "write them as they are spoken"
