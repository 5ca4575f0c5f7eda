"""What `asr listen` does with words: show them on a terminal, print them, and write them to files."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.errors import AsrError
from asr.transcript.formats import EXTENSIONS
from asr.transcript.words import Word, phrases

if TYPE_CHECKING:
    from asr.decoding.live import Update

SHARE = 0.05
"""Largest share of the time that is spent on writing files."""
PAUSE_S = 1.0
"""Shortest time between two writes of a file."""


class Terminal:
    """Shows the words of an utterance on one line: final ones as they are, then the tentative ones, dim."""

    def __init__(self) -> None:
        self._line = ""
        self._dims = "NO_COLOR" not in os.environ
        self._moves = os.environ.get("TERM") != "dumb"

    def show(self, update: "Update") -> None:
        """Draw the line again; lines that are full, and utterances that have ended, stay."""
        width = max(20, os.get_terminal_size(sys.stdout.fileno()).columns - 1)
        text, start = "", "\r\x1b[K" if self._moves else ""
        for word in update.words:
            if self._line and len(self._line) + 1 + len(word.text) > width:
                text += start + self._line + "\n"
                self._line = ""
            self._line += (" " if self._line else "") + word.text
        text += start + self._line if self._moves else ""
        tail = (" " if self._line else "") + " ".join(word.text for word in update.tail)
        if self._moves and update.tail and self._dims:
            text += click.style(tail[: width - len(self._line)], dim=True)
        if update.ends_utterance and self._line:
            text += "\n" if self._moves else self._line + "\n"
            self._line = ""
        click.echo(text, nl=False)
        sys.stdout.flush()

    def close(self) -> None:
        """End the line."""
        if self._line:
            click.echo("" if self._moves else self._line)


class Lines:
    """Prints a line of final words at the end of each phrase."""

    def __init__(self) -> None:
        self._pending: list[Word] = []

    def show(self, update: "Update") -> None:
        """Print the phrases that are complete."""
        *complete, self._pending = [*phrases([*self._pending, *update.words])] or [[]]
        for phrase in complete:
            self._print(phrase)
        if update.ends_utterance:
            self.close()

    def close(self) -> None:
        """Print the last phrase."""
        self._print(self._pending)
        self._pending = []

    @staticmethod
    def _print(phrase: Sequence[Word]) -> None:
        if phrase:
            click.echo(" ".join(word.text for word in phrase))
            sys.stdout.flush()


class JsonLines:
    """Prints every update that changes something as a line of JSON."""

    def __init__(self) -> None:
        self._tail: tuple[Word, ...] = ()

    def show(self, update: "Update") -> None:
        """Print an update."""
        if update.words or update.tail != self._tail or update.ends_utterance:
            click.echo(json.dumps(update.to_dict(), ensure_ascii=False))
            sys.stdout.flush()
        self._tail = update.tail

    def close(self) -> None:
        """Do nothing: every line is complete."""


class Files:
    """The output files, each whole at any moment."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Raises AsrError for a suffix that stands for no format."""
        suffixes = {f".{extension.lower()}": name for name, extension in EXTENSIONS.items()}
        self._formats: dict[Path, str] = {}
        for path in paths:
            found = [name for suffix, name in suffixes.items() if path.name.lower().endswith(suffix)]
            if not found:
                raise AsrError(
                    f"'{path}' does not end in the suffix of a format: give a name that ends in one of "
                    f"{', '.join(suffixes)}."
                )
            self._formats[path] = found[0]
        self._words: list[Word] = []
        self._next_write = 0.0

    def add(self, update: "Update") -> None:
        """Take the final words and write the files now and then. Raises AsrError if that is not possible."""
        if not self._formats:
            return
        self._words += update.words
        started = time.monotonic()
        if update.words and started >= self._next_write:
            self.finish(None, update.time_s)
            now = time.monotonic()
            self._next_write = now + max(PAUSE_S, (now - started) / SHARE)

    def finish(self, model: str | None, duration_s: float) -> None:
        """Write the files. Raises AsrError if that is not possible."""
        from asr.transcript.transcript import Transcript, write

        for path, format_ in self._formats.items():
            write(Transcript(tuple(self._words), duration_s, None, model), path, format_)
