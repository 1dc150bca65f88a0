"""The bus on Kafka, through kafka-python: idempotent producer, positions kept by the reader."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import kafka
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from marquee.bus.api import Outgoing, Published, TopicPartition, TopicState
from marquee.bus.assignment import partition_count_fault
from marquee.bus.kafka.subscription import KafkaNames, KafkaSubscription, translate_kafka_errors
from marquee.errors import BusUnavailable, Conflict, InvalidInput, NotFound
from marquee.events import MODELS
from marquee.events.partitioning import partition_of_bytes

UNLIMITED_RETENTION = frozenset({MODELS})
"""Topics whose messages stay: what is published there is nowhere else."""
DAY_MS = 24 * 3600 * 1000


class KafkaBus:
    """Topics of one namespace on a cluster. `replication` −1 takes the brokers' default.

    A dead member is replaced after `session_s` seconds, which the brokers' settings bound (6 s to
    30 min by default); one that does not poll for 5 minutes counts as dead too. With a `member`, a
    name that no other of its group has, it gets its partitions back at once when it is started
    again, and nobody else gets them when it stops for less than `session_s`. New topics keep
    messages for `retention_days`.
    """

    def __init__(
        self,
        servers: str,
        namespace: str,
        *,
        replication: int = -1,
        retention_days: int = 30,
        member: str = "",
        session_s: float = 10.0,
        timeout_s: float = 10.0,
    ) -> None:
        self.timeout_s = timeout_s
        self._servers = servers.split(",")
        self.names = KafkaNames(namespace)
        self._replication = replication
        self._retention_ms = retention_days * DAY_MS
        self._member = member or None
        self._session_s = session_s
        self._counts: dict[str, int] = {}
        self._lock = threading.RLock()
        self._admin: Any = None

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """See `Bus.create_topics`."""
        with self._admin_client() as admin:
            wanted = {
                self.names.outside(topic): self._wanted(topic, count)
                for topic, count in partitions.items()
            }
            reply = admin.create_topics(wanted, raise_errors=False)
            for topic in reply["topics"]:
                if topic["error_code"] not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(topic["error_code"])(topic["error_message"])
            admin.wait_for_topics(list(wanted), timeout_ms=int(self.timeout_s * 1000))
        for topic, count in partitions.items():
            known = self.partitions(topic)
            if known != count:
                raise Conflict(partition_count_fault(topic, known, count))

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        if topic not in self._counts:
            self._counts[topic] = self.topic(topic).partitions
        return self._counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        with self._admin_client() as admin:
            found = admin.describe_topics([self.names.outside(topic)])[0]
        if found["error_code"] == UnknownTopicOrPartitionError.errno:
            raise NotFound(f"no topic {topic}")
        if found["error_code"]:
            raise BusUnavailable(f"Kafka: {for_code(found['error_code']).__name__}: {topic}")
        return TopicState(str(found["topic_id"]), len(found["partitions"]))

    def producer(self) -> "KafkaProducer":
        """See `Bus.producer`."""
        return KafkaProducer(self)

    def subscribe(
        self,
        group: str,
        topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> "KafkaSubscription":
        """See `Bus.subscribe`."""

        def connect() -> Any:
            for topic in wanted:
                self.partitions(topic)
            return self._connect_consumer(group)

        wanted = sorted(set(topics))
        listeners = (on_assigned, on_revoked)
        return KafkaSubscription(connect, self.names, wanted, listeners, self.timeout_s)

    def close(self) -> None:
        """See `Bus.close`."""
        with self._lock:
            if self._admin is not None:
                self._admin.close()
                self._admin = None

    def connect_producer(self) -> Any:
        """Return a new producer of the client."""
        self._reach()
        milliseconds = int(self.timeout_s * 1000)
        return kafka.KafkaProducer(
            bootstrap_servers=self._servers,
            bootstrap_timeout_ms=milliseconds,
            enable_idempotence=True,
            acks="all",
            allow_auto_create_topics=False,
            max_block_ms=milliseconds,
            request_timeout_ms=milliseconds // 2,
            delivery_timeout_ms=milliseconds,
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
        )

    def _wanted(self, topic: str, count: int) -> dict[str, Any]:
        kept = -1 if topic in UNLIMITED_RETENTION else self._retention_ms
        return {
            "num_partitions": count,
            "replication_factor": self._replication,
            "configs": {"retention.ms": str(kept), "cleanup.policy": "delete"},
        }

    def _connect_consumer(self, group: str) -> Any:
        """Return a new consumer of the client; positions never come from the cluster."""
        self._reach()
        return kafka.KafkaConsumer(
            bootstrap_servers=self._servers,
            bootstrap_timeout_ms=int(self.timeout_s * 1000),
            group_id=self.names.outside(group),
            group_instance_id=self._member,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=int(self._session_s * 1000),
            heartbeat_interval_ms=min(1000, int(self._session_s * 250)),
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
        )

    @contextlib.contextmanager
    def _admin_client(self) -> Iterator[Any]:
        """Lend the admin client; it is made anew after an error."""
        with self._lock, translate_kafka_errors():
            if self._admin is None:
                self._reach()
                self._admin = kafka.KafkaAdminClient(
                    bootstrap_servers=self._servers,
                    bootstrap_timeout_ms=int(self.timeout_s * 1000),
                    request_timeout_ms=int(self.timeout_s * 1000),
                )
            try:
                yield self._admin
            except KafkaError:
                self.close()
                raise

    def _reach(self) -> None:
        """Raise BusUnavailable when nobody listens: the client would wait and leave a thread."""
        for server in self._servers:
            host, _, port = server.rpartition(":")
            with contextlib.suppress(OSError):
                socket.create_connection((host, int(port)), self.timeout_s / 5).close()
                return
        raise BusUnavailable(f"Kafka: nobody listens at {', '.join(self._servers)}")


class KafkaProducer:
    """See `Producer`. After an error what is under way is given up; the next call connects anew."""

    def __init__(self, bus: KafkaBus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._producer: Any = None

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        deadline = time.monotonic() + self._bus.timeout_s
        targets = [
            TopicPartition(m.topic, partition_of_bytes(m.key, self._bus.partitions(m.topic)))
            for m in messages
        ]
        with translate_kafka_errors():
            producer = self._connected()
            try:
                futures = [
                    self._send(producer, target, message)
                    for target, message in zip(targets, messages, strict=True)
                ]
                sent = [future.get(max(0.0, deadline - time.monotonic())) for future in futures]
            except MessageSizeTooLargeError as error:
                raise InvalidInput(f"message: {error}") from error
            except KafkaError:
                self._drop(producer)
                raise
        return [
            Published(target, metadata.offset)
            for target, metadata in zip(targets, sent, strict=True)
        ]

    def close(self) -> None:
        """See `Producer.close`."""
        with self._lock, contextlib.suppress(KafkaError):
            if self._producer is not None:
                self._producer.close(self._bus.timeout_s)

    def _connected(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = self._bus.connect_producer()
            return self._producer

    def _send(self, producer: Any, target: TopicPartition, message: Outgoing) -> Any:
        return producer.send(
            self._bus.names.outside(target.topic),
            key=message.key,
            value=message.value,
            headers=[(name, value.encode()) for name, value in message.headers.items()],
            partition=target.partition,
        )

    def _drop(self, producer: Any) -> None:
        # What waits in a failed producer must not arrive after what is published next.
        with self._lock:
            if self._producer is producer:
                self._producer = None
        with contextlib.suppress(KafkaError):
            producer.close(0)
