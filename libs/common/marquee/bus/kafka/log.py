"""Read access to whole partitions on Kafka."""

import time
from collections.abc import Iterator
from typing import Any

import kafka
from kafka.errors import KafkaError

from marquee.bus.api import Message, TopicPartition
from marquee.bus.kafka.client import KafkaNames, message_from_record, translate_kafka_errors
from marquee.errors import BusUnavailable, NotFound

_SILENCE_S = 10.0
"""A broker that returns nothing for this long, though there is more, counts as lost."""


class KafkaLog:
    """Partitions on a cluster; see `PartitionLog`. Connects when first used; for one thread."""

    def __init__(self, servers: str, namespace: str, timeout_s: float = 10.0) -> None:
        self._servers, self._names = servers.split(","), KafkaNames(namespace)
        self._timeout_ms = int(timeout_s * 1000)
        self._client: Any = None

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """See `PartitionLog.range`."""
        client_partition, consumer = self._client_partition(partition), self._consumer()
        with translate_kafka_errors():
            begins = consumer.beginning_offsets([client_partition], timeout_ms=self._timeout_ms)
            ends = consumer.end_offsets([client_partition], timeout_ms=self._timeout_ms)
        return begins[client_partition], ends[client_partition]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """See `PartitionLog.read`."""
        client_partition, consumer = self._client_partition(partition), self._consumer()
        start = max(start, self.range(partition)[0])
        heard = time.monotonic()
        while start < end:
            with translate_kafka_errors():
                consumer.assign([client_partition])
                consumer.seek(client_partition, start)
                records = consumer.poll(timeout_ms=500, max_records=5000).get(client_partition, [])
                start = consumer.position(client_partition, timeout_ms=self._timeout_ms)
            yield from (message_from_record(record) for record in records if record.offset < end)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_S:
                raise BusUnavailable(f"Kafka: no answer for {partition} from offset {start} on")

    def drop(self, partition: TopicPartition, before: int) -> None:
        """See `PartitionLog.drop`."""
        with translate_kafka_errors():
            admin = kafka.KafkaAdminClient(
                bootstrap_servers=self._servers, request_timeout_ms=self._timeout_ms
            )
            try:
                admin.delete_records({self._client_partition(partition): before})
            finally:
                admin.close()

    def close(self) -> None:
        """See `PartitionLog.close`."""
        with translate_kafka_errors():
            if self._client is not None:
                self._client.close(autocommit=False)

    def _consumer(self) -> Any:
        if self._client is None:
            with translate_kafka_errors():
                self._client = kafka.KafkaConsumer(
                    bootstrap_servers=self._servers,
                    bootstrap_timeout_ms=self._timeout_ms,
                    group_id=None,
                    auto_offset_reset="none",
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
        return self._client

    def _client_partition(self, partition: TopicPartition) -> Any:
        name = self._names.on_cluster(partition.topic)
        try:
            known = self._consumer().partitions_for_topic(name)
        except KafkaError as error:
            raise BusUnavailable(f"Kafka: {error}") from error
        if not known:
            raise NotFound(f"no topic {partition.topic}")
        return self._names.to_client(partition)
