"""What a person sees of a training run: facts before it, then a moving bar, and two lines for each epoch."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asr.training.task import Column


class Display:
    """Prints to a console; outside a terminal the bar is left out and the lines stay."""

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
        self.progress = Progress(
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

    def __enter__(self) -> "Display":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def facts(self, facts: Mapping[str, str]) -> None:
        """The run in a few lines, before the first step."""
        width = max(map(len, facts))
        for name, value in facts.items():
            self.console.print(f"[bold]{name:<{width}}[/]  {escape(value)}", highlight=False, soft_wrap=True)
        self.console.print()
        self.console.print(f"[bold]{'  '.join(self.titles)}[/]", highlight=False, soft_wrap=True)

    def step(self, epoch: int, share: float, loss: float, speed: float) -> None:
        """One optimiser step: `share` of the whole training is done."""
        shown: dict[str, Any] = {
            "epoch": f"{epoch}/{self.epochs}",
            "loss": f"{loss:.3f}",
            "speed": self.speed.show(speed),
        }
        if self.task is None:
            self.task = self.progress.add_task("", total=1.0, **shown)
        self.progress.update(self.task, completed=share, **shown)

    def epoch(self, metrics: Mapping[str, float], sample: Sequence[str], *, best: bool) -> None:
        """A line for the epoch's line of metrics.jsonl, a star where it is the best so far, and the sample below."""
        values = (
            f"{metrics['epoch']}/{self.epochs}",
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
