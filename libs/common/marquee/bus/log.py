"""Access to whole partition logs, outside of any consumer group: for operators' commands."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from marquee.bus.api import Message, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.redis.log import RedisLog
from marquee.errors import BusUnavailable
from marquee.settings import Settings


class PartitionLog(Protocol):
    """Reads partitions from beginning to end; every call may raise BusUnavailable."""

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset of the log and its end (next offset)."""
        ...

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """Yield the messages from offset `start` up to `end`, without those that were dropped."""
        ...

    def drop(self, partition: TopicPartition, before: int) -> None:
        """Delete the messages before an offset."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def open_log(settings: Settings) -> PartitionLog:
    """Return the logs of the configured bus; they connect when first used."""
    if settings.bus == "kafka":
        # Imported here: the client costs memory and time, which processes on Redis need not pay.
        from marquee.bus.kafka.connection.security import KafkaSecurity
        from marquee.bus.kafka.log import KafkaLog

        return KafkaLog(settings.kafka_servers, settings.namespace, KafkaSecurity.of(settings))
    return RedisLog(RedisBus(settings.redis_address, settings.namespace))


@contextlib.contextmanager
def closing_log(log: PartitionLog) -> Iterator[PartitionLog]:
    """Close a log at the end of a `with` block."""
    try:
        yield log
    finally:
        with contextlib.suppress(BusUnavailable):
            log.close()
