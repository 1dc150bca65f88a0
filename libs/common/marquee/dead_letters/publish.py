"""What a message turns out to be: an event for its partition, or a dead letter with the reason."""

from collections.abc import Mapping

from marquee import telemetry
from marquee.bus.api import Message, Outgoing, Producer, TopicPartition, dead_letter_topic
from marquee.events import MAX_BYTES, now

HEADER_PREFIX = "marquee-"
"""Headers that lead with this are ours; a producer's own of such a name are not kept."""
MAX_KEPT_BYTES = MAX_BYTES - 100_000
"""Of a longer message so much is kept, since with its headers it has to pass the bus again."""
_HEADER_BYTES = 16_384


def publish_dead_letter(
    producer: Producer, group: str, partition: TopicPartition, message: Message, fault: str
) -> None:
    """Publish a message as a dead letter of its topic, as it came, with where and why.

    A letter's id is where the message stood, so that a letter that is written again, or by several
    groups, is one. What is too long to pass the bus again is cut: `marquee-length` says so.
    """
    headers = {
        **_kept(message.headers),
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
    """Return the id of the letter that a message becomes: `topic-partition-offset`."""
    return f"{partition.topic}-{partition.partition}-{offset}"


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a producer's own headers, as far as they have room."""
    kept, room = {}, _HEADER_BYTES
    for name, value in headers.items():
        room -= len(name.encode()) + len(value.encode())
        if not name.startswith(HEADER_PREFIX) and room >= 0:
            kept[name] = value
    return kept
