"""The processes of a service: which role runs, what it connects to, and how it stops."""

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import orjson
import uvicorn
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from marquee import telemetry
from marquee.bus import Bus
from marquee.errors import Conflict, MarqueeError, Unavailable
from marquee.health import Health
from marquee.settings import Settings, read
from marquee.worker import create_topics

DRAIN_SECONDS = 5
TOPICS = "topics"
"""Under this name health tells that topics are not as the settings say."""


def run(app: str, consumer: str) -> None:
    """Run the role that the command line names: `app` or `consumer`, each given as a module.

    Only the module of that role is imported; its `main` gets the settings.
    """
    roles = {"app": app, "consumer": consumer}
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in roles:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} app|consumer")
    try:
        settings = read(os.environ)
    except MarqueeError as error:
        print(error, file=sys.stderr)  # noqa: T201 - before logging is set up
        sys.exit(2)
    service = roles[role].partition(".")[0].replace("_", "-")
    telemetry.configure_logging(f"{service} {role}", settings.log_level)
    importlib.import_module(roles[role]).main(settings)


def serve(app: FastAPI, settings: Settings, port: int) -> None:
    """Answer HTTP until told to stop; requests under way are finished."""
    uvicorn.run(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


class Consumer(Protocol):
    """What runs in a consumer process, such as a `Worker`."""

    health: Health

    def run(self, stop: threading.Event, /) -> None:
        """Handle events until `stop` is set."""
        ...


def consume(settings: Settings, bus: Bus, make: Callable[[Bus], Consumer]) -> None:
    """Run a consumer until told to stop; the step under way is finished."""
    os.nice(settings.consumer_nice)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    consumer = make(bus)
    server = _health_server(settings, consumer.health)
    prepare_topics(bus, settings.partitions, stop, consumer.health)
    consumer.run(stop)
    if server is not None:
        server.shutdown()
    bus.close()


def prepare_topics(
    bus: Bus, partitions: int, stop: threading.Event, health: Health | None = None
) -> None:
    """Create the topics, waiting for the bus as long as it takes.

    Conflict: one has other partitions. With a health that says so, that is waited out as well.
    """
    said, known = Health() if health is None else health, None
    while not stop.is_set():
        said.beat = time.monotonic()
        try:
            create_topics(bus, partitions)
            break
        except Unavailable as error:
            fault = said.waiting_for = str(error)
        except Conflict as error:
            if health is None:
                raise
            fault = health.stopped[TOPICS] = str(error)
        if fault != known:
            telemetry.log.warning("topics are not ready", detail=fault)
        known = fault
        stop.wait(0.25)
    said.stopped.pop(TOPICS, None)
    said.waiting_for = None


def _health_server(settings: Settings, health: Health) -> ThreadingHTTPServer | None:
    if not settings.consumer_port:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = _health_answer(self.path, health)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing: a probe a second is no news."""

    server = ThreadingHTTPServer((settings.host, settings.consumer_port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _health_answer(path: str, health: Health) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    if path == "/health/live":
        ok = health.live
        said: dict[str, object] = {"live": ok}
    elif path == "/health/ready":
        ok = health.ready
        said = {"ready": ok, "waiting_for": health.waiting_for, "stopped": health.stopped}
    else:
        return 404, "application/json", b'{"detail":"not found"}'
    return 200 if ok else 503, "application/json", orjson.dumps(said)
