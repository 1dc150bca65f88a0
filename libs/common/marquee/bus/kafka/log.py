"""Read access to whole partitions on Kafka."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import kafka
from kafka.errors import TopicAuthorizationFailedError

from marquee.bus.api import Message, TopicPartition
from marquee.bus.kafka.client import KafkaNames, message_from_record
from marquee.bus.kafka.connection.cluster import PLAIN, KafkaConnection
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.errors import BusUnavailable, NotFound

_SILENCE_S = 10.0
"""A broker that returns nothing for this long, though there is more, counts as lost."""


class KafkaLog:
    """Partitions on a cluster; see `PartitionLog`. Connects when first used; for one thread."""

    def __init__(
        self,
        servers: str,
        namespace: str,
        security: KafkaSecurity = PLAIN,
        timeout_s: float = 10.0,
    ) -> None:
        self._connection = KafkaConnection(servers, security, timeout_s)
        self._names = KafkaNames(namespace)
        self._timeout_ms = self._connection.timeout_ms
        self._client: Any = None

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """See `PartitionLog.range`."""
        client_partition, consumer = self._client_partition(partition), self._consumer()
        with self._connection.translate_errors():
            begins = consumer.beginning_offsets([client_partition], timeout_ms=self._timeout_ms)
            ends = consumer.end_offsets([client_partition], timeout_ms=self._timeout_ms)
        return begins[client_partition], ends[client_partition]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """See `PartitionLog.read`."""
        client_partition, consumer = self._client_partition(partition), self._consumer()
        start = max(start, self.range(partition)[0])
        heard = time.monotonic()
        while start < end:
            with self._connection.translate_errors():
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
        with self._admin() as admin:
            admin.delete_records({self._client_partition(partition): before})

    def close(self) -> None:
        """See `PartitionLog.close`."""
        with self._connection.translate_errors():
            if self._client is not None:
                self._client.close(autocommit=False)

    def _consumer(self) -> Any:
        if self._client is None:
            with self._connection.translate_errors():
                self._client = kafka.KafkaConsumer(
                    **self._connection.client_options(),
                    group_id=None,
                    auto_offset_reset="none",
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
        return self._client

    def _client_partition(self, partition: TopicPartition) -> Any:
        name = self._names.on_cluster(partition.topic)
        with self._connection.translate_errors():
            known = self._consumer().partitions_for_topic(name)
        if not known:
            self._check_visible(name)
            raise NotFound(f"no topic {partition.topic}")
        return self._names.to_client(partition)

    def _check_visible(self, name: str) -> None:
        """Raise BusUnavailable for a topic that the user may not see: consumers do not tell."""
        with self._admin() as admin:
            [described] = admin.describe_topics([name])
            if described["error_code"] == TopicAuthorizationFailedError.errno:
                raise TopicAuthorizationFailedError({name})

    @contextlib.contextmanager
    def _admin(self) -> Iterator[Any]:
        with self._connection.translate_errors():
            admin = kafka.KafkaAdminClient(
                **self._connection.client_options(), request_timeout_ms=self._timeout_ms
            )
            try:
                yield admin
            finally:
                admin.close()
