"""The log of a consumer's loop: one line for each new reason to wait, and one when it goes on."""

import threading
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from marquee.consumer.health import Health
from marquee.consumer.loop import poll_until_stopped
from marquee.errors import BusUnavailable, StoreUnavailable

WITH_ALL_LEVELS = structlog.make_filtering_bound_logger(0)
"""Another test, or a process of this one, may have configured a level."""


class Consumer:
    """Fails in turn by the errors given, then works and stops."""

    def __init__(self, *errors: Exception) -> None:
        self.health, self.stop = Health(), threading.Event()
        self._errors = list(errors)

    def subscribe(self) -> Any:
        """Join nothing: `turn` asks for no subscription."""
        return self

    def turn(self, _: object) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.stop.set()


def test_each_reason_is_logged_once_and_so_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marquee.consumer.loop._WAIT_SECONDS", 0)
    monkeypatch.setattr(
        "marquee.consumer.loop.telemetry.log",
        structlog.wrap_logger(None, wrapper_class=WITH_ALL_LEVELS),
    )
    full, away = StoreUnavailable("memory is full"), BusUnavailable("nobody listens")
    consumer = Consumer(full, full, away, away, full)
    with capture_logs() as lines:
        poll_until_stopped(consumer, consumer.stop)
    assert [line.get("detail", line["event"]) for line in lines] == [
        "memory is full",
        "nobody listens",
        "memory is full",
        "goes on",
    ]
    assert consumer.health.ready
