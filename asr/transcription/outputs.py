"""Write transcripts to an output folder that mirrors the folders of the recordings.

While a recording is transcribed, what was recognised so far is in files named `NAME.partial.FORMAT`, each whole at any
moment; the finished files replace them. So an interrupted run loses nothing, and nothing unfinished looks finished.
"""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.files import remove_orphans
from asr.transcript.formats import EXTENSIONS
from asr.transcript.subtitles import STANDARD, Layout
from asr.transcript.transcript import Transcript, write
from asr.transcript.words import Word
from asr.transcription.inputs import Input

SHARE = 0.05
"""Largest share of the time that is spent on writing unfinished files."""
PAUSE_S = 1.0
"""Shortest time between two writes of an unfinished file."""


def targets(recording: Input, output_dir: Path, formats: Sequence[str], *, partial: bool = False) -> dict[str, Path]:
    """Map each format to its output file, or to that of an unfinished transcript."""
    name = recording.name + (".partial" if partial else "")
    return {format_: output_dir / f"{name}.{EXTENSIONS[format_]}" for format_ in formats}


def is_done(recording: Input, output_dir: Path, formats: Sequence[str]) -> bool:
    """Check that all output files exist and none is empty or older than the recording."""
    try:
        changed = Path(recording.source).stat().st_mtime
        statuses = [target.stat() for target in targets(recording, output_dir, formats).values()]
    except OSError:
        return False
    return all(status.st_size and status.st_mtime >= changed for status in statuses)


def clean(done: Collection[Input], pending: Collection[Input], output_dir: Path) -> None:
    """Delete what a killed run has left: temporary files, and unfinished transcripts of recordings that are done."""
    for recording in done:
        _remove_unfinished(recording, output_dir)
    for folder in {(output_dir / recording.name).parent for recording in (*done, *pending)}:
        remove_orphans(folder)


def _remove_unfinished(recording: Input, output_dir: Path) -> None:
    """Delete the unfinished transcripts of a recording, in all formats."""
    for target in targets(recording, output_dir, tuple(EXTENSIONS), partial=True).values():
        target.unlink(missing_ok=True)


class Outputs:
    """The output files of one recording, which grow as words are recognised."""

    def __init__(
        self, recording: Input, output_dir: Path, formats: Sequence[str], model: str, layout: Layout = STANDARD
    ) -> None:
        self.recording, self.output_dir, self.model, self.layout = recording, output_dir, model, layout
        self.finished = targets(recording, output_dir, formats)
        self.unfinished = targets(recording, output_dir, formats, partial=True)
        self._words: list[Word] = []
        self._next_write = time.monotonic() + PAUSE_S

    def add(self, words: Sequence[Word], done_s: float) -> None:
        """Add words to the unfinished files, which are written now and then. Raises AsrError if they cannot be."""
        self._words += words
        started = time.monotonic()
        if words and started >= self._next_write:
            self._write(Transcript(tuple(self._words), done_s, self.recording.source, self.model), self.unfinished)
            took_s = time.monotonic() - started
            self._next_write = time.monotonic() + max(PAUSE_S, took_s / SHARE)

    def finish(self, transcript: Transcript) -> list[Path]:
        """Write the finished files and remove the unfinished ones. Raises AsrError if a file cannot be written."""
        self._write(transcript, self.finished)
        _remove_unfinished(self.recording, self.output_dir)
        return list(self.finished.values())

    def stop(self, done_s: float) -> list[Path]:
        """Write what was recognised until an error; nothing if there is nothing. Returns the unfinished files."""
        if not self._words:
            _remove_unfinished(self.recording, self.output_dir)
            return []
        self._write(Transcript(tuple(self._words), done_s, self.recording.source, self.model), self.unfinished)
        return list(self.unfinished.values())

    def _write(self, transcript: Transcript, files: dict[str, Path]) -> None:
        for format_, target in files.items():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise AsrError(f"Cannot create the folder '{target.parent}': {error.strerror}.") from error
            write(transcript, target, format_, self.layout)
