"""The reading side of the bus on Kafka: a member of a consumer group, with positions of its own."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import kafka
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from marquee.bus.api import Message, TopicPartition
from marquee.bus.assignment import Assignment, position_lost
from marquee.errors import BusUnavailable, PositionLost

_SLICE_S = 0.1
"""The client is polled in slices, so that new partitions are announced soon."""
_RANGES_S = 1.0
"""How long the ranges of the logs are remembered."""
_ASK_S = 2.0
"""A silent broker is asked for the ranges as often, to tell a quiet log from a lost broker."""


@contextlib.contextmanager
def translate_kafka_errors() -> Iterator[None]:
    """Turn what the client raises into BusUnavailable."""
    try:
        yield
    except KafkaError as error:
        raise BusUnavailable(f"Kafka: {error}") from error


class KafkaNames:
    """How the cluster names what is ours: led by the namespace."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}." if namespace else ""

    def outside(self, name: str) -> str:
        """Return the name by which the cluster knows a topic or group."""
        return self._prefix + name

    def inside(self, partition: Any) -> TopicPartition:
        """Return the partition that the client names."""
        return TopicPartition(partition.topic.removeprefix(self._prefix), partition.partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what the client's own thread says; the polling thread acts on it.

    A new partition is paused at a position that is set, so that the client neither fetches nor asks
    for a committed offset before the reader has said where to begin.
    """

    def __init__(self, names: KafkaNames, consumer: Any) -> None:
        self.held: dict[TopicPartition, int] = {}
        self._names = names
        self._consumer = consumer
        self._tokens = itertools.count()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Forget partitions."""
        for partition in revoked:
            self.held.pop(self._names.inside(partition), None)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Note new partitions."""
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)
            self.held[self._names.inside(partition)] = next(self._tokens)


class KafkaSubscription:
    """See `Subscription`. A broker that is away shows as BusUnavailable within a few seconds."""

    def __init__(
        self,
        connect: Callable[[], Any],
        names: KafkaNames,
        topics: list[str],
        listeners: tuple[Callable[[TopicPartition], int], Callable[[TopicPartition], None]],
        timeout_s: float,
    ) -> None:
        self._connected = connect
        self._names = names
        self._timeout_ms = int(timeout_s * 200)
        self._topics = topics
        self._on_assigned, on_revoked = listeners
        self._assignment = Assignment(self._begin, on_revoked)
        self._consumer: Any = None
        self._listener: Any = None
        self._ranges: dict[TopicPartition, tuple[int, int]] = {}
        self._asked = 0.0
        self._heard = time.monotonic()

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """See `Subscription.assigned`."""
        return frozenset(self._assignment.positions)

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """See `Subscription.poll`."""
        deadline = time.monotonic() + seconds
        with translate_kafka_errors():
            self._connect()
            while True:
                left = max(0.0, deadline - time.monotonic())
                found = self._poll(min(left, _SLICE_S), limit)
                if found or time.monotonic() >= deadline:
                    self._listen(found)
                    return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset
        self._consumer.seek(self._outside(partition), offset)

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See `Subscription.commit`."""
        with contextlib.suppress(KafkaError):
            if positions and self._consumer is not None:
                offsets = {
                    self._outside(partition): OffsetAndMetadata(offset, "", -1)
                    for partition, offset in positions.items()
                }
                self._consumer.commit_async(offsets)

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`; at most a second old."""
        if time.monotonic() - self._asked > _RANGES_S or self._ranges.keys() != self.assigned:
            with translate_kafka_errors():
                self._ask()
        return dict(self._ranges)

    def close(self) -> None:
        """See `Subscription.close`."""
        self._assignment.reconcile({})
        if self._consumer is not None:
            with contextlib.suppress(KafkaError):
                self._consumer.close(autocommit=False, timeout_ms=2000)

    def _connect(self) -> None:
        if self._consumer is None:
            consumer = self._connected()
            try:
                outside = [self._names.outside(topic) for topic in self._topics]
                self._listener = _Listener(self._names, consumer)
                consumer.subscribe(outside, listener=self._listener)
                # A leader of the group that does not know the topics yet would assign nothing.
                for topic in outside:
                    if not consumer.partitions_for_topic(topic):
                        raise BusUnavailable(f"Kafka: no partitions of {topic} yet")
            except (KafkaError, BusUnavailable):
                consumer.close(autocommit=False, timeout_ms=0)
                raise
            self._consumer = consumer

    def _poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        try:
            batches = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=limit)
        except OffsetOutOfRangeError as error:
            raise self._lost(error) from error
        except LogTruncationError as error:
            raise PositionLost(
                f"Kafka: {error}: the log has lost messages; bring them back, or fill the"
                " service's store anew from the newest snapshot: marquee rebuild --replace"
            ) from error
        self._assignment.reconcile(dict(self._listener.held))
        positions = self._assignment.positions
        found = {}
        for outside, records in batches.items():
            partition = self._names.inside(outside)
            if partition in positions:
                found[partition] = [message_from_record(record) for record in records]
                positions[partition] = records[-1].offset + 1
        return found

    def _begin(self, partition: TopicPartition) -> int:
        position = self._on_assigned(partition)
        self._consumer.seek(self._outside(partition), position)
        self._consumer.resume(self._outside(partition))
        return position

    def _lost(self, error: OffsetOutOfRangeError) -> PositionLost:
        (outside, position), *_ = error.args[0].items()
        begin = self._consumer.beginning_offsets([outside], timeout_ms=self._timeout_ms)
        end = self._consumer.end_offsets([outside], timeout_ms=self._timeout_ms)
        inside = self._names.inside(outside)
        return position_lost(inside, position, begin[outside], end[outside])

    def _listen(self, found: object) -> None:
        """Ask whether the broker is there when nothing comes: the client would not tell."""
        if found:
            self._heard = time.monotonic()
        elif self.assigned and time.monotonic() - self._heard > _ASK_S:
            self._ask()

    def _ask(self) -> None:
        partitions = [self._outside(partition) for partition in self.assigned]
        begins = self._consumer.beginning_offsets(partitions, timeout_ms=self._timeout_ms)
        ends = self._consumer.end_offsets(partitions, timeout_ms=self._timeout_ms)
        self._ranges = {self._names.inside(p): (begins[p], end) for p, end in ends.items()}
        self._asked = self._heard = time.monotonic()

    def _outside(self, partition: TopicPartition) -> Any:
        return kafka.TopicPartition(self._names.outside(partition.topic), partition.partition)


def message_from_record(record: Any) -> Message:
    """Return a record of the client as a message."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value}
    return Message(record.offset, record.key or b"", record.value or b"", headers)
