"""Progress reporting for long-running tasks."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Callback for progress reports."""

    def __call__(self, task: str, done: float, total: float | None, /) -> None:
        """Report a task, the amount done and the total amount in the same unit; None if the total is unknown."""
        ...


def silent(_task: str, _done: float, _total: float | None, /) -> None:
    """Ignore all progress reports."""


def tracked(items: Sequence[Item], task: str, progress: Progress) -> Iterator[Item]:
    """Yield the items, reporting each one as done when the next is requested."""
    for number, item in enumerate(items, start=1):
        yield item
        progress(task, number, len(items))
