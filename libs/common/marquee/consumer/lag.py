"""How far a consumer is behind, in messages and in seconds, by what it saw of the logs itself."""

import math
from dataclasses import dataclass, field

from marquee.bus.api import TopicPartition

MAX_OBSERVATIONS = 1000
"""Sights of a log's end that are kept of a partition, about."""


@dataclass(frozen=True)
class PartitionLag:
    """How things stand with a partition."""

    messages: int
    seconds: float
    """How long the oldest message that is not handled has been seen in the log."""
    margin: float
    """Messages between the log's first and the position: at 0, what is dropped next is missed.
    Infinite while the log has dropped nothing."""


@dataclass
class LagTracker:
    """Remembers when a log's end was seen where.

    Times of events play no part: a producer's clock may be wrong, and a log that was quiet for an
    hour is not an hour behind when the next event comes.
    """

    _sights: dict[TopicPartition, list[tuple[float, int]]] = field(default_factory=dict)

    def note(
        self, partition: TopicPartition, log: tuple[int, int], position: int, now: float
    ) -> PartitionLag:
        """Take note of a log (first offset, end) at a moment; return how far `position` is off."""
        begin, end = log
        sights = self._sights.setdefault(partition, [])
        if not sights or sights[-1][1] < end:
            sights.append((now, end))
        sights[:] = [sight for sight in sights if sight[1] > position]
        if len(sights) > MAX_OBSERVATIONS:
            del sights[1::2]
        seconds = now - sights[0][0] if sights else 0.0
        return PartitionLag(
            max(0, end - position), seconds, position - begin if begin else math.inf
        )

    def forget(self, partition: TopicPartition) -> None:
        """Know nothing more of a partition that others read."""
        self._sights.pop(partition, None)
