"""Read access to whole partitions on Redis Streams."""

from collections.abc import Iterator
from typing import Any

from marquee.bus.api import Message, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.redis.streams import message_from_entry, offset_of, translate_redis_errors

_CHUNK = 1000


class RedisLog:
    """Partitions on Redis Streams; see `PartitionLog`."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """See `PartitionLog.range`."""
        return self._bus.streams.ranges([partition])[partition]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """See `PartitionLog.read`."""
        name, last = self._bus.streams.key(partition), f"0-{end}"
        while start < end:
            with translate_redis_errors():
                entries: Any = self._bus.client.xrange(name, f"0-{start + 1}", last, count=_CHUNK)
            for id_, fields in entries:
                yield message_from_entry(offset_of(id_), fields)
            if len(entries) < _CHUNK:
                return
            start = offset_of(entries[-1][0]) + 1

    def drop(self, partition: TopicPartition, before: int) -> None:
        """See `PartitionLog.drop`."""
        with translate_redis_errors():
            name = self._bus.streams.key(partition)
            self._bus.client.xtrim(name, minid=f"0-{before + 1}", approximate=False)

    def close(self) -> None:
        """See `PartitionLog.close`."""
        self._bus.close()
