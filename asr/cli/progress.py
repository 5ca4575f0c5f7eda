"""The progress bar of all commands: shown on standard error if that is a terminal."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

SETTLED_S = 2.0
"""Time after which a rate means something."""


class Bar:
    """A `Progress` that draws one line, and prints text above it."""

    def __init__(self, drawn: Any, real_time: bool) -> None:
        """`drawn`: rich's progress bar, None shows nothing. `real_time`: amounts are seconds of audio; show speed."""
        self._drawn, self._real_time = drawn, real_time
        self._task, self._started = "", time.monotonic()
        self._line = None if drawn is None else drawn.add_task("", total=None, speed="")

    @property
    def is_drawn(self) -> bool:
        """Whether anything is shown."""
        return self._drawn is not None

    def __call__(self, task: str, done: float, total: float | None) -> None:
        if self._drawn is None:
            return
        if task != self._task:
            self._task, self._started = task, time.monotonic()
            self._drawn.reset(self._line, description=task, total=total, speed="")
        elapsed_s = time.monotonic() - self._started
        speed = f"{done / elapsed_s:.0f} times real time" if self._real_time and elapsed_s > SETTLED_S else ""
        self._drawn.update(self._line, completed=done, total=total, speed=speed)

    def print(self, text: str, err: bool = False) -> None:
        """Write to standard output or standard error without disturbing the bar."""
        if self._drawn is not None and (err or sys.stdout.isatty()):
            from rich.text import Text

            self._drawn.console.print(Text.from_ansi(text.removesuffix("\n")), highlight=False, soft_wrap=True)
        else:
            click.echo(text, nl=False, err=err)


@contextmanager
def bar(real_time: bool = False, *, hidden: bool = False) -> Iterator[Bar]:
    """Show a bar while the block runs; outside a terminal, or if hidden, only printed text is shown."""
    if hidden or not (sys.stderr.isatty() or os.environ.get("FORCE_COLOR")):  # rich is slow to import
        yield Bar(None, real_time)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Bar(None, real_time)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as drawn:
        yield Bar(drawn, real_time)
