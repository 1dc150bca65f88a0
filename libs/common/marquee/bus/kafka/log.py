"""The log of a partition as a whole, on Kafka."""

import time
from collections.abc import Iterator
from typing import Any

import kafka
from kafka.errors import KafkaError

from marquee.bus.api import Message, TopicPartition
from marquee.bus.kafka.subscription import KafkaNames, message_from_record, translate_kafka_errors
from marquee.errors import BusUnavailable, NotFound

_SILENCE_S = 10.0
"""A broker that gives nothing for so long, though there is more, does not answer."""


class KafkaLog:
    """Partitions on a cluster; see `WholeLog`. Connects when first used; for one thread."""

    def __init__(self, servers: str, namespace: str, timeout_s: float = 10.0) -> None:
        self._servers, self._names = servers.split(","), KafkaNames(namespace)
        self._timeout_ms = int(timeout_s * 1000)
        self._made: Any = None

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """See `WholeLog.range`."""
        outside, consumer = self._outside(partition), self._consumer()
        with translate_kafka_errors():
            begins = consumer.beginning_offsets([outside], timeout_ms=self._timeout_ms)
            ends = consumer.end_offsets([outside], timeout_ms=self._timeout_ms)
        return begins[outside], ends[outside]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """See `WholeLog.read`."""
        outside, consumer = self._outside(partition), self._consumer()
        start = max(start, self.range(partition)[0])
        heard = time.monotonic()
        while start < end:
            with translate_kafka_errors():
                consumer.assign([outside])
                consumer.seek(outside, start)
                records = consumer.poll(timeout_ms=500, max_records=5000).get(outside, [])
                start = consumer.position(outside, timeout_ms=self._timeout_ms)
            yield from (message_from_record(record) for record in records if record.offset < end)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_S:
                raise BusUnavailable(f"Kafka: no answer for {partition} from offset {start} on")

    def drop(self, partition: TopicPartition, before: int) -> None:
        """See `WholeLog.drop`."""
        with translate_kafka_errors():
            admin = kafka.KafkaAdminClient(
                bootstrap_servers=self._servers, request_timeout_ms=self._timeout_ms
            )
            try:
                admin.delete_records({self._outside(partition): before})
            finally:
                admin.close()

    def close(self) -> None:
        """See `WholeLog.close`."""
        with translate_kafka_errors():
            if self._made is not None:
                self._made.close(autocommit=False)

    def _consumer(self) -> Any:
        if self._made is None:
            with translate_kafka_errors():
                self._made = kafka.KafkaConsumer(
                    bootstrap_servers=self._servers,
                    bootstrap_timeout_ms=self._timeout_ms,
                    group_id=None,
                    auto_offset_reset="none",
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
        return self._made

    def _outside(self, partition: TopicPartition) -> Any:
        name = self._names.outside(partition.topic)
        try:
            known = self._consumer().partitions_for_topic(name)
        except KafkaError as error:
            raise BusUnavailable(f"Kafka: {error}") from error
        if not known:
            raise NotFound(f"no topic {partition.topic}")
        return kafka.TopicPartition(name, partition.partition)
