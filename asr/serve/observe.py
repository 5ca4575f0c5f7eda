"""Metrics for Prometheus, and a log line per request, without what was spoken."""

import json
import logging
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from asr.serve.pool import Pool

LOG = logging.getLogger("asr.serve")
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Observer:
    """Counts what the server does."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        registry: Any = {"registry": self._registry}
        self._requests = Counter("asr_requests", "Requests by path and status.", ["path", "status"], **registry)
        self._seconds = Histogram(
            "asr_request_seconds", "Time from the request to its answer.", ["path"], buckets=SECONDS, **registry
        )
        self._audio = Counter("asr_audio_seconds", "Seconds of audio that were transcribed.", **registry)
        self.live = Gauge("asr_live_streams", "Live streams that are open.", **registry)
        for name, text, attribute in (
            ("asr_jobs_waiting", "Requests that wait for a worker.", "waiting"),
            ("asr_jobs_running", "Requests that are transcribed.", "busy"),
            ("asr_workers_ready", "Worker processes that can work.", "ready"),
            ("asr_workers_replaced", "Worker processes that died and were replaced.", "replaced"),
        ):
            Gauge(name, text, **registry).set_function(lambda attribute=attribute: getattr(pool, attribute))

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count and log a request; `path` is that of the route."""
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)
        self.log("request", method=method, path=path, status=status, seconds=round(seconds, 3))

    def audio(self, seconds: float) -> None:
        """Count audio that was transcribed."""
        self._audio.inc(seconds)

    @staticmethod
    def log(event: str, **fields: object) -> None:
        """Log an event as a line of JSON."""
        LOG.info(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event} | fields))

    def text(self) -> bytes:
        """All metrics in the format of Prometheus."""
        return generate_latest(self._registry)
