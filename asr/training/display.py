"""What a person sees of a training run: facts before it, then a moving bar, and two lines for each epoch."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from asr.scoring.wer import Utterance

COLUMNS = ("    epoch", "   loss", "dev WER %", "dev CER %", "   rate", "audio s/s", " elapsed")


@dataclass(frozen=True)
class Epoch:
    """What is measured of an epoch; a line of metrics.jsonl."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean over the steps of the CTC loss for each token, in nats."""
    dev_wer: float | None
    dev_cer: float | None
    learning_rate: float
    """At the last step."""
    audio_s_per_s: float
    """Seconds of speech trained in a second, reading and augmentation included, evaluation not."""
    elapsed_s: float
    """Since the start of the run."""


class Display:
    """Prints to a console; outside a terminal the bar is left out and the lines stay."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs = console, epochs
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=30),
            TextColumn("loss {task.fields[loss]}  {task.fields[speed]} x real time"),
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

    def facts(self, **facts: str) -> None:
        """The run in a few lines, before the first step."""
        width = max(map(len, facts))
        for name, value in facts.items():
            self.console.print(
                f"[bold]{name.replace('_', ' '):<{width}}[/]  {escape(value)}", highlight=False, soft_wrap=True
            )
        self.console.print()
        self.console.print(f"[bold]{'  '.join(COLUMNS)}[/]", highlight=False, soft_wrap=True)

    def step(self, epoch: int, share: float, loss: float, speed: float) -> None:
        """One optimiser step: `share` of the whole training is done; `speed` in audio seconds a second."""
        shown: dict[str, Any] = {"epoch": f"{epoch}/{self.epochs}", "loss": f"{loss:.3f}", "speed": f"{speed:.0f}"}
        if self.task is None:
            self.task = self.progress.add_task("", total=1.0, **shown)
        self.progress.update(self.task, completed=share, **shown)

    def epoch(self, epoch: Epoch, sample: Utterance, *, best: bool) -> None:
        """A line for the epoch, a star where it is the best so far, and one transcript of the dev part."""
        values = (
            f"{epoch.epoch}/{self.epochs}",
            f"{epoch.loss:.3f}",
            f"{100 * (epoch.dev_wer or 0):.2f}",
            f"{100 * (epoch.dev_cer or 0):.2f}",
            f"{epoch.learning_rate:.1e}",
            f"{epoch.audio_s_per_s:.0f}",
            clock(epoch.elapsed_s),
        )
        line = "  ".join(f"{value:>{len(name)}}" for value, name in zip(values, COLUMNS, strict=True))
        self.console.print(f"[bold green]{line} *[/]" if best else line, highlight=False, soft_wrap=True)
        said_heard = f"          said  {escape(sample.reference)}\n          heard {escape(sample.hypothesis)}"
        self.console.print(f"[dim]{said_heard}[/]", highlight=False, soft_wrap=True)

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
