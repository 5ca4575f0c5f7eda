"""What the user sees of a training run: facts before it, then a moving bar, and some lines for each evaluation."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from asr.training.state import Progress
from asr.training.task import Column

REPORT_EVERY_S = 60.0
"""Seconds from one line to the next where there is no terminal for a bar."""


class Display:
    """Prints to a console; outside a terminal only the lines are printed."""

    def __init__(self, console: Console, epochs: int, columns: Sequence[Column], speed: Column) -> None:
        self.console, self.epochs, self.columns, self.speed = console, epochs, columns, speed
        self.titles = (
            "    epoch",
            "   loss",
            *(column.title for column in columns),
            "   rate",
            speed.title,
            " elapsed",
        )
        self.bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=30),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} " + speed.title),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task: TaskID | None = None
        self.began, self.reported = (0.0, 0.0), 0.0

    def __enter__(self) -> "Display":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def facts(self, facts: Mapping[str, str]) -> None:
        """The run in a few lines, before the first step."""
        width = max(map(len, facts))
        for name, value in facts.items():
            self.console.print(f"[bold]{name:<{width}}[/]  {escape(value)}", highlight=False, soft_wrap=True)
        self.console.print()
        self.console.print(f"[bold]{'  '.join(self.titles)}[/]", highlight=False, soft_wrap=True)

    def step(self, progress: Progress, done: float) -> None:
        """One optimiser step: the share `done` of the whole training is done.

        Without a terminal a line is printed now and then instead of the moving bar, so that a log file shows life.
        """
        now = time.monotonic()
        if self.task is None:
            self.task = self.bar.add_task("", total=1.0, epoch="", loss="", speed="")
            self.began, self.reported = (now, done), now
        epoch = f"{progress.epoch + 1}/{self.epochs}"
        loss, speed = f"{progress.loss:.3f}", self.speed.show(progress.speed)
        self.bar.update(self.task, completed=done, epoch=epoch, loss=loss, speed=speed)
        if self.console.is_terminal or now - self.reported < REPORT_EVERY_S:
            return
        self.reported = now
        started, before = self.began
        left_s = (1 - done) * (now - started) / max(1e-9, done - before)
        self.say(
            f"    epoch {epoch}, step {progress.step:,}, {100 * done:.1f} %: loss {loss}, {speed} {self.speed.title}, "
            f"about {clock(left_s)} left"
        )

    def evaluation(self, metrics: Mapping[str, float], sample: Sequence[str], *, best: bool) -> None:
        """A line for an evaluation, with a star where it is the best so far, and the sample below."""
        values = (
            f"{metrics['epoch']:g}/{self.epochs}",
            f"{metrics['loss']:.3f}",
            *(column.show(metrics[column.name]) for column in self.columns),
            f"{metrics['learning_rate']:.1e}",
            self.speed.show(metrics[self.speed.name]),
            clock(metrics["elapsed_s"]),
        )
        line = "  ".join(f"{value:>{len(title)}}" for value, title in zip(values, self.titles, strict=True))
        self.console.print(f"[bold green]{line} *[/]" if best else line, highlight=False, soft_wrap=True)
        for text in sample:
            self.console.print(f"[dim]          {escape(text)}[/]", highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """What must not go unseen: printed in every process, also in those whose console is quiet."""
        console = Console(stderr=True) if self.console.quiet else self.console
        console.print(escape(text), style="yellow", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A remark above the bar."""
        self.console.print(escape(text), highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
