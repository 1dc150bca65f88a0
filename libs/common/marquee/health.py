"""Health endpoints of every process: liveness, readiness, and metrics."""

from typing import Any

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

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
    MultiProcessCollector(registry)
    return registry
