"""Health endpoints of every process: liveness, readiness, and metrics."""

from typing import Any

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

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
    """Return the measures of the process in the text form of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
