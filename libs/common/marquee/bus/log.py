"""The log of a partition as a whole, outside of any group: for operators' commands."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from marquee.bus.api import Message, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.redis.log import RedisLog
from marquee.errors import BusUnavailable
from marquee.settings import Settings


class PartitionLog(Protocol):
    """Reads partitions from end to end; every call may raise BusUnavailable."""

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset that the log holds, and its end."""
        ...

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """Yield the messages from offset `start` to before `end`; what was dropped is left out."""
        ...

    def drop(self, partition: TopicPartition, before: int) -> None:
        """Forget the messages before an offset, for good."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def open_log(settings: Settings) -> PartitionLog:
    """Return the logs of the bus that the settings name."""
    if settings.bus == "kafka":
        # Here, since the client costs memory and time that processes on Redis need not pay.
        from marquee.bus.kafka.log import KafkaLog

        return KafkaLog(settings.kafka_servers, settings.namespace)
    return RedisLog(RedisBus(settings.redis_url.get_secret_value(), settings.namespace))


@contextlib.contextmanager
def closing_log(log: PartitionLog) -> Iterator[PartitionLog]:
    """Lend a log and close it."""
    try:
        yield log
    finally:
        with contextlib.suppress(BusUnavailable):
            log.close()
