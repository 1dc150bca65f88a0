"""Producers that put any bytes on any partition, to write invalid messages."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import kafka
from kafka.admin import ConfigResource, ConfigResourceType

from marquee.bus.api import Published, TopicPartition
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.kafka.log import KafkaLog
from marquee.bus.redis.bus import RedisBus
from marquee.bus.redis.log import RedisLog
from marquee.bus.redis.streams import offset_of
from marquee_testing.waiting import until


@dataclass(frozen=True)
class RawMessage:
    """Any bytes, and where to put them."""

    at: TopicPartition
    key: bytes
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


class RawRedisProducer:
    """On Redis Streams."""

    def __init__(self, url: str, namespace: str) -> None:
        self.bus = RedisBus(url, namespace)
        self.log = RedisLog(self.bus)

    def put(self, at: TopicPartition, key: bytes, value: bytes, **headers: bytes) -> None:
        """Put a message where it is told to."""
        self.put_many([RawMessage(at, key, value, headers)])

    def put_many(self, messages: Sequence[RawMessage]) -> list[Published]:
        """Put messages where they are told to; return where they are."""
        pipe = self.bus.client.pipeline(transaction=False)
        for message in messages:
            fields: dict[Any, Any] = {b"k": message.key, b"v": message.value}
            fields |= {f"h:{name}".encode(): text for name, text in message.headers.items()}
            pipe.xadd(self.bus.streams.key(message.at), fields, id="0-*")
        ids = pipe.execute()
        return [Published(m.at, offset_of(id_)) for m, id_ in zip(messages, ids, strict=True)]

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
        """Put a message where it is told to; wait until a limit just raised is in force."""
        self.put_many([RawMessage(at, key, value, headers)])

    def put_many(self, messages: Sequence[RawMessage]) -> list[Published]:
        """Put messages where they are told to; return where they are.

        A broker answers a change of a topic's settings before it follows it, so what it refuses as
        too large is sent again.
        """
        with closing(
            kafka.KafkaProducer(bootstrap_servers=self._servers, max_request_size=4_000_000)
        ) as producer:
            waits = dict(enumerate(self._send(producer, message) for message in messages))
            offsets: dict[int, int] = {}

            def are_taken() -> bool:
                for place in list(waits):
                    try:
                        offsets[place] = waits[place].get(60).offset
                        del waits[place]
                    except kafka.errors.MessageSizeTooLargeError:
                        waits[place] = self._send(producer, messages[place])
                return not waits

            until(are_taken)
        return [Published(message.at, offsets[i]) for i, message in enumerate(messages)]

    def _send(self, producer: Any, message: RawMessage) -> Any:
        return producer.send(
            f"{self._namespace}.{message.at.topic}",
            message.value,
            message.key,
            partition=message.at.partition,
            headers=list(message.headers.items()),
        )

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
