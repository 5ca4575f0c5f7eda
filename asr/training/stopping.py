"""SIGTERM and SIGINT (Ctrl-C) as a request that the loop answers between two steps, when the state is consistent."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from asr.errors import AsrError


class Stopped(AsrError):
    """The run was asked to stop; its state is saved."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], str | None]]:
    """Within the block, give a function that names the signal that has arrived, or None.

    A second signal of the same kind has its usual effect, for the impatient.
    """
    received: list[str] = []
    usual = {int(number): signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number).name)
        os.write(2, b"\nStopping after this step, then saving; once more stops at once, without saving.\n")
        signal.signal(number, usual[number])

    for number in usual:
        signal.signal(number, note)
    try:
        yield lambda: received[0] if received else None
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
