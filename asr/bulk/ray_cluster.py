"""Workers as actors of a Ray cluster: each is a process with one core, or one GPU, and loads the model once."""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from asr.bulk.coordinator import Event
from asr.bulk.worker import Machine, Outcome, Worker
from asr.errors import AsrError, MissingExtra

TOKEN = Path.home() / ".ray" / "auth_token"
if TOKEN.exists():  # `ray start` then asks for it, and Ray does not look at it when it joins a cluster
    os.environ.setdefault("RAY_AUTH_MODE", "token")

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ModuleNotFoundError as error:
    raise MissingExtra("`asr bulk run --engine ray`", "bulk", error.name or "ray") from None

CLOSING_S = 5.0
"""How long a worker may take to clean up at the end of a run."""
WAIT_S = 1.0
"""How long to wait for something to happen, before stragglers are looked for."""
REASON = 200
"""Characters of Ray's reports that are kept."""


class _Actor:
    """A worker in another process, maybe on another machine."""

    def __init__(self, url: str, machine: Machine) -> None:
        self.url, self.machine = url, machine

    def open(self) -> None:
        """Open the job. Raises AsrError or OSError."""
        self.worker = Worker(self.url, self.machine)
        self.worker.pool.load()  # what cannot be loaded ends the run here, and not shard by shard

    def transcribe(self, shard: str) -> Outcome:
        """Transcribe a shard."""
        (outcome,) = self.worker.run([shard])
        return outcome

    def close(self) -> None:
        """End the processes and delete the copies of files."""
        self.worker.close()


class RayCluster:
    """The actors of this run in an existing cluster."""

    def __init__(self, url: str, machine: Machine) -> None:
        """Connect to the cluster of RAY_ADDRESS, or the one on this machine. Raises AsrError if there is none."""
        try:
            ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            raise AsrError(
                "No Ray cluster answers: start one with `ray start --head`, or give its address in RAY_ADDRESS; the "
                f"machines of a cluster with a token need it in {TOKEN}."
            ) from error
        gpus = 1 if machine.device == "cuda" else 0
        self.kind: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Actor)
        self.arguments = url, machine
        self.actors: set[Any] = set()
        """Those that have opened the job."""
        self.calls: dict[Any, tuple[Any, str | None]] = {}
        """What is being waited for -> the actor, and its shard; None while it opens the job."""

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        busy = {actor for actor, _ in self.calls.values()}
        closing = [actor.close.remote() for actor in self.actors - busy]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=CLOSING_S)
        ray.shutdown()

    def cores(self) -> int:
        """Number of cores of the cluster."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def start(self) -> None:
        actor = self.kind.remote(*self.arguments)
        self.calls[actor.open.remote()] = actor, None

    def give(self, worker: Any, shard: str) -> None:
        self.calls[worker.transcribe.remote(shard)] = worker, shard

    def wait(self) -> Sequence[Event]:
        """Raises AsrError if a worker cannot open the job."""
        if not (calls := list(self.calls)):  # no shard is given out while the store fails
            time.sleep(WAIT_S)
            return []
        ready, _ = ray.wait(calls, num_returns=len(calls), timeout=0)
        if not ready:
            ready, _ = ray.wait(calls, num_returns=1, timeout=WAIT_S)
        return [self._event(call) for call in ready]

    def _event(self, call: Any) -> Event:
        actor, shard = self.calls.pop(call)
        try:
            outcome = cast("Outcome | None", ray.get(call))
        except RayTaskError as error:
            if shard is None and isinstance(error.cause, AsrError):
                raise error.cause from None
            ray.kill(actor)
            reason = f"the worker failed: {type(error.cause).__name__}: {' '.join(str(error.cause).split())}"
        except RayError as error:
            reason = f"the worker was lost: {' '.join(str(error).split())[:REASON]}"
        else:
            self.actors.add(actor)
            return Event(actor, outcome)
        self.actors.discard(actor)
        return Event(actor, Outcome(shard, None, reason) if shard else None, lost=reason)
