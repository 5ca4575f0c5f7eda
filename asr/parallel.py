"""Number of usable cores, and an ordered parallel map with bounded lookahead."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Number of CPU cores available to this process, which may be restricted (taskset, cpusets)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def once(make: Callable[[], Result]) -> Callable[[], Result]:
    """The same function, which makes its result at the first call, in whichever thread, and keeps it."""
    lock, made = threading.Lock(), list[Result]()

    def get() -> Result:
        with lock:
            if not made:
                made.append(make())
        return made[0]

    return get


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in order, consuming at most `threads` items ahead of the results."""
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
