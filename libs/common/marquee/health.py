"""Health endpoints of every process: liveness, readiness, and metrics."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from marquee.app_worker import this_worker

LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"
"""Paths of the probes."""
PROBES = frozenset({LIVE, READY, METRICS})
"""What is answered however busy the process is."""


def live_document(live: bool = True) -> dict[str, Any]:
    """Return the answer on whether the process's own loop turns."""
    return {"live": live}


def ready_document(ready: bool = True, **details: Any) -> dict[str, Any]:
    """Return the answer on whether the process can do its work, with details of its state."""
    return {"ready": ready, **details}


def metrics_response() -> Response:
    """Return the measures of the process, or of all workers, in the text form of Prometheus."""
    registry = REGISTRY if this_worker() is None else _of_all_workers()
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _of_all_workers() -> CollectorRegistry:
    # Loaded for workers alone.
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Memory())
    return registry


class _Memory(Collector):
    """Memory of a supervisor and its workers: the measures of a process are those of one alone."""

    def collect(self) -> Iterator[Metric]:
        """Yield the sum, on systems that tell it."""
        worker = this_worker()
        pids = [] if worker is None else worker.processes()
        if resident := sum(map(_resident_bytes, pids)):
            text = "Resident memory of the supervisor and all workers"
            yield GaugeMetricFamily("process_resident_memory_bytes", text, resident)


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
