#!/usr/bin/env python3
"""Simulate a cluster: the planner, coordinator and resuming of `asr bulk` with 1,000 workers and a simulated clock.

    python scripts/simulate_cluster.py [--workers 1000] [--shards 10000] [--no-copies] ...

Workers arrive one after the other, some of their shards take much longer than others, machines fail, some shards kill
every worker, and the command itself is killed and run again. All but the workers and their clock is the code of
`asr/bulk`, with the job in fsspec's store in memory. Printed are the shards that were lost, done twice or set aside,
and what the workers did with their time.
"""

import argparse
import heapq
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from asr.bulk import job as jobs
from asr.bulk.coordinator import STRAGGLING, Coordinator, Event, drive
from asr.bulk.job import output_name
from asr.bulk.recordings import Recording
from asr.bulk.store import open_store
from asr.bulk.worker import Done, Outcome
from asr.decoding.options import DecodingOptions
from asr.readable.options import WritingOptions

POLL_S = 10.0
"""How often stragglers are looked for if nothing happens."""


class Killed(Exception):
    """The command is killed."""


class Simulation:
    """A cluster whose workers only take time."""

    def __init__(self, arguments: argparse.Namespace, store: jobs.Store, poisonous: set[str]) -> None:
        self.options, self.store, self.poisonous = arguments, store, poisonous
        self.random = random.Random(arguments.seed)
        self.now_s = 0.0
        self.kill_s = float("inf")
        """When the command is killed."""
        self.writes: Counter[str] = Counter()
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        """What the workers did -> for how long, all together."""
        self.clear()

    def clear(self) -> None:
        """All workers end."""
        self.heap: list[tuple[float, int, Event]] = []
        self.number = itertools.count()
        self.free: dict[int, float] = {}
        """Worker that has no shard -> since when."""
        self.busy: dict[int, float] = {}
        self.names = itertools.count()
        self.pending = 0

    def at(self, time_s: float, event: Event) -> None:
        heapq.heappush(self.heap, (time_s, next(self.number), event))

    def start(self) -> None:
        """Workers arrive in turns, in the time that the cluster needs to start all of them."""
        self.pending += 1
        delay_s = self.options.load_s + self.pending * self.options.arrival_s
        self.spent_s["loading the model"] += self.options.load_s
        self.at(self.now_s + delay_s, Event(next(self.names)))

    def give(self, worker: int, shard: str) -> None:
        self.spent_s["idle"] += self.now_s - self.free.pop(worker)
        took_s = self.options.shard_s * self.random.lognormvariate(0, self.options.spread)
        if self.random.random() < self.options.slow:
            took_s *= self.options.slow_factor
        fails_s = self.random.expovariate(1 / (3600 * self.options.hours_to_failure))
        if shard in self.poisonous:
            fails_s = min(fails_s, took_s * self.random.random())
        self.busy[worker] = self.now_s
        if fails_s < took_s:
            lost = Event(worker, Outcome(shard, None, "lost"), lost="simulated")
            self.at(self.now_s + fails_s + self.options.notice_s, lost)
        else:
            done = Done("", self.options.shard_size, took_s, [])
            self.at(self.now_s + took_s, Event(worker, Outcome(shard, done)))

    def wait(self) -> Sequence[Event]:
        """Let the clock go on until something happens."""
        if min(self.heap[0][0], self.now_s + POLL_S) >= self.kill_s:
            self.now_s = self.kill_s
            raise Killed
        if self.heap[0][0] > self.now_s + POLL_S:
            self.now_s += POLL_S
            return []
        self.now_s, _, event = heapq.heappop(self.heap)
        if event.outcome is None:
            self.pending -= 1
        else:
            spent_s = self.now_s - self.busy.pop(event.worker)
            if event.lost:
                self.spent_s["lost with workers"] += spent_s
            else:
                self.write(event.outcome.shard)
                kind = "transcribing" if self.writes[event.outcome.shard] == 1 else "done twice"
                self.spent_s[kind] += spent_s
        if not event.lost:
            self.free[event.worker] = self.now_s
        return [event]

    def write(self, shard: str) -> None:
        """The output, then the marker."""
        self.writes[shard] += 1
        self.store.write({output_name(shard, ""): b""})
        self.store.write({f"done/{shard}.json": b""})

    def stop(self, of_copies: str) -> None:
        """The command has ended, and with it all workers: count what they were doing."""
        self.spent_s[of_copies] += sum(self.now_s - since_s for since_s in self.busy.values())
        self.spent_s["idle"] += sum(self.now_s - since_s for since_s in self.free.values())
        self.clear()


def simulate(arguments: argparse.Namespace) -> dict[str, float]:
    """Plan a job, run it until it is finished, and print what happened. Returns counts by name."""
    straggling = float("inf") if arguments.no_copies else STRAGGLING
    store = open_store(f"memory://simulated-{time.time_ns()}")
    started = time.perf_counter()
    recordings = [Recording(f"{n}", f"s3://calls/{n}.opus") for n in range(arguments.shards * arguments.shard_size)]
    options = jobs.Options(model=Path(__file__), decoding=DecodingOptions(), writing=WritingOptions())
    job = jobs.plan(store, recordings, options, shard_size=arguments.shard_size)
    planned_s = time.perf_counter() - started
    chance = random.Random(arguments.seed)
    poisonous = {name for name in job.shards if chance.random() < arguments.poison}
    cluster = Simulation(arguments, store, poisonous)
    expected_s = arguments.shards * arguments.shard_s / arguments.workers
    kills_s = sorted(chance.uniform(0, expected_s) for _ in range(arguments.kills))
    started = time.perf_counter()
    for kill_s in [*kills_s, float("inf")]:
        cluster.kill_s = kill_s
        ended = jobs.done(store) | jobs.aside(store)
        pending = [name for name in job.shards if name not in ended]
        coordinator = Coordinator(pending, lambda: cluster.now_s, straggling)
        try:
            for outcome in drive(coordinator, cluster, min(arguments.workers, len(pending))):
                if outcome.done is None:
                    jobs.set_aside(store, outcome.shard, outcome.reason)
        except Killed:
            cluster.stop("lost with the command")
        else:
            cluster.stop("done twice")
    simulated_s = time.perf_counter() - started
    done, aside = jobs.done(store), jobs.aside(store)
    counts = {
        "lost": len(set(job.shards) - done - aside),
        "set aside": len(aside - done),
        "set aside without being poisonous": len(aside - done - poisonous),
        "written twice": sum(count - 1 for count in cluster.writes.values()),
    }
    print(f"{arguments.workers:,} workers, {arguments.shards:,} shards of {arguments.shard_size} recordings")
    print(
        f"planned in {planned_s:.1f} s, simulated in {simulated_s:.1f} s; simulated time {cluster.now_s / 60:.1f} min, "
    )
    print(f"of which all workers together at full speed would take {expected_s / 60:.1f} min\n")
    print("| shards | |\n|---|---|")
    for name, count in {"done": len(done), **counts}.items():
        print(f"| {name} | {count:,} |")
    total_s = sum(cluster.spent_s.values())
    print("\n| time of the workers | hours | % |\n|---|---|---|")
    for name, spent_s in sorted(cluster.spent_s.items(), key=lambda item: -item[1]):
        print(f"| {name} | {spent_s / 3600:,.1f} | {100 * spent_s / total_s:.2f} |")
    return counts | {"minutes": cluster.now_s / 60}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--shard-size", type=int, default=100)
    parser.add_argument("--shard-s", type=float, default=300, help="median time of a shard in seconds")
    parser.add_argument("--spread", type=float, default=0.3, help="standard deviation of the log of that time")
    parser.add_argument("--arrival-s", type=float, default=0.2, help="time between the arrivals of two workers")
    parser.add_argument("--load-s", type=float, default=10, help="time to load the model")
    parser.add_argument("--slow", type=float, default=0.01, help="share of shards that take longer")
    parser.add_argument("--slow-factor", type=float, default=10, help="how many times longer")
    parser.add_argument("--hours-to-failure", type=float, default=24, help="mean time until a worker is lost")
    parser.add_argument("--notice-s", type=float, default=30, help="time until that is noticed")
    parser.add_argument("--poison", type=float, default=0.001, help="share of shards that kill every worker")
    parser.add_argument("--kills", type=int, default=2, help="how often the command is killed and run again")
    parser.add_argument(
        "--no-copies", action="store_true", help="never give a shard that takes long to a second worker"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    simulate(parse())
