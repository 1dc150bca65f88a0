"""Reader of ranges of the log in pages, outside of any group; missing messages are errors."""

from collections.abc import Iterator
from itertools import islice

from marquee.bus.api import Message, TopicPartition
from marquee.bus.log import PartitionLog, open_log
from marquee.errors import PositionLost
from marquee.settings import Settings

PAGE = 1000


class LogReader:
    """Reads the log of a system; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._log: PartitionLog = open_log(settings)

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset that the log still holds, and its end."""
        return self._log.range(partition)

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[list[Message]]:
        """Yield the messages of offsets `start` to `end` - 1 in pages.

        Raises:
            PositionLost: The log does not hold all of them.
        """
        messages = self._log.read(partition, start, end)
        while page := list(islice(messages, PAGE)):
            if (page[0].offset, page[-1].offset) != (start, start + len(page) - 1):
                raise PositionLost(f"{partition}: the log lacks messages from offset {start} on")
            yield page
            start += len(page)
        if start < end:
            raise PositionLost(f"{partition}: the log ends at {start}, before {end}")

    def close(self) -> None:
        """Close the connection."""
        self._log.close()
