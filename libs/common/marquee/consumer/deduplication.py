"""The window of a partition: which events were handled lately, so that a late duplicate is not."""

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
"""So many messages before a position are looked at for its window: some are no events."""
RecentMessages = Callable[[TopicPartition, int], Iterable[Message]]
"""Returns the messages of a partition that came shortly before a position, oldest first."""


def no_recent_messages(_: TopicPartition, __: int) -> Iterable[Message]:
    """Return nothing: for logs that begin with the first event."""
    return ()


def drop_duplicates(
    unit_of_work: UnitOfWork, reads: Sequence[DecodedMessage]
) -> Iterator[tuple[int, Event]]:
    """Yield the events that the window does not hold, with their offsets; write them into it."""
    first: dict[bytes, tuple[int, Event]] = {}
    for one in reads:
        if one.event is not None:
            first.setdefault(event_digest(one.event), (one.message.offset, one.event))
    if not first:
        return
    window = unit_of_work.keys.window
    scores = unit_of_work.store.read(ReadRequest((), None, {window: list(first)})).scores
    for digest, (offset, event) in first.items():
        if scores[window, digest] is None:
            unit_of_work.write("ZADD", window, offset, digest)
            yield offset, event
    unit_of_work.write("ZREMRANGEBYRANK", window, 0, -DEDUP_WINDOW - 1)


def event_digest(event: Event) -> bytes:
    """Return the member of a window that stands for an event."""
    return hashlib.blake2b(f"{event.source}\0{event.id}".encode(), digest_size=12).digest()


def recent_messages_in_log(settings: Settings) -> RecentMessages:
    """Return what reads recent messages in the log of the settings, as far as it still has them."""

    def recent(partition: TopicPartition, position: int) -> Iterator[Message]:
        if position == 0:
            return
        with closing_log(open_log(settings)) as log:
            first, _ = log.range(partition)
            yield from log.read(partition, max(first, position - LOOKBACK), position)

    return recent
