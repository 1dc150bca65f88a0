"""Logging as JSON lines, and the metrics that every process exports."""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram, values

from marquee.app_worker import this_worker

if (_worker := this_worker()) is not None:
    # Decided before the first measure is made. Files have the number of the worker, not its
    # process: the one that takes its place counts on, and there are never more of them.
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
        lambda: _worker.number
    )

LATENCY = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

REQUESTS = Counter("marquee_requests_total", "Requests answered", ["path", "status"])
LATENCIES = Histogram(
    "marquee_request_seconds", "Time to answer a request", ["path"], buckets=LATENCY
)
OVERLOADED = Counter("marquee_overloaded_total", "Requests refused, as too many were under way")
SPARED = Counter(
    "marquee_spared_total",
    "Requests answered without model services, as many were under way, but only for a moment",
)
RESULT_CACHE = Counter(
    "marquee_result_cache_total",
    "Lists looked up in the gateway's cache: hits, or why they had to be computed",
    ["outcome"],
)
RESULT_CACHE_BYTES = Gauge(
    "marquee_result_cache_bytes", "Bytes of the lists in the cache", multiprocess_mode="livesum"
)
RESULT_CACHE_ENTRIES = Gauge(
    "marquee_result_cache_entries", "Lists in the cache", multiprocess_mode="livesum"
)
CONNECTIONS_CLOSED = Counter(
    "marquee_connections_closed_total", "Connections closed by the server's limits", ["why"]
)
FOLLOWERS = Gauge(
    "marquee_followers",
    "Connections that follow a viewer's list",
    multiprocess_mode="livesum",
)
WORKER_STARTS = Counter(
    "marquee_worker_starts_total", "Starts of workers that share a port, the first ones included"
)
EVENTS = Counter("marquee_events_total", "Events handled", ["group", "topic", "type"])
DUPLICATES = Counter("marquee_duplicates_total", "Late duplicates dropped", ["group", "topic"])
DEAD = Counter("marquee_dead_letters_total", "Messages put aside", ["group", "topic"])
DEAD_KEPT = Gauge(
    "marquee_dead_letters_held", "Dead letters by what was decided about them", ["topic", "state"]
)
LAG = Gauge("marquee_lag_messages", "Messages not yet handled", ["group", "topic", "partition"])
LAG_SECONDS = Gauge(
    "marquee_lag_seconds",
    "How long the oldest message not yet handled has been seen in the log",
    ["group", "topic", "partition"],
)
MARGIN = Gauge(
    "marquee_log_margin_messages",
    "Messages between the start of the log and the position: at 0, what is dropped next is missed",
    ["group", "topic", "partition"],
)
_AGES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
FRESHNESS = Histogram(
    "marquee_event_to_applied_seconds",
    "From the event's own time to its results in the store",
    ["group", "topic"],
    buckets=_AGES,
)
VISIBLE = Histogram(
    "marquee_event_to_visible_seconds",
    "From the time of a step's oldest event to its rows in the memory of an app",
    ["service", "topic"],
    buckets=_AGES,
)
STEPS = Histogram("marquee_step_seconds", "Time of one atomic step", ["group"], buckets=LATENCY)
MODEL = Gauge(
    "marquee_model_info",
    "The model version that serves",
    ["service", "version"],
    multiprocess_mode="livemax",
)


def show_model(service: str, former: str | None, version: str) -> None:
    """Export the version that serves, and the former one no more.

    Among workers a series cannot be taken away: the former one is 0 once none of them serves it.
    """
    if _worker is None:
        MODEL.clear()
    elif former is not None:
        MODEL.labels(service, former).set(0)
    MODEL.labels(service, version).set(1)


def configure_logging(process: str, level: str) -> None:
    """Send structlog and the standard library's records to stdout as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # As text, and without local variables: those may hold what no log may show.
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _json],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
    )
    structlog.contextvars.bind_contextvars(process=process)
    if _worker is not None:
        structlog.contextvars.bind_contextvars(worker=_worker.number)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=_json, foreign_pre_chain=shared)
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def log_to_stderr() -> None:
    """Send structlog's records to stderr, for a command whose output people read."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


_json = structlog.processors.JSONRenderer(ensure_ascii=False)
log: structlog.stdlib.BoundLogger = structlog.get_logger()
