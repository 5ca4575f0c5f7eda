"""What `asr transcribe` does with transcripts: print them, phrase by phrase, or write them to files."""

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.cli.progress import Bar
from asr.errors import AsrError, message_of, printable

if TYPE_CHECKING:
    from asr.transcript.subtitles import Layout
    from asr.transcript.transcript import Transcript
    from asr.transcript.words import Word
    from asr.transcription.inputs import Input
    from asr.transcription.outputs import Outputs

DIM_BELOW = 0.5
"""Words of a lower confidence are dimmed on a terminal with colours."""


class _Sink(ABC):
    """Takes words and transcripts, counts what was done, and reports errors."""

    def __init__(self, shown: Bar, recordings: Sequence["Input"]) -> None:
        self.shown, self.recordings = shown, recordings
        self.model = ""
        """Name of the model, which is known once it is loaded."""
        self.min_confidence = 0.0
        """Words of a lower mean confidence were dropped; reported if none was left."""
        self.done = self.failed = 0
        self.transcribed_s, self._started = 0.0, time.monotonic()

    def run(self, results: "Iterable[tuple[int, Transcript | AsrError]]") -> None:
        """Take all results; if interrupted, keep what there is."""
        try:
            for index, result in results:
                self.finish(index, result)
        except BaseException:
            self.interrupt()
            raise

    @abstractmethod
    def add(self, index: int, words: Sequence["Word"], done_s: float) -> None:
        """Take the next words of a recording, and the seconds transcribed of it so far."""

    @abstractmethod
    def finish(self, index: int, result: "Transcript | AsrError") -> None:
        """Take the transcript of a recording, or the reason why there is none."""

    @abstractmethod
    def interrupt(self) -> None:
        """Keep what was recognised so far."""

    def name(self, index: int) -> str:
        """The recording's name for messages."""
        return printable(click.format_filename(self.recordings[index].source))

    def fail(self, error: AsrError) -> None:
        """Report an error."""
        self.failed += 1
        self.shown.print(f"Error: {message_of(error)}\n", err=True)

    def count(self, index: int, transcript: "Transcript") -> None:
        """Count a finished transcript, and say why one is empty."""
        self.done += 1
        self.transcribed_s += transcript.duration_s
        if not transcript.words and self.min_confidence:
            reason = f"no words with a confidence of {self.min_confidence:g} or more"
            self.shown.print(f"Note: {self.name(index)}: {reason}; --min-confidence 0 shows all words.\n", err=True)

    def summary(self, skipped: int, failed: int) -> str:
        """What was done, in one sentence."""
        elapsed_s = time.monotonic() - self._started
        parts = [
            f"{self.done} file{'' if self.done == 1 else 's'}, {span(self.transcribed_s)} of audio in {span(elapsed_s)}"
        ]
        if self.transcribed_s > elapsed_s > 1:
            parts[0] += f", {self.transcribed_s / elapsed_s:.0f} times real time"
        parts += [f"{skipped} already done and skipped"] if skipped else []
        parts += [f"{failed + self.failed} failed"] if failed + self.failed else []
        return "; ".join(parts) + "."


def span(seconds: float) -> str:
    """A span of time in plain units."""
    if seconds < 99.5:
        return f"{seconds:.{0 if seconds >= 9.95 else 1}f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


class Printer(_Sink):
    """Prints to standard output: the phrases of a single recording as they come, else one recording after the other."""

    def __init__(
        self,
        shown: Bar,
        recordings: Sequence["Input"],
        format: str,
        *,
        label: bool,
        times: bool | None,
        live: bool,
        layout: "Layout",
    ) -> None:
        """`label`: begin each line with the recording; `times`: with its time, None on a terminal only."""
        super().__init__(shown, recordings)
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        self.format, self.label, self.layout = format, label, layout
        self.times = is_terminal if times is None else times
        self.dims = is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.live = live and format == "txt" and len(recordings) == 1
        self.pending: list[Word] = []
        self.by_index: dict[int, list[Word]] = {}
        self.results: dict[int, Transcript | AsrError] = {}
        self.next_index = 0

    def add(self, index: int, words: Sequence["Word"], done_s: float) -> None:
        """Print the phrases that are complete, or keep the words until it is the recording's turn."""
        from asr.transcript.words import phrases

        if not self.live:
            self.by_index.setdefault(index, []).extend(words)
            return
        *complete, self.pending = [*phrases([*self.pending, *words])] or [[]]
        for phrase in complete:
            self.print(index, phrase)

    def finish(self, index: int, result: "Transcript | AsrError") -> None:
        """Print what is left of a recording, in the order of the recordings."""
        self.results[index] = result
        while self.next_index in self.results:
            index = self.next_index
            result = self.results.pop(index)
            self.next_index += 1
            words = self.by_index.pop(index, [])
            if isinstance(result, AsrError):
                self.print_all(index, self.pending if self.live else words)
                self.fail(result)
            else:
                if self.format == "txt":
                    self.print_all(index, self.pending if self.live else result.words)
                    if not result.words:
                        self.shown.print(f"{self.name(index)}: \n" if self.label else "\n")
                else:
                    self.shown.print(result.to(self.format, self.layout))
                self.count(index, result)
            self.pending = []

    def print_all(self, index: int, words: Sequence["Word"]) -> None:
        """Print words phrase by phrase."""
        from asr.transcript.words import turns

        for phrase in turns(words):
            self.print(index, phrase)

    def print(self, index: int, phrase: Sequence["Word"]) -> None:
        """Print a phrase."""
        from asr.transcript.words import label

        start = f"{self.name(index)}: " if self.label else ""
        if self.times:
            start += f"[{_clock(phrase[0].start_s)} -> {_clock(phrase[-1].end_s)}] "
        texts = (
            click.style(word.text, dim=True) if self.dims and word.confidence < DIM_BELOW else word.text
            for word in phrase
        )
        self.shown.print(start + label(phrase[0].channel) + " ".join(texts) + "\n")

    def interrupt(self) -> None:
        """Print what was recognised so far."""
        if self.live and self.pending:
            self.print(0, self.pending)


def _clock(seconds: float) -> str:
    """A time as minutes and seconds, with hours if needed."""
    tenths = round(10 * seconds)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{tenths / 10:04.1f}"


class Writer(_Sink):
    """Writes files to a folder, and prints their names."""

    def __init__(
        self,
        shown: Bar,
        recordings: Sequence["Input"],
        formats: Sequence[str],
        output_dir: Path,
        *,
        layout: "Layout",
    ) -> None:
        super().__init__(shown, recordings)
        self.formats, self.output_dir, self.layout = formats, output_dir, layout
        self.open: dict[int, tuple[Outputs, float]] = {}
        self.errors: dict[int, AsrError] = {}

    def outputs(self, index: int) -> "Outputs":
        """The files of a recording."""
        from asr.transcription.outputs import Outputs

        if index not in self.open:
            outputs = Outputs(self.recordings[index], self.output_dir, self.formats, self.model, self.layout)
            self.open[index] = outputs, 0.0
        return self.open[index][0]

    def add(self, index: int, words: Sequence["Word"], done_s: float) -> None:
        """Add words to the unfinished files."""
        outputs = self.outputs(index)
        self.open[index] = outputs, done_s
        if index not in self.errors:
            try:
                outputs.add(words, done_s)
            except AsrError as error:  # reported when the recording is finished; the others continue
                self.errors[index] = error

    def finish(self, index: int, result: "Transcript | AsrError") -> None:
        """Write the finished files."""
        outputs = self.outputs(index)
        _, done_s = self.open.pop(index)
        error = self.errors.pop(index, None)
        try:
            if isinstance(result, AsrError):
                kept = outputs.stop(done_s)
                names = ", ".join(f"'{click.format_filename(path)}'" for path in kept)
                rest = f" What was recognised until there is in {names}." if kept else ""
                raise type(result)(f"{result}{rest}")
            if error is not None:
                raise error
            for path in outputs.finish(result):
                self.shown.print(f"{printable(click.format_filename(path))}\n")
            self.count(index, result)
        except AsrError as problem:
            self.fail(problem)

    def interrupt(self) -> None:
        """Write what was recognised so far, and say how to continue."""
        for outputs, done_s in self.open.values():
            outputs.stop(done_s)
        self.shown.print(
            f"Interrupted: {self.done} of {len(self.recordings)} files are done; the same command with --resume does "
            "the others.\n",
            err=True,
        )
