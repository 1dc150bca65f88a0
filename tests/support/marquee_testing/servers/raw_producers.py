"""Producers that put any bytes on any partition, to write invalid messages."""

from typing import Any

import kafka
from kafka.admin import ConfigResource, ConfigResourceType

from marquee.bus.api import TopicPartition
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.kafka.log import KafkaLog
from marquee.bus.redis.bus import RedisBus
from marquee.bus.redis.log import RedisLog


class RawRedisProducer:
    """On Redis Streams."""

    def __init__(self, url: str, namespace: str) -> None:
        self.bus = RedisBus(url, namespace)
        self.log = RedisLog(self.bus)

    def put(self, at: TopicPartition, key: bytes, value: bytes, **headers: bytes) -> None:
        """Put a message where it is told to."""
        fields: dict[Any, Any] = {b"k": key, b"v": value}
        fields |= {f"h:{name}".encode(): text for name, text in headers.items()}
        self.bus.client.xadd(self.bus.streams.key(at), fields, id="0-*")

    def allow_large(self, topic: str) -> None:
        """Do nothing: Redis Streams take large messages as they are."""

    def close(self) -> None:
        """The bus is closed by whoever consumes from it."""


class RawKafkaProducer:
    """On Kafka."""

    def __init__(self, servers: str, namespace: str) -> None:
        self._servers, self._namespace = servers, namespace
        self.bus = KafkaBus(servers, namespace)
        self.log = KafkaLog(servers, namespace)

    def put(self, at: TopicPartition, key: bytes, value: bytes, **headers: bytes) -> None:
        """Put a message where it is told to."""
        producer = kafka.KafkaProducer(bootstrap_servers=self._servers, max_request_size=4_000_000)
        topic, sent = f"{self._namespace}.{at.topic}", list(headers.items())
        producer.send(topic, value, key, partition=at.partition, headers=sent).get(60)
        producer.close()

    def allow_large(self, topic: str) -> None:
        """Let a topic take more than brokers do by default."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self._servers)
        name, wanted = f"{self._namespace}.{topic}", {"max.message.bytes": "4000000"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)])
        admin.close()

    def close(self) -> None:
        """Let go of the log's connection."""
        self.log.close()


RawProducer = RawRedisProducer | RawKafkaProducer
