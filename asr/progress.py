"""How long tasks report their progress."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Called as a task goes on."""

    def __call__(self, task: str, done: float, total: float | None, /) -> None:
        """Report what is being done, how much of it is done and how much there is, in one unit; None: not known."""
        ...


def silent(_task: str, _done: float, _total: float | None, /) -> None:
    """The `Progress` that shows nothing."""


def tracked(items: Sequence[Item], task: str, progress: Progress) -> Iterator[Item]:
    """Yield the items, and report each when the next one is asked for."""
    for number, item in enumerate(items, start=1):
        yield item
        progress(task, number, len(items))
