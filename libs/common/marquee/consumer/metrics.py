"""Metrics of a consumer: units of work, events, freshness of results, and lag."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marquee import telemetry
from marquee.bus.api import Subscription, TopicPartition
from marquee.events import UNKNOWN_TIME, Event

LAG_SECONDS = 2.0
"""How often the lag is measured."""
MAX_OBSERVATIONS = 1000
"""Observations of a log's end that are kept of a partition, about."""


@dataclass(frozen=True)
class PartitionLag:
    """Lag of a consumer behind the log of a partition."""

    messages: int
    seconds: float
    """How long the oldest unhandled message has been seen in the log."""
    margin: float
    """Messages between the log's first and the position: at 0, what is dropped next is missed.
    Infinite while the log has dropped nothing."""


@dataclass
class LagTracker:
    """Measures lag by when the end of a log was seen where.

    Times of events play no part: a producer's clock may be wrong, and a log that was quiet for an
    hour is not an hour behind when the next event comes.
    """

    _observations: dict[TopicPartition, list[tuple[float, int]]] = field(default_factory=dict)

    def observe(
        self, partition: TopicPartition, log: tuple[int, int], position: int, now: float
    ) -> PartitionLag:
        """Record the range of a log (first offset, end) at a moment; return the position's lag."""
        begin, end = log
        observations = self._observations.setdefault(partition, [])
        if not observations or observations[-1][1] < end:
            observations.append((now, end))
        observations[:] = [seen for seen in observations if seen[1] > position]
        if len(observations) > MAX_OBSERVATIONS:
            del observations[1::2]
        seconds = now - observations[0][0] if observations else 0.0
        margin = position - begin if begin else math.inf
        return PartitionLag(max(0, end - position), seconds, margin)

    def forget(self, partition: TopicPartition) -> None:
        """Drop the observations of a partition that another consumer reads from now on."""
        self._observations.pop(partition, None)


class ConsumerMetrics:
    """The metrics of one service's consumer."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._lag = LagTracker()
        self._reported = 0.0

    def record(
        self,
        partition: TopicPartition,
        events: Sequence[tuple[int, Event]],
        duplicates: int,
        seconds: float,
    ) -> None:
        """Count a unit of work that is in the store now.

        Args:
            partition: The partition of the batch.
            events: The events that took effect, with their offsets.
            duplicates: Events that were dropped as repeats.
            seconds: Duration of the unit of work.
        """
        group, topic, now = self._service, partition.topic, time.time()
        telemetry.STEPS.labels(group).observe(seconds)
        telemetry.DUPLICATES.labels(group, topic).inc(duplicates)
        for _, event in events:
            telemetry.EVENTS.labels(group, topic, event.type).inc()
            if event.time != UNKNOWN_TIME:
                age = max(0.0, now - event.time.timestamp())
                telemetry.FRESHNESS.labels(group, topic).observe(age)

    def report_lag(
        self, subscription: Subscription, positions: Mapping[TopicPartition, int]
    ) -> None:
        """Set the lag of each partition, at most every `LAG_SECONDS`."""
        now = time.monotonic()
        if now - self._reported < LAG_SECONDS:
            return
        self._reported = now
        for partition, log in subscription.ranges().items():
            lag = self._lag.observe(partition, log, positions.get(partition, log[1]), now)
            labels = (self._service, partition.topic, partition.partition)
            telemetry.LAG.labels(*labels).set(lag.messages)
            telemetry.LAG_SECONDS.labels(*labels).set(lag.seconds)
            telemetry.MARGIN.labels(*labels).set(lag.margin)

    def forget(self, partition: TopicPartition) -> None:
        """Remove the lag of a partition that another consumer reads from now on."""
        self._lag.forget(partition)
        labels = (self._service, partition.topic, str(partition.partition))
        for gauge in (telemetry.LAG, telemetry.LAG_SECONDS, telemetry.MARGIN):
            gauge.remove(*labels)
