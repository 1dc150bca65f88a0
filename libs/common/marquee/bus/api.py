"""The event bus as Marquee sees it: a log of partitions, read from positions that the reader keeps.

Two implementations pass one contract suite: `marquee.bus_kafka` and `marquee.bus_redis`; a third,
in memory, serves unit tests (`marquee.testing`). Offsets are dense integers from 0 on each of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
        """Return the partition that `topic:partition` names."""
        topic, _, partition = text.rpartition(":")
        return cls(topic, int(partition))


@dataclass(frozen=True)
class Message:
    """A message as it was read."""

    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outgoing:
    """A message to publish; the partition follows from the key."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, event: Event, headers: Mapping[str, str] | None = None) -> "Outgoing":
        """Return the message that carries an event."""
        return cls(event.topic, event.key.encode(), event.encode(), headers or {})


@dataclass(frozen=True)
class Published:
    """Where the log has put a message."""

    partition: TopicPartition
    offset: int


@dataclass(frozen=True)
class TopicState:
    """A topic as the server has it now; one that is deleted and made anew gets another `id`."""

    id: str
    partitions: int


class Producer(Protocol):
    """Publishes; safe to use from several threads."""

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """Return once the log has every message, in the order given; BusUnavailable otherwise.

        After BusUnavailable some of the messages may be in the log all the same.
        """
        ...

    def close(self) -> None:
        """Send what is under way and let go."""
        ...


class Subscription(Protocol):
    """One member of a group of consumers: each partition is read by one member at a time."""

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member reads now."""
        ...

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """Return up to `limit` messages in all, waiting up to `seconds` for the first.

        New partitions are announced to `on_assigned` within this call, lost ones to `on_revoked`.
        BusUnavailable: nothing was lost, poll again. PositionLost: the log lacks the position.
        """
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read this partition from `offset` on."""
        ...

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell the bus the next offsets, for lag monitoring only; never raises."""
        ...

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """Return the first offset kept and the end (the next message's) of each partition held."""
        ...

    def close(self) -> None:
        """Leave the group, so that others take the partitions at once."""
        ...


class Bus(Protocol):
    """A connection to a bus; connects when first used."""

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Create topics that do not exist; Conflict: one has other partitions than asked."""
        ...

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; NotFound when it does not exist."""
        ...

    def topic(self, topic: str) -> TopicState:
        """Return what the server says of a topic now; NotFound when it does not exist."""
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
        """Join a group. `on_assigned` returns the offset from which a partition is read."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def dead_letter_topic(topic: str) -> str:
    """Return the topic of a topic's dead letters."""
    return f"{topic}.dead"
