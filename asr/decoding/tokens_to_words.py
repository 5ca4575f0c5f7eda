"""Groups tokens, timed in frames, into words, timed in seconds."""

import math
from collections.abc import Sequence

from asr.decoding.protocol import Token
from asr.text import Tokenizer
from asr.transcript.words import Word

PHONE_FRAMES = 2
"""About how many frames a phone lasts. Between dev parts of recipes/english and foreign speech 2 and 3 are level, and 1
is worse."""


def to_words(
    tokens: Sequence[Token], tokenizer: Tokenizer, frame_shift_s: float, duration_s: float
) -> tuple[Word, ...]:
    """Group tokens into words.

    A word lasts from the first frame of its first token to the last frame of its last one, or to the end of the audio.
    CTC marks a token by a spike somewhere inside its sound, so these times lie inside the word as spoken. The
    confidence is the geometric mean of the tokens' probabilities, or, where several texts were ranked, that of it, of
    the probability of the texts with this word, and of how well the text fits the sound in the time of a phone.
    """
    numbers = [token.number for token in tokens]
    return tuple(
        Word(
            text=tokenizer.decode(numbers[first:last]),
            start_s=tokens[first].start * frame_shift_s,
            end_s=min(tokens[last - 1].end * frame_shift_s, duration_s),
            confidence=_confidence(tokens[first:last]),
        )
        for first, last in tokenizer.words(numbers)
    )


def _confidence(tokens: Sequence[Token]) -> float:
    spelled = math.exp(sum(token.log_prob for token in tokens) / len(tokens))
    agreement = tokens[0].agreement
    return spelled if agreement is None else (spelled * agreement * tokens[0].fit ** PHONE_FRAMES) ** (1 / 3)
