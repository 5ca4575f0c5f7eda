"""The transcript of one recording: its words, and what can be made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from asr.errors import AsrError
from asr.files import replacing
from asr.transcript.formats import FORMATS
from asr.transcript.words import Word, phrases


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording, where it came from, and what recognised it.

    The words are in order of time; of several channels, those of each channel are, standing in turns (see `merged`).
    """

    words: tuple[Word, ...]
    duration_s: float
    source: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """The words joined by one space."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float | None:
        """The mean of the words' confidence; None when there are no words."""
        if not self.words:
            return None
        return sum(word.confidence for word in self.words) / len(self.words)

    def to(self, format: str) -> str:
        """The whole text of a file in one of `FORMATS`; any other name raises `AsrError`."""
        if format not in FORMATS:
            raise AsrError(f"Unknown transcript format {format!r}: choose one of {', '.join(FORMATS)}.")
        return FORMATS[format](self)


def merged(transcripts: Sequence[Transcript]) -> Transcript:
    """Put the transcripts of the channels 1, 2, ... of one recording together, each word with its channel.

    Each channel is cut into phrases at pauses of `PAUSE_MS`, and the phrases stand in order of their starts, the lower
    channel first if two start together: people who talk at the same time are not mixed word by word. Within a channel,
    the words stay in order of time. It lasts as long as the longest; `source` and `model` are those of the first.
    """
    found = [
        [replace(word, channel=channel) for word in phrase]
        for channel, transcript in enumerate(transcripts, start=1)
        for phrase in phrases(transcript.words)
    ]
    found.sort(key=lambda phrase: phrase[0].start_s)
    duration_s = max(transcript.duration_s for transcript in transcripts)
    return Transcript(tuple(chain.from_iterable(found)), duration_s, transcripts[0].source, transcripts[0].model)


def write(transcript: Transcript, path: str | Path, format: str) -> None:
    """Write a file in one of `FORMATS`; whoever looks sees the old file or the whole new one, never a part.

    Raises `AsrError` when the format is unknown or the file cannot be written.
    """
    path = Path(path)
    content = transcript.to(format).encode(errors="replace")
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise AsrError(f"Cannot write {path}: {error.strerror}.") from error
