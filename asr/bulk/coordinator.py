"""Which shard is whose: every shard is given out until it is done, or set aside after three tries.

It does no input or output and asks no clock but the one that it is given, so that a simulation can run it, too.
Workers may come, be slow and vanish at any time. A shard that two workers have done is no harm, because both have
written the same output.
"""

import bisect
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asr.bulk.worker import Outcome
from asr.errors import AsrError

TRIES = 3
"""How often a shard is given out before it is set aside."""

OUTAGES = 10
"""How often in a row the store may fail before the run is ended: some three minutes."""
LONGEST_PAUSE_S = 60.0
"""Longest time that no shard is given out after the store has failed: it begins with 1 s and doubles."""

STRAGGLING = 2.0
"""How many times the median time of a shard another must take for an idle worker to be given it, too."""


class Coordinator:
    """The shards that wait and those that are being transcribed."""

    def __init__(
        self, shards: Iterable[str], now: Callable[[], float] = time.monotonic, straggling: float = STRAGGLING
    ) -> None:
        """`now`: the clock, in seconds; `straggling`: infinite gives no shard to two workers."""
        self.now, self.straggling = now, straggling
        self.waiting = deque(shards)
        self.running: dict[str, list[float]] = {}
        """Shard -> when each of its copies was given out, in the order of the first."""
        self.tries: Counter[str] = Counter()
        self.outages = 0
        """How often in a row the store has failed."""
        self.paused_until = -math.inf
        self.times_s: list[float] = []
        """How long shards took, sorted."""

    @property
    def is_finished(self) -> bool:
        """Whether every shard is done or set aside."""
        return not self.waiting and not self.running

    def take(self) -> str | None:
        """The next shard for a worker that is free; None if there is none at present."""
        if self.now() < self.paused_until:
            return None
        shard = self.waiting.popleft() if self.waiting else self._straggler()
        if shard is not None:
            self.running.setdefault(shard, []).append(self.now())
        return shard

    def _straggler(self) -> str | None:
        """The shard that takes longest, if that is suspicious and no second worker has it."""
        if not self.times_s:
            return None
        limit_s = self.straggling * self.times_s[len(self.times_s) // 2]
        for shard, started in self.running.items():
            if self.now() - started[0] <= limit_s:
                return None
            if len(started) == 1:
                return shard
        return None

    def end(self, outcome: Outcome) -> bool:
        """Take note how a worker has ended a shard; whether that is the end of it.

        It is not if it will be given out again, if another worker still has it, or if another was faster.

        Raises:
            AsrError: the store has failed too often in a row.
        """
        self._note_outage(outcome)
        shard = outcome.shard
        if shard not in self.running:
            return False
        if outcome.done is not None:
            bisect.insort(self.times_s, self.now() - self.running.pop(shard)[0])
            return True
        self.tries[shard] += 1
        self.running[shard].pop()
        if self.running[shard]:
            return False
        del self.running[shard]
        if self.tries[shard] < TRIES:
            self.waiting.append(shard)
            return False
        return True

    def _note_outage(self, outcome: Outcome) -> None:
        """Pause, for a store that fails would else use up the tries of all shards at once."""
        if not outcome.is_outage:
            self.outages = 0
            return
        if self.now() < self.paused_until:
            return  # the same outage, which another worker has met
        self.outages += 1
        if self.outages == OUTAGES:
            raise AsrError(
                f"The job's files could not be read or written {OUTAGES} times in a row ({outcome.reason}): run the "
                "job again once they can; what is done stays done."
            )
        self.paused_until = self.now() + min(LONGEST_PAUSE_S, 2.0 ** (self.outages - 1))


Handle = Any
"""What a cluster calls one of its workers."""


@dataclass(frozen=True)
class Event:
    """Something that has happened to a worker: it has loaded the model, or has ended a shard, or was lost."""

    worker: Handle
    outcome: Outcome | None = None
    """Of the shard that it had."""
    lost: str = ""
    """Why the worker has vanished, if it has."""


class Cluster(Protocol):
    """Workers on other machines."""

    def start(self) -> None:
        """Ask for one more worker."""
        ...

    def give(self, worker: Handle, shard: str) -> None:
        """Let a free worker transcribe a shard."""
        ...

    def wait(self) -> Sequence[Event]:
        """Wait a moment for something to happen."""
        ...


def drive(coordinator: Coordinator, cluster: Cluster, count: int) -> Iterator[Outcome]:
    """Let `count` workers do all shards; yield the outcome of each that is done, or has no more tries.

    Raises:
        AsrError: workers end before they have loaded the model, as often as there should be workers and thrice more,
            or the store fails too often.
    """
    free: list[Handle] = []
    stillborn = 0
    for _ in range(count):
        cluster.start()
    while not coordinator.is_finished:
        for event in cluster.wait():
            if event.outcome is not None and coordinator.end(event.outcome):
                yield event.outcome
            if event.lost:
                stillborn = stillborn + 1 if event.outcome is None else 0
                if stillborn >= count + TRIES:
                    raise AsrError(f"The workers end before they have loaded the model ({event.lost}).")
                cluster.start()
            else:
                stillborn = 0
                free.append(event.worker)
        while free and (shard := coordinator.take()) is not None:
            cluster.give(free.pop(), shard)
