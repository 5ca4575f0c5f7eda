"""The response formats of OpenAI's transcription interface."""

import math
import zlib
from collections.abc import Collection, Sequence
from typing import Any

from asr.transcript.formats import word_fields
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word, turns

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
"""Names of the formats."""
INCLUDE = ("logprobs", "words")
"""What the format `json` has if asked for; the second is an extension: words with times and confidence."""
MEDIA_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
"""Format -> type of its text; the others are JSON."""
LEAST_CONFIDENCE = 1e-6
"""Lower ones count as this much, so that every logarithm is finite."""


def text_of(transcript: Transcript, format: str) -> str:
    """A transcript in one of the formats that are text."""
    return transcript.text + "\n" if format == "text" else transcript.to(format)


def to_json(transcript: Transcript, include: Collection[str]) -> dict[str, Any]:
    """The format `json`, with what of `INCLUDE` is asked for."""
    result: dict[str, Any] = {"text": transcript.text, "usage": usage(transcript)}
    if "words" in include:
        result["duration_s"] = round(transcript.duration_s, 3)
    return result | included(transcript.words, include)


def included(words: Sequence[Word], include: Collection[str]) -> dict[str, Any]:
    """What of `INCLUDE` is asked for."""
    log_probs = {"logprobs": to_log_probs(words)} if "logprobs" in include else {}
    fields = {"words": [word_fields(word) | {"ends_sentence": word.ends_sentence} for word in words]}
    return log_probs | (fields if "words" in include else {})


def usage(transcript: Transcript) -> dict[str, Any]:
    """What was used: seconds of audio."""
    return {"type": "duration", "seconds": math.ceil(transcript.duration_s)}


def to_log_probs(words: Sequence[Word]) -> list[dict[str, Any]]:
    """The logarithm of the confidence of each word, which stands for a token."""
    texts = [(" " if number else "") + word.text for number, word in enumerate(words)]
    return [
        {"token": text, "bytes": list(text.encode()), "logprob": round(_log(word), 5)}
        for text, word in zip(texts, words, strict=True)
    ]


def to_verbose_json(transcript: Transcript, granularities: Sequence[str], language: str) -> dict[str, Any]:
    """The format `verbose_json`: segments, which are phrases, and words, as far as they are asked for."""
    result: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "usage": usage(transcript),
    }
    if "segment" in granularities:
        result["segments"] = [_segment(number, phrase) for number, phrase in enumerate(turns(transcript.words))]
    if "word" in granularities:
        result["words"] = [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)}
            for word in transcript.words
        ]
    return result


def _segment(number: int, phrase: Sequence[Word]) -> dict[str, Any]:
    text = " " + " ".join(word.text for word in phrase)
    content = text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": round(phrase[0].start_s, 3),
        "end": round(phrase[-1].end_s, 3),
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(map(_log, phrase)) / len(phrase), 5),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), 3),
        "no_speech_prob": 0.0,
    }


def _log(word: Word) -> float:
    return math.log(max(word.confidence, LEAST_CONFIDENCE))
