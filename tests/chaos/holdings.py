"""The checker's access to store and logs: plain clients, no code of Marquee."""

import json
from typing import Any

import kafka
import redis

from fold import Person, Sent, person_of, sums_of

SERVICES = ("gateway", "content", "hybrid", "user-model", "neural")
TOPICS = ("movies", "ratings")
PARTITIONS = 4
NAMESPACE = "marquee"


class Holdings:
    """The facts of every service in Redis."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=20.0)

    def position(self, service: str, topic: str, partition: int) -> int:
        """Return the position of a service in a partition."""
        return int(self._redis.get(_key(service, topic, partition, "position")) or 0)

    def movies(self, service: str) -> dict[int, dict[str, Any]]:
        """Return the movies that a service has."""
        return {i: json.loads(row) for i, row in self._hashes(service, "movies", "films").items()}

    def rules(self) -> dict[int, dict[str, Any]]:
        """Return the rules by movie."""
        found = self._hashes("gateway", "movies", "rules")
        return {i: json.loads(row) for i, row in found.items()}

    def sums(self) -> dict[int, list[int]]:
        """Return each movie's sums over all partitions."""
        total: dict[int, list[int]] = {}
        for partition in range(PARTITIONS):
            key = _key("content", "ratings", partition, "sums")
            for name, packed in self._redis.hgetall(key).items():
                before = total.get(int(name), [0, 0, 0])
                total[int(name)] = [a + b for a, b in zip(before, sums_of(packed), strict=True)]
        return total

    def people(self, service: str, users: set[int]) -> dict[int, Person]:
        """Return a service's facts of users; each user is in one partition at most."""
        found: dict[int, Person] = {}
        for partition in range(PARTITIONS):
            names = [_key(service, "ratings", partition, f"user:{i}") for i in users]
            for user, packed in zip(users, self._redis.mget(names) if names else [], strict=True):
                if packed and user in found:
                    raise SystemExit(f"{service} holds viewer {user} in two partitions")
                if packed:
                    found[user] = person_of(packed)
        return found

    def log(self, topic: str, partition: int) -> list[Sent]:
        """Return the messages of a partition, where the bus is Redis."""
        name = f"{topic}:{partition}"
        return [
            Sent(name, int(i.partition(b"-")[2]) - 1, fields[b"v"])
            for i, fields in self._redis.xrange(f"{NAMESPACE}:log:{{{name}}}")
        ]

    def letters(self, topic: str) -> list[tuple[str, str]]:
        """Return service and place of each dead letter, where the bus is Redis."""
        found = self._redis.xrange(f"{NAMESPACE}:log:{{{topic}.dead:0}}")
        return [
            (fields[b"h:marquee-group"].decode(), fields[b"h:marquee-position"].decode())
            for _, fields in found
        ]

    def _hashes(self, service: str, topic: str, name: str) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for partition in range(PARTITIONS):
            rows = self._redis.hgetall(_key(service, topic, partition, name))
            found.update({int(i): row for i, row in rows.items()})
        return found


class KafkaLog:
    """The messages of Kafka's topics, read from the first on."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    def log(self, topic: str, partition: int) -> list[Sent]:
        """Return the messages of a partition."""
        name = f"{topic}:{partition}"
        return [Sent(name, one.offset, one.value) for one in self._read(topic, partition)]

    def letters(self, topic: str) -> list[tuple[str, str]]:
        """Return service and place of each dead letter."""
        headers = [dict(one.headers) for one in self._read(f"{topic}.dead", 0)]
        return [
            (one["marquee-group"].decode(), one["marquee-position"].decode()) for one in headers
        ]

    def _read(self, topic: str, partition: int) -> list[Any]:
        reader = kafka.KafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, metrics_enabled=False
        )
        try:
            where = kafka.TopicPartition(f"{NAMESPACE}.{topic}", partition)
            reader.assign([where])
            reader.seek_to_beginning(where)
            end, found = reader.end_offsets([where])[where], []
            while reader.position(where) < end:
                for messages in reader.poll(1000).values():
                    found += messages
            return found
        finally:
            reader.close()


def _key(service: str, topic: str, partition: int, name: str) -> str:
    return f"{NAMESPACE}:{service}:{{{topic}:{partition}}}:{name}"
