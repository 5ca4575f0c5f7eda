"""The lines of a shard's output: a JSON object per recording, with its transcript or the reason why there is none.

{"name": "calls/1", "text": "hello", "duration_s": 1.2, "source": "/data/calls/1.wav", ..., "words": [...]}
{"name": "calls/2", "source": "/data/calls/2.wav", "error": "'/data/calls/2.wav' does not exist: ..."}
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asr.bulk.recordings import Recording
from asr.errors import AsrError
from asr.transcript.formats import json_fields
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

Line = dict[str, Any]


def to_line(recording: Recording, result: Transcript | AsrError) -> bytes:
    """The line of a recording. Times are in seconds with 3 decimals, confidences have 4."""
    fields: Line = {"name": recording.name}
    if isinstance(result, AsrError):
        fields |= {"source": recording.source, "error": str(result)}
    else:
        fields |= json_fields(result)
    line = json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n"
    return line.encode(errors="backslashreplace")  # the bytes of a name that is not UTF-8, as JSON writes them


def parse(content: bytes) -> Iterator[Line]:
    """The lines of an output."""
    return map(json.loads, content.splitlines())


def transcript(line: Line) -> Transcript:
    """The transcript of a line that has one."""
    words = [_word(fields) for fields in line["words"]]
    ends, count = set[int](), 0
    for sentence in line.get("sentences", ()):
        count += len(sentence["text"].split())
        ends.add(count - 1)
    words = [
        Word(word.text, word.start_s, word.end_s, word.confidence, word.channel, number in ends, word.spoken)
        for number, word in enumerate(words)
    ]
    return Transcript(tuple(words), line["duration_s"], line["source"], line["model"])


def _word(fields: Mapping[str, Any]) -> Word:
    spoken: Sequence[Mapping[str, Any]] = fields.get("spoken", ())
    return Word(
        fields["text"],
        fields["start_s"],
        fields["end_s"],
        fields["confidence"],
        fields.get("channel"),
        spoken=tuple(map(_word, spoken)),
    )
