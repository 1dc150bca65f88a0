"""Decode and validate messages: an event for its partition, or the reason why it is invalid."""

from dataclasses import dataclass

from marquee.bus.api import Bus, Message, TopicPartition
from marquee.errors import UnreadableEvent
from marquee.events import MOVIES, RATINGS, Event, decode_logged
from marquee.events.partitioning import partition_of


@dataclass(frozen=True)
class DecodedMessage:
    """A message with its event, or with the fault that makes it invalid."""

    message: Message
    event: Event | None
    fault: str | None = None


def decode_message(bus: Bus, partition: TopicPartition, message: Message) -> DecodedMessage:
    """Decode a message and check that its topic, key and partition are those of its event."""
    try:
        place = f"{partition}:{message.offset}"
        event = decode_logged(message.value, place, message.recorded)
        _check(bus, partition, message, event)
    except UnreadableEvent as error:
        return DecodedMessage(message, None, str(error))
    return DecodedMessage(message, event)


def _check(bus: Bus, partition: TopicPartition, message: Message, event: Event) -> None:
    if event.topic != partition.topic:
        raise UnreadableEvent(f"{event.type} belongs on topic {event.topic}")
    if message.key != event.key.encode():
        raise UnreadableEvent(_wrong_key(message.key, event))
    n = bus.partitions(partition.topic)
    right = partition_of(event.key, n)
    if right != partition.partition:
        raise UnreadableEvent(
            f"partition {partition.partition}, but key {event.key} belongs on {right} of {n}:"
            " the producer must use murmur2 of the key"
        )


def _wrong_key(key: bytes, event: Event) -> str:
    field = "user_id" if event.topic == RATINGS else "movie_id" if event.topic == MOVIES else "name"
    fault = f"key {key[:100]!r} is not the event's id {event.key}" if key else "the key is missing"
    return f"{fault}: the producer must send data.{field} as the key, {event.key!r}"
