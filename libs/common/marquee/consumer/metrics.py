"""What a consumer measures of itself: steps, events, fresh results, how far it is behind."""

import time
from collections.abc import Mapping, Sequence

from marquee import telemetry
from marquee.bus.api import Subscription, TopicPartition
from marquee.consumer.lag import LagTracker
from marquee.events import Event

LAG_SECONDS = 2.0
"""How often the lag is measured."""


class ConsumerMetrics:
    """The measures of one service's consumer."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lag = LagTracker()
        self._said = 0.0

    def record(
        self, partition: TopicPartition, events: Sequence[tuple[int, Event]], seconds: float
    ) -> None:
        """Count a step that took so long and the events whose results it has put in the store."""
        group, topic, now = self._service, partition.topic, time.time()
        telemetry.STEPS.labels(group).observe(seconds)
        for _, event in events:
            telemetry.EVENTS.labels(group, topic, event.type).inc()
            age = max(0.0, now - event.time.timestamp())
            telemetry.FRESHNESS.labels(group, topic).observe(age)

    def lag(self, subscription: Subscription, positions: Mapping[TopicPartition, int]) -> None:
        """Say how far the positions are behind their logs, when it is time."""
        now = time.monotonic()
        if now - self._said < LAG_SECONDS:
            return
        self._said = now
        for partition, log in subscription.ranges().items():
            behind = self._lag.note(partition, log, positions.get(partition, log[1]), now)
            labels = (self._service, partition.topic, partition.partition)
            telemetry.LAG.labels(*labels).set(behind.messages)
            telemetry.LAG_SECONDS.labels(*labels).set(behind.seconds)
            telemetry.MARGIN.labels(*labels).set(behind.margin)

    def forget(self, partition: TopicPartition) -> None:
        """Say nothing more of a partition that others read."""
        self._lag.forget(partition)
        labels = (self._service, partition.topic, str(partition.partition))
        for gauge in (telemetry.LAG, telemetry.LAG_SECONDS, telemetry.MARGIN):
            gauge.remove(*labels)
