"""The log of a partition as a whole, outside of any group: for operators' commands."""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from marquee.bus import Message, TopicPartition
from marquee.bus_redis import RedisBus
from marquee.errors import BusUnavailable
from marquee.settings import Settings
from marquee.streams import answering, message_of, offset_of
from marquee.window import REACH, Recent

_CHUNK = 1000


class WholeLog(Protocol):
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


class RedisLog:
    """Partitions on Redis Streams."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """See `WholeLog.range`."""
        return self._bus.streams.ranges([partition])[partition]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """See `WholeLog.read`."""
        name, last = self._bus.streams.key(partition), f"0-{end}"
        while start < end:
            with answering():
                found: Any = self._bus.client.xrange(name, f"0-{start + 1}", last, count=_CHUNK)
            for id_, fields in found:
                yield message_of(offset_of(id_), fields)
            if len(found) < _CHUNK:
                return
            start = offset_of(found[-1][0]) + 1

    def drop(self, partition: TopicPartition, before: int) -> None:
        """See `WholeLog.drop`."""
        with answering():
            name = self._bus.streams.key(partition)
            self._bus.client.xtrim(name, minid=f"0-{before + 1}", approximate=False)

    def close(self) -> None:
        """See `WholeLog.close`."""
        self._bus.close()


def open_log(settings: Settings) -> WholeLog:
    """Return the logs of the bus that the settings name."""
    if settings.bus == "kafka":
        # Here, since the client costs memory and time that processes on Redis need not pay.
        from marquee.whole_log_kafka import KafkaLog

        return KafkaLog(settings.kafka_servers, settings.namespace)
    return RedisLog(RedisBus(settings.redis_url.get_secret_value(), settings.namespace))


@contextlib.contextmanager
def opened(log: WholeLog) -> Iterator[WholeLog]:
    """Lend a log and close it."""
    try:
        yield log
    finally:
        with contextlib.suppress(BusUnavailable):
            log.close()


def recent_in_log(settings: Settings) -> Recent:
    """Return what reads recent messages in the log of the settings, as far as it still has them."""

    def recent(partition: TopicPartition, position: int) -> Iterator[Message]:
        if position == 0:
            return
        with opened(open_log(settings)) as log:
            first, _ = log.range(partition)
            yield from log.read(partition, max(first, position - REACH), position)

    return recent
