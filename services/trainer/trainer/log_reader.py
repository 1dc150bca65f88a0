"""Reads the log directly, as a member of no group: nothing is committed, nobody is disturbed."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from marquee.bus import Bus, Message, TopicPartition
from marquee.bus_redis import RedisBus
from marquee.errors import BusUnavailable, PositionLost

PAGE = 1000
_WAIT_S = 5.0


class LogReader(Protocol):
    """Reads messages of a partition by their offsets."""

    def ranges(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset that each log still holds, and its end."""
        ...

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[list[Message]]:
        """Yield the messages of offsets `start` to `end` - 1 in pages.

        PositionLost: the log does not hold all of them.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class RedisLog:
    """Over the streams of the bus on Redis."""

    def __init__(self, bus: RedisBus) -> None:
        self._streams = bus.streams

    def ranges(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """See `LogReader.ranges`."""
        return self._streams.ranges(partitions)

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[list[Message]]:
        """See `LogReader.read`."""
        while start < end:
            page = self._streams.read({partition: start}, min(PAGE, end - start), 0.0)
            if partition not in page:
                raise PositionLost(f"{partition}: the log ends at {start}, before {end}")
            yield page[partition]
            start += len(page[partition])

    def close(self) -> None:
        """The bus keeps its connection."""


class KafkaLog:
    """Over a consumer without a group, which is given its partitions."""

    def __init__(self, bus: Any) -> None:
        self._names, self._consumer = bus.names, bus.connect_reader()

    def ranges(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """See `LogReader.ranges`."""
        from marquee.kafka_reader import answering

        outside = {partition: self._outside(partition) for partition in partitions}
        with answering():
            begins = self._consumer.beginning_offsets(list(outside.values()))
            ends = self._consumer.end_offsets(list(outside.values()))
        return {p: (begins[o], ends[o]) for p, o in outside.items()}

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[list[Message]]:
        """See `LogReader.read`."""
        outside = self._outside(partition)
        self._consumer.assign([outside])
        self._consumer.seek(outside, start)
        while start < end:
            page = [message for message in self._poll(outside) if start <= message.offset < end]
            if not page or page[0].offset != start:
                raise PositionLost(f"{partition}: offset {start} is no longer in the log")
            yield page
            start = page[-1].offset + 1

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def _poll(self, outside: Any) -> list[Message]:
        from marquee.kafka_reader import answering, message_of

        with answering():
            found = self._consumer.poll(timeout_ms=int(_WAIT_S * 1000), max_records=PAGE)
        if outside not in found:
            raise BusUnavailable(f"Kafka: nothing of {outside} came within {_WAIT_S:.0f} s")
        return [message_of(record) for record in found[outside]]

    def _outside(self, partition: TopicPartition) -> Any:
        import kafka

        return kafka.TopicPartition(self._names.outside(partition.topic), partition.partition)


def log_of(bus: Bus) -> LogReader:
    """Return the reader of a bus's log."""
    return RedisLog(bus) if isinstance(bus, RedisBus) else KafkaLog(bus)
