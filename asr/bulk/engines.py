"""Engines: this machine's processes, or the workers of a Ray cluster."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from asr.bulk import job as jobs
from asr.bulk.coordinator import Coordinator, drive
from asr.bulk.store import is_url, open_store
from asr.bulk.worker import Machine, Outcome, Worker


def on_this_machine(url: str, shards: Sequence[str], machine: Machine) -> Iterator[Outcome]:
    """Transcribe shards in processes on this machine; yield the outcome of each.

    Raises:
        AsrError: the job or its model cannot be opened.
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
    while coordinator.waiting and (shard := coordinator.take()) is not None:
        yield shard


def on_ray(url: str, shards: Sequence[str], machine: Machine, workers: int | None) -> Iterator[Outcome]:
    """Transcribe shards in a Ray cluster; yield the outcome of each.

    Raises:
        MissingExtra: Ray is not installed.
        AsrError: there is no cluster, or its workers cannot open the job.
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
