"""The event bus on Kafka, through kafka-python."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import kafka
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from marquee.bus.api import TopicPartition, TopicState
from marquee.bus.assignment import partition_count_fault
from marquee.bus.kafka.assignor import TopicwiseAssignor
from marquee.bus.kafka.client import KafkaNames
from marquee.bus.kafka.connection.cluster import PLAIN, KafkaConnection
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.bus.kafka.joining import keep_join_results
from marquee.bus.kafka.producer import KafkaProducer
from marquee.bus.kafka.subscription import KafkaSubscription
from marquee.bus.kafka.topic_settings import TopicSettings, read_topic_settings
from marquee.errors import BusUnavailable, Conflict, NotFound
from marquee.events import MODELS

UNLIMITED_RETENTION = frozenset({MODELS})
"""Topics that keep all messages: what is published there exists nowhere else."""
DAY_MS = 24 * 3600 * 1000
_NOT_ALLOWED, _UNKNOWN = TopicAuthorizationFailedError, UnknownTopicOrPartitionError


class KafkaBus:
    """Topics of one namespace on a cluster.

    A member that does not poll for 5 minutes counts as dead.

    Args:
        servers: Addresses of brokers, separated by commas.
        namespace: Prefix of the names of topics and groups.
        security: How clients connect.
        replication: Replicas of new topics; −1 takes the brokers' default.
        retention_days: How long new topics keep messages.
        member: A name unique in its group, for static membership: the member gets its partitions
            back at once when it is started again, and nobody else gets them when it stops for less
            than `session_s`.
        session_s: Seconds after which a dead member is replaced; the brokers' settings bound them
            (6 s to 30 min by default).
        timeout_s: Limit of each call.

    Raises:
        SettingsError: A file of the security cannot be used.
    """

    def __init__(
        self,
        servers: str,
        namespace: str,
        *,
        security: KafkaSecurity = PLAIN,
        replication: int = -1,
        retention_days: int = 30,
        member: str = "",
        session_s: float = 10.0,
        timeout_s: float = 10.0,
    ) -> None:
        self._timeout_s = timeout_s
        self._connection = KafkaConnection(servers, security, timeout_s)
        self._names = KafkaNames(namespace)
        self._replication = replication
        self._retention_ms = retention_days * DAY_MS
        self._member = member or None
        self._session_s = session_s
        self._counts: dict[str, int] = {}
        self._lock = threading.RLock()
        self._admin: Any = None

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """See `Bus.create_topics`; topics that exist need no right to create topics."""
        with self._admin_client() as admin:
            missing = self._missing(admin, partitions)
            if missing:
                self._create(admin, {topic: partitions[topic] for topic in missing})
        for topic, count in partitions.items():
            known = self.partitions(topic)
            if known != count:
                raise Conflict(partition_count_fault(topic, known, count))

    def _missing(self, admin: Any, topics: Iterable[str]) -> list[str]:
        """Return the topics that do not exist."""
        names = {self._names.on_cluster(topic): topic for topic in topics}
        errors = {one["name"]: one["error_code"] for one in admin.describe_topics(list(names))}
        hidden = {name for name, code in errors.items() if code == _NOT_ALLOWED.errno}
        if hidden:
            raise _NOT_ALLOWED(hidden)
        return [names[name] for name, code in errors.items() if code == _UNKNOWN.errno]

    def _create(self, admin: Any, partitions: Mapping[str, int]) -> None:
        configs = {
            self._names.on_cluster(topic): self._topic_config(topic, count)
            for topic, count in partitions.items()
        }
        reply = admin.create_topics(configs, raise_errors=False)
        codes = {topic["name"]: topic["error_code"] for topic in reply["topics"]}
        refused = sorted(name for name, code in codes.items() if code == _NOT_ALLOWED.errno)
        if refused:
            raise BusUnavailable(
                f"Kafka: {', '.join(refused)} do not exist, and this user may not create topics:"
                " start the consumers of the gateway or the trainer, which do"
            )
        for topic in reply["topics"]:
            if topic["error_code"] not in (0, TopicAlreadyExistsError.errno):
                raise for_code(topic["error_code"])(topic["error_message"])
        admin.wait_for_topics(list(configs), timeout_ms=self._connection.timeout_ms)

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        if topic not in self._counts:
            self._counts[topic] = self.topic(topic).partitions
        return self._counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        with self._admin_client() as admin:
            description = admin.describe_topics([self._names.on_cluster(topic)])[0]
        if description["error_code"] == _UNKNOWN.errno:
            raise NotFound(f"no topic {topic}")
        if description["error_code"]:
            error = for_code(description["error_code"])
            raise self._connection.unavailable(error({self._names.on_cluster(topic)}))
        return TopicState(str(description["topic_id"]), len(description["partitions"]))

    def topic_settings(self, topics: Iterable[str]) -> dict[str, TopicSettings]:
        """Return the settings of those topics that exist.

        Raises:
            BusUnavailable: The cluster does not answer, or does not show one of them to the user.
        """
        names = {self._names.on_cluster(topic): topic for topic in topics}
        with self._admin_client() as admin:
            self._missing(admin, names.values())
            found = read_topic_settings(admin, names)
        return {names[name]: settings for name, settings in found.items()}

    def producer(self) -> "KafkaProducer":
        """See `Bus.producer`."""
        return KafkaProducer(
            self._connect_producer,
            self._names,
            self.partitions,
            self._timeout_s,
            self._connection.translate_errors,
        )

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
        translate = self._connection.translate_errors
        return KafkaSubscription(
            connect, self._names, wanted, listeners, self._timeout_s, translate
        )

    def close(self) -> None:
        """See `Bus.close`."""
        with self._lock:
            if self._admin is not None:
                self._admin.close()
                self._admin = None

    def _connect_producer(self) -> Any:
        """Return a new producer of the client."""
        milliseconds = self._connection.timeout_ms
        return kafka.KafkaProducer(
            **self._connection.client_options(),
            enable_idempotence=True,
            acks="all",
            allow_auto_create_topics=False,
            max_block_ms=milliseconds,
            request_timeout_ms=milliseconds // 2,
            delivery_timeout_ms=milliseconds,
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
        )

    def _topic_config(self, topic: str, count: int) -> dict[str, Any]:
        retention_ms = -1 if topic in UNLIMITED_RETENTION else self._retention_ms
        return {
            "num_partitions": count,
            "replication_factor": self._replication,
            "configs": {"retention.ms": str(retention_ms), "cleanup.policy": "delete"},
        }

    def _connect_consumer(self, group: str) -> Any:
        """Return a new consumer of the client; positions never come from the cluster."""
        consumer = kafka.KafkaConsumer(
            **self._connection.client_options(),
            group_id=self._names.on_cluster(group),
            group_instance_id=self._member,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            # The second one is for members of a release before, while a group is updated.
            partition_assignment_strategy=[TopicwiseAssignor, CooperativeStickyAssignor],
            session_timeout_ms=int(self._session_s * 1000),
            heartbeat_interval_ms=min(1000, int(self._session_s * 250)),
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
        )
        keep_join_results(consumer)
        return consumer

    @contextlib.contextmanager
    def _admin_client(self) -> Iterator[Any]:
        """Lend the admin client under a lock; after an error it is replaced."""
        with self._lock, self._connection.translate_errors():
            if self._admin is None:
                self._admin = kafka.KafkaAdminClient(
                    **self._connection.client_options(),
                    request_timeout_ms=self._connection.timeout_ms,
                )
            try:
                yield self._admin
            except KafkaError:
                self.close()
                raise
