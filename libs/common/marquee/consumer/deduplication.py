"""Deduplication: the window of recent events of a partition, by which late repeats are dropped."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from marquee.bus.api import Message, TopicPartition
from marquee.bus.log import closing_log, open_log
from marquee.consumer.decoding import DecodedMessage
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.events import Event
from marquee.settings import Settings
from marquee.store.api import ReadRequest

DEDUP_WINDOW = 4096
"""How many (source, id) of a partition are remembered to drop late duplicates."""

LOOKBACK = 2 * DEDUP_WINDOW
"""Messages before a position that are read to fill its window: some are not valid events."""
RecentMessages = Callable[[TopicPartition, int], Iterable[Message]]
"""Returns the messages of a partition that came shortly before a position, oldest first."""


def no_recent_messages(_: TopicPartition, __: int) -> Iterable[Message]:
    """Return nothing: for logs that begin with the first event."""
    return ()


def drop_duplicates(
    unit_of_work: UnitOfWork, batch: Sequence[DecodedMessage]
) -> Iterator[tuple[int, Event]]:
    """Yield the events that are not in the window, with their offsets, and add them to it."""
    first: dict[bytes, tuple[int, Event]] = {}
    for decoded in batch:
        if decoded.event is not None:
            first.setdefault(event_digest(decoded.event), (decoded.message.offset, decoded.event))
    if not first:
        return
    window = unit_of_work.keys.window
    request = ReadRequest((), None, {window: list(first)})
    scores = unit_of_work.store.read(request).scores
    for digest, (offset, event) in first.items():
        if scores[window, digest] is None:
            unit_of_work.write("ZADD", window, offset, digest)
            yield offset, event
    unit_of_work.write("ZREMRANGEBYRANK", window, 0, -DEDUP_WINDOW - 1)


def event_digest(event: Event) -> bytes:
    """Return the 12 bytes by which a window remembers an event."""
    return hashlib.blake2b(f"{event.source}\0{event.id}".encode(), digest_size=12).digest()


def recent_messages_in_log(settings: Settings) -> RecentMessages:
    """Return a reader of recent messages from the configured log, as far as it still has them."""

    def recent(partition: TopicPartition, position: int) -> Iterator[Message]:
        if position == 0:
            return
        with closing_log(open_log(settings)) as log:
            first, _ = log.range(partition)
            yield from log.read(partition, max(first, position - LOOKBACK), position)

    return recent
