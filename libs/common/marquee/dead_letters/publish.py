"""Publication of invalid or failing messages on the dead-letter topic."""

from collections.abc import Mapping

from marquee import telemetry
from marquee.bus.api import Message, Outgoing, Producer, TopicPartition, dead_letter_topic
from marquee.events import MAX_BYTES, now

HEADER_PREFIX = "marquee-"
"""The prefix of Marquee's headers; a producer's own headers with this prefix are dropped."""
MAX_KEPT_BYTES = MAX_BYTES - 100_000
"""Bytes that are kept of a longer message: with its headers it has to pass the bus again."""
_HEADER_BYTES = 16_384


def publish_dead_letter(
    producer: Producer, group: str, partition: TopicPartition, message: Message, fault: str
) -> None:
    """Publish a message, unchanged, on the dead-letter topic of its topic.

    The id of a dead letter is the position of the message, so that one which is published again, or
    by several groups, counts once. A message too long to pass the bus again is cut, and
    `marquee-length` tells its length.

    Args:
        producer: Publishes the dead letter.
        group: The consumer group that could not handle the message.
        partition: The partition from which the message was read.
        message: The message.
        fault: The reason.
    """
    headers = {
        **_own_headers(message.headers),
        "marquee-id": dead_letter_id(partition, message.offset),
        "marquee-group": group,
        "marquee-position": f"{partition}:{message.offset}",
        "marquee-reason": fault[:500],
        "marquee-time": now().isoformat(timespec="milliseconds"),
    }
    if len(message.value) > MAX_KEPT_BYTES:
        headers["marquee-length"] = str(len(message.value))
    value = message.value[:MAX_KEPT_BYTES]
    producer.publish(
        [Outgoing(dead_letter_topic(partition.topic), message.key[:1000], value, headers)]
    )
    telemetry.DEAD.labels(group, partition.topic).inc()
    telemetry.log.warning("dead letter", position=headers["marquee-position"], reason=fault)


def dead_letter_id(partition: TopicPartition, offset: int) -> str:
    """Return the id of the dead letter that a message becomes: `topic-partition-offset`."""
    return f"{partition.topic}-{partition.partition}-{offset}"


def _own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a producer's own headers, as far as they have room."""
    own, room = {}, _HEADER_BYTES
    for name, value in headers.items():
        room -= len(name.encode()) + len(value.encode())
        if not name.startswith(HEADER_PREFIX) and room >= 0:
            own[name] = value
    return own
