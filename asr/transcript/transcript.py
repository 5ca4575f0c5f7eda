"""The transcript of one recording, and how to merge and write transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from asr.errors import AsrError
from asr.files import replacing
from asr.transcript.formats import render
from asr.transcript.subtitles import STANDARD, Layout
from asr.transcript.words import Word, on_channel, phrases


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of one recording, with its source and the name of the model.

    The words are in order of time; with several channels, they are grouped into turns (see `merged`). In readable text
    they are written with punctuation, capitals and numbers in digits, and `spoken` has the words as recognised.
    """

    words: tuple[Word, ...]
    duration_s: float
    source: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """The words joined by spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def spoken(self) -> tuple[Word, ...]:
        """The words as they were recognised, in lower case without punctuation: those that scores are computed of."""
        return tuple(chain.from_iterable(word.spoken or (word,) for word in self.words))

    def __str__(self) -> str:
        return self.text

    @property
    def confidence(self) -> float | None:
        """Mean word confidence; None if there are no words."""
        if not self.words:
            return None
        return sum(word.confidence for word in self.words) / len(self.words)

    def to(self, format: str, layout: Layout = STANDARD) -> str:
        """Convert to the text of a file in one of `FORMATS`, subtitles with `layout`. Raises AsrError for others."""
        return render(self, format, layout)


def merged(transcripts: Sequence[Transcript]) -> Transcript:
    """Merge the transcripts of channels 1, 2, ... of one recording, labelling each word with its channel.

    Each channel is split into phrases at pauses of `PAUSE_MS`, and the phrases are sorted by start, then by channel, so
    that simultaneous speech is not interleaved word by word. Within a channel, the words stay in order of time. The
    duration is the maximum; `source` and `model` are those of the first transcript.
    """
    turns = [
        [on_channel(word, channel) for word in phrase]
        for channel, transcript in enumerate(transcripts, start=1)
        for phrase in phrases(transcript.words)
    ]
    turns.sort(key=lambda phrase: phrase[0].start_s)
    duration_s = max(transcript.duration_s for transcript in transcripts)
    return Transcript(tuple(chain.from_iterable(turns)), duration_s, transcripts[0].source, transcripts[0].model)


def write(transcript: Transcript, path: str | Path, format: str, layout: Layout = STANDARD) -> None:
    """Write a file in one of `FORMATS` atomically; `layout` is that of subtitles.

    It is never empty: without words it may be an empty line.

    Raises `AsrError` if the format is unknown or the file cannot be written.
    """
    path = Path(path)
    content = (render(transcript, format, layout, path.parent) or "\n").encode(errors="replace")
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise AsrError(f"Cannot write {path}: {error.strerror}.") from error
