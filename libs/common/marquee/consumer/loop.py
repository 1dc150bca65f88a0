"""The polling loop of a consumer process: turns until told to stop, faults waited out."""

import threading
from typing import Protocol

from marquee import telemetry
from marquee.bus.api import Subscription
from marquee.consumer.health import Health
from marquee.errors import BusUnavailable, FenceLost, PositionLost, StoreUnavailable

LOG = "log"
"""The entry of `Health.stopped` that tells why nothing is read."""
_WAIT_SECONDS = 0.25
_HALT_SECONDS = 1.0


class PollingConsumer(Protocol):
    """A consumer that is driven turn by turn."""

    health: Health

    def subscribe(self) -> Subscription:
        """Join the consumer group."""
        ...

    def turn(self, subscription: Subscription, /) -> None:
        """Poll once and handle the messages."""
        ...


def poll_until_stopped(
    consumer: PollingConsumer,
    stop: threading.Event,
    transient: tuple[type[Exception], ...] = (StoreUnavailable, BusUnavailable),
) -> Subscription | None:
    """Subscribe, then take turns until `stop` is set.

    Args:
        consumer: The consumer to drive; its health is kept up to date.
        stop: Ends the loop after the turn in progress.
        transient: Errors of a turn that are waited out.

    Returns:
        The subscription, for the caller to close; None if there never was one.
    """
    subscription = _subscribe(consumer, stop)
    while subscription is not None and not stop.is_set():
        try:
            consumer.turn(subscription)
            _go_on(consumer.health)
            consumer.health.stopped.pop(LOG, None)
        except PositionLost as error:
            _halt(consumer.health, stop, error)
        except FenceLost as error:
            telemetry.log.warning("fence lost, reading positions again", detail=str(error))
        except transient as error:
            _wait(consumer.health, stop, error)
    return subscription


def _subscribe(consumer: PollingConsumer, stop: threading.Event) -> Subscription | None:
    while not stop.is_set():
        try:
            return consumer.subscribe()
        except BusUnavailable as error:
            _wait(consumer.health, stop, error)
    return None


def _halt(health: Health, stop: threading.Event, error: PositionLost) -> None:
    """Pause without reading on: which events are missing is for an operator to judge."""
    if LOG not in health.stopped:
        telemetry.log.error("the log is not what it was", detail=str(error))
    health.stopped[LOG] = str(error)
    health.beat()
    stop.wait(_HALT_SECONDS)


def _go_on(health: Health) -> None:
    if health.waiting_for is not None:
        telemetry.log.info("goes on", waited_for=health.waiting_for)
    health.waiting_for = None


def _wait(health: Health, stop: threading.Event, error: Exception) -> None:
    if health.waiting_for != str(error):
        telemetry.log.warning("waiting", detail=str(error))
    health.waiting_for = str(error)
    health.beat()
    stop.wait(_WAIT_SECONDS)
