"""The event bus protocols: a log of partitions, read from positions that the reader keeps.

Two implementations pass one contract suite: `marquee.bus.kafka` and `marquee.bus.redis`; a third,
in memory, serves unit tests. Offsets are dense integers from 0 in each of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from marquee.events import Event


@dataclass(frozen=True, order=True)
class TopicPartition:
    """One partition of a topic; its text form is `topic:partition`."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}"

    @classmethod
    def parse(cls, text: str) -> "TopicPartition":
        """Parse `topic:partition`."""
        topic, _, partition = text.rpartition(":")
        return cls(topic, int(partition))


@dataclass(frozen=True)
class Message:
    """A message read from a partition."""

    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    recorded_ms: int | None = None
    """When the log took it, ms since 1970; None where the log does not keep it."""

    @property
    def recorded(self) -> datetime | None:
        """When the log took it, None where the log does not keep it."""
        ms = self.recorded_ms
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


@dataclass(frozen=True)
class Outgoing:
    """A message to publish; the key determines the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, event: Event, headers: Mapping[str, str] | None = None) -> "Outgoing":
        """Encode an event."""
        return cls(event.topic, event.key.encode(), event.encode(), headers or {})


@dataclass(frozen=True)
class Published:
    """The position of a published message."""

    partition: TopicPartition
    offset: int


@dataclass(frozen=True)
class TopicState:
    """A topic as it is on the server; one that is deleted and re-created gets another `id`."""

    id: str
    partitions: int


class Producer(Protocol):
    """Publishes; safe to use from several threads."""

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """Append messages to the log in the order given, and return their positions.

        Raises:
            BusUnavailable: Some of the messages may be in the log all the same.
            InvalidInput: A message is too large.
        """
        ...

    def close(self) -> None:
        """Send pending messages and close the connection."""
        ...


class Subscription(Protocol):
    """One member of a consumer group: each partition is read by one member at a time."""

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads at present."""
        ...

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """Return up to `limit` messages in all, waiting up to `seconds` for the first.

        New partitions are announced to `on_assigned` within this call, lost ones to `on_revoked`.

        Raises:
            BusUnavailable: Nothing was lost; poll again.
            PositionLost: The log does not contain the position.
        """
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read a partition from `offset` on."""
        ...

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Report the next offsets to the bus, for lag monitoring only; never raises."""
        ...

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset and the end (next offset) of each assigned partition."""
        ...

    def close(self) -> None:
        """Leave the group, so that other members take the partitions at once."""
        ...


class Bus(Protocol):
    """A connection to a bus; connects when first used."""

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Create topics that do not exist.

        Raises:
            Conflict: A topic exists with another number of partitions.
        """
        ...

    def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic.

        Raises:
            NotFound: It does not exist.
        """
        ...

    def topic(self, topic: str) -> TopicState:
        """Return the state of a topic on the server.

        Raises:
            NotFound: It does not exist.
        """
        ...

    def producer(self) -> Producer:
        """Return a new producer."""
        ...

    def subscribe(
        self,
        group: str,
        topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> Subscription:
        """Join a consumer group.

        Args:
            group: Name of the group.
            topics: Topics to read.
            on_assigned: Called with a new partition; returns the offset to read it from.
            on_revoked: Called with a partition that the member no longer reads.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def dead_letter_topic(topic: str) -> str:
    """Return the name of a topic's dead-letter topic."""
    return f"{topic}.dead"
