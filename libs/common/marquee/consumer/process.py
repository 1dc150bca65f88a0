"""The consumer process: topics, health server, signals, and an orderly stop."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import orjson

from marquee import telemetry
from marquee.bus.api import Bus
from marquee.bus.topics import create_topics
from marquee.consumer.health import Health
from marquee.errors import Conflict, Unavailable
from marquee.health import LIVE, METRICS, READY, live_document, metrics_response, ready_document
from marquee.ports import listen
from marquee.requirements.kafka_topics import kafka_results
from marquee.requirements.start import enforce
from marquee.settings import Settings

TOPICS = "topics"
"""The entry of `Health.stopped` for topics that differ from the settings."""


class Consumer(Protocol):
    """A consumer of events, such as a `Worker`."""

    health: Health

    def run(self, stop: threading.Event, /) -> None:
        """Handle events until `stop` is set."""
        ...


def consume(settings: Settings, bus: Bus, make: Callable[[Bus], Consumer]) -> None:
    """Run a consumer until a signal to stop; the unit of work in progress is finished.

    Raises:
        SettingsError: The port of its health is taken, or the bus would lose events.
    """
    os.nice(settings.consumer_nice)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    consumer = make(bus)
    server = _health_server(settings, consumer.health)
    prepare_topics(bus, settings.partitions, stop, consumer.health)
    # Consumers wait for a bus that does not answer, and say so, as everywhere.
    with contextlib.suppress(Unavailable):
        enforce(kafka_results(settings, bus))
    consumer.run(stop)
    if server is not None:
        server.shutdown()
    bus.close()


def prepare_topics(
    bus: Bus, partitions: int, stop: threading.Event, health: Health | None = None
) -> None:
    """Create the topics, waiting for the bus as long as it takes.

    Args:
        bus: The event bus.
        partitions: Partitions of `movies` and `ratings`.
        stop: Ends the wait.
        health: Reports what is waited for; with it a `Conflict` is waited out as well.

    Raises:
        Conflict: A topic has another number of partitions, and no `health` is given.
    """
    reported, logged = Health() if health is None else health, None
    while not stop.is_set():
        reported.beat()
        try:
            create_topics(bus, partitions)
            break
        except Unavailable as error:
            fault = reported.waiting_for = str(error)
        except Conflict as error:
            if health is None:
                raise
            fault = health.stopped[TOPICS] = str(error)
        if fault != logged:
            telemetry.log.warning("topics are not ready", detail=fault)
        logged = fault
        stop.wait(0.25)
    reported.stopped.pop(TOPICS, None)
    reported.waiting_for = None


def _health_server(settings: Settings, health: Health) -> ThreadingHTTPServer | None:
    if not settings.consumer_port:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = _health_response(self.path, health)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing: probes arrive every second."""

    server = ThreadingHTTPServer((settings.host, 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listen(settings.host, settings.consumer_port, "consumer_port")
    server.server_activate()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _health_response(path: str, health: Health) -> tuple[int, str, bytes]:
    if path == METRICS:
        response = metrics_response()
        return response.status_code, response.headers["content-type"], bytes(response.body)
    if path == LIVE:
        ok = health.live
        answer = live_document(ok)
    elif path == READY:
        ok = health.ready
        answer = ready_document(ok, waiting_for=health.waiting_for, stopped=health.stopped)
    else:
        return 404, "application/json", b'{"detail":"not found"}'
    return 200 if ok else 503, "application/json", orjson.dumps(answer)
