"""What a message turns out to be: an event for its partition, or a dead letter with the reason."""

from dataclasses import dataclass

from marquee import telemetry
from marquee.bus import Bus, Message, Outgoing, Producer, TopicPartition, dead
from marquee.errors import UnreadableEvent
from marquee.events import Event, decode
from marquee.partition import partition_of


@dataclass(frozen=True)
class Read:
    """A message that is an event of ours, or why it is not."""

    message: Message
    event: Event | None
    fault: str | None = None


def read(bus: Bus, partition: TopicPartition, message: Message) -> Read:
    """Return what a message of a partition is."""
    try:
        event = decode(message.value)
        _check(bus, partition, message, event)
    except UnreadableEvent as error:
        return Read(message, None, str(error))
    return Read(message, event)


def bury(
    producer: Producer, group: str, partition: TopicPartition, message: Message, fault: str
) -> None:
    """Publish a message as a dead letter of its topic, as it came, with where and why."""
    headers = {
        **message.headers,
        "marquee-id": f"{partition.topic}-{partition.partition}-{message.offset}",
        "marquee-group": group,
        "marquee-position": f"{partition}:{message.offset}",
        "marquee-reason": fault[:500],
    }
    producer.publish([Outgoing(dead(partition.topic), message.key, message.value, headers)])
    telemetry.DEAD.labels(group, partition.topic).inc()
    telemetry.log.warning("dead letter", position=headers["marquee-position"], reason=fault)


def _check(bus: Bus, partition: TopicPartition, message: Message, event: Event) -> None:
    if event.topic != partition.topic:
        raise UnreadableEvent(f"{event.type} belongs on topic {event.topic}")
    if message.key != event.key.encode():
        raise UnreadableEvent(f"key {message.key!r} is not the event's id {event.key}")
    n = bus.partitions(partition.topic)
    right = partition_of(event.key, n)
    if right != partition.partition:
        raise UnreadableEvent(
            f"partition {partition.partition}, but key {event.key} belongs on {right} of {n}:"
            " the producer must use murmur2 of the key"
        )
