"""Subscription on Kafka: a member of a consumer group whose positions are kept by the reader."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from marquee.bus.api import Message, TopicPartition
from marquee.bus.assignment import Assignment, position_lost
from marquee.bus.kafka.client import KafkaNames, message_from_record
from marquee.bus.kafka.connection.faults import REFUSALS
from marquee.errors import BusUnavailable, PositionLost

_SLICE_S = 0.1
"""The client is polled in slices, so that new partitions are announced soon."""
_RANGES_S = 1.0
"""How long the ranges of the logs are remembered."""
_SILENCE_S = 2.0
"""Seconds of silence after which the ranges are asked for: a quiet log, or a lost broker?"""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Records rebalances, which the client's own thread reports; the polling thread acts on them.

    A new partition is paused at a fixed position, so that the client neither fetches nor asks for a
    committed offset before the reader has set its position.
    """

    def __init__(self, names: KafkaNames, consumer: Any) -> None:
        self.tokens: dict[TopicPartition, int] = {}
        """The partitions that the member has, each with the number of its assignment."""
        self._names = names
        self._consumer = consumer
        self._counter = itertools.count()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Remove partitions."""
        for partition in revoked:
            self.tokens.pop(self._names.from_client(partition), None)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Add partitions, paused."""
        for partition in assigned:
            self._consumer.pause(partition)
            self._consumer.seek(partition, 0)
            self.tokens[self._names.from_client(partition)] = next(self._counter)


class KafkaSubscription:
    """See `Subscription`. A lost broker is reported by BusUnavailable within a few seconds."""

    def __init__(
        self,
        connect: Callable[[], Any],
        names: KafkaNames,
        topics: list[str],
        listeners: tuple[Callable[[TopicPartition], int], Callable[[TopicPartition], None]],
        timeout_s: float,
        translate_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._open_consumer = connect
        self._names = names
        self._timeout_ms = int(timeout_s * 200)
        self._topics = topics
        self._translate_errors = translate_errors
        self._on_assigned, on_revoked = listeners
        self._assignment = Assignment(self._begin, on_revoked)
        self._consumer: Any = None
        self._listener: Any = None
        self._ranges: dict[TopicPartition, tuple[int, int]] = {}
        self._ranges_at = 0.0
        self._heard = time.monotonic()

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """See `Subscription.assigned`."""
        return frozenset(self._assignment.positions)

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """See `Subscription.poll`."""
        deadline = time.monotonic() + seconds
        with self._translate_errors():
            self._connect()
            while True:
                left = max(0.0, deadline - time.monotonic())
                batches = self._poll(min(left, _SLICE_S), limit)
                if batches or time.monotonic() >= deadline:
                    self._check_silence(batches)
                    return batches

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset
        self._consumer.seek(self._names.to_client(partition), offset)

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See `Subscription.commit`."""
        with contextlib.suppress(KafkaError):
            if positions and self._consumer is not None:
                offsets = {
                    self._names.to_client(partition): OffsetAndMetadata(offset, "", -1)
                    for partition, offset in positions.items()
                }
                self._consumer.commit_async(offsets)

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`; at most a second old."""
        if time.monotonic() - self._ranges_at > _RANGES_S or self._ranges.keys() != self.assigned:
            with self._translate_errors():
                self._read_ranges()
        return dict(self._ranges)

    def close(self) -> None:
        """See `Subscription.close`."""
        self._assignment.reconcile({})
        if self._consumer is not None:
            with contextlib.suppress(KafkaError):
                self._consumer.close(autocommit=False, timeout_ms=2000)

    def _disconnect(self) -> None:
        """Leave: the client keeps that the broker refused it, and would not try again."""
        self._assignment.reconcile({})
        consumer, self._consumer = self._consumer, None
        with contextlib.suppress(KafkaError):
            consumer.close(autocommit=False, timeout_ms=0)

    def _connect(self) -> None:
        if self._consumer is None:
            consumer = self._open_consumer()
            try:
                names = [self._names.on_cluster(topic) for topic in self._topics]
                self._listener = _Listener(self._names, consumer)
                consumer.subscribe(names, listener=self._listener)
                # A leader of the group that does not know the topics yet would assign nothing.
                for topic in names:
                    if not consumer.partitions_for_topic(topic):
                        raise BusUnavailable(f"Kafka: no partitions of {topic} yet")
            except (KafkaError, BusUnavailable):
                consumer.close(autocommit=False, timeout_ms=0)
                raise
            self._consumer = consumer

    def _poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        try:
            records_by_partition = self._consumer.poll(
                timeout_ms=int(seconds * 1000), max_records=limit
            )
        except REFUSALS:
            self._disconnect()
            raise
        except OffsetOutOfRangeError as error:
            raise self._position_lost(error) from error
        except LogTruncationError as error:
            raise PositionLost(
                f"Kafka: {error}: the log has lost messages; bring them back, or fill the"
                " service's store anew from the newest snapshot: marquee rebuild --replace"
            ) from error
        self._assignment.reconcile(dict(self._listener.tokens))
        positions = self._assignment.positions
        batches = {}
        for client_partition, records in records_by_partition.items():
            partition = self._names.from_client(client_partition)
            if partition in positions:
                batches[partition] = [message_from_record(record) for record in records]
                positions[partition] = records[-1].offset + 1
        return batches

    def _begin(self, partition: TopicPartition) -> int:
        position = self._on_assigned(partition)
        self._consumer.seek(self._names.to_client(partition), position)
        self._consumer.resume(self._names.to_client(partition))
        return position

    def _position_lost(self, error: OffsetOutOfRangeError) -> PositionLost:
        (lost, position), *_ = error.args[0].items()
        begin = self._consumer.beginning_offsets([lost], timeout_ms=self._timeout_ms)
        end = self._consumer.end_offsets([lost], timeout_ms=self._timeout_ms)
        return position_lost(self._names.from_client(lost), position, begin[lost], end[lost])

    def _check_silence(self, batches: object) -> None:
        """Ask for the ranges when nothing comes: the client would not tell of a lost broker."""
        if batches:
            self._heard = time.monotonic()
        elif self.assigned and time.monotonic() - self._heard > _SILENCE_S:
            self._read_ranges()

    def _read_ranges(self) -> None:
        partitions = [self._names.to_client(partition) for partition in self.assigned]
        begins = self._consumer.beginning_offsets(partitions, timeout_ms=self._timeout_ms)
        ends = self._consumer.end_offsets(partitions, timeout_ms=self._timeout_ms)
        self._ranges = {self._names.from_client(p): (begins[p], end) for p, end in ends.items()}
        self._ranges_at = self._heard = time.monotonic()
