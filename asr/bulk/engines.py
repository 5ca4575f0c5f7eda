"""Engines: this machine's processes, or the workers of a Ray cluster."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr.bulk import job as jobs
from asr.bulk.coordinator import Coordinator, drive
from asr.bulk.store import is_url, open_store
from asr.bulk.worker import Machine, Outcome, Worker


def on_this_machine(url: str, shards: Sequence[str], machine: Machine) -> Iterator[Outcome]:
    """Transcribe shards in processes on this machine; yield the outcome of each.

    Raises:
        AsrError: the job or its model cannot be opened, or its files cannot be read or written for minutes.
        OSError: the reason why a shard is set aside cannot be written.
    """
    coordinator = Coordinator(shards)
    with Worker(url, machine) as worker:
        while coordinator.waiting:
            for outcome in worker.run(_given(coordinator)):
                if coordinator.end(outcome):
                    if outcome.done is None:
                        jobs.set_aside(worker.store, outcome.shard, outcome.reason)
                    yield outcome


def _given(coordinator: Coordinator) -> Iterator[str]:
    """The shards that wait."""
    while coordinator.waiting:
        if (shard := coordinator.take()) is not None:
            yield shard
        else:  # paused, for the store has failed
            time.sleep(max(0.0, coordinator.paused_until - coordinator.now()))


def on_ray(url: str, shards: Sequence[str], machine: Machine, workers: int | None) -> Iterator[Outcome]:
    """Transcribe shards in a Ray cluster; yield the outcome of each.

    Raises:
        MissingExtra: Ray is not installed.
        AsrError: there is no cluster, its workers cannot open the job, or its files cannot be read or written for
            minutes.
        OSError: the reason why a shard is set aside cannot be written.
    """
    from asr.bulk.ray_cluster import RayCluster

    store = open_store(url)
    job = url if is_url(url) else str(Path(url).absolute())  # an actor has another working folder
    with RayCluster(job, machine) as cluster:
        count = min(workers or cluster.cores(), len(shards))
        for outcome in drive(Coordinator(shards), cluster, count):
            if outcome.done is None:
                jobs.set_aside(store, outcome.shard, outcome.reason)
            yield outcome
