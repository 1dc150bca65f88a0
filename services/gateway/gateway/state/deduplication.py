"""Which events the log has already: what the window of the gateway's own consumer tells."""

from collections.abc import Sequence
from typing import Any, Protocol

import redis

from marquee.bus.api import Published, TopicPartition
from marquee.consumer.deduplication import event_digest
from marquee.events import Event
from marquee.events.partitioning import partition_of
from marquee.serving.update_stream import connect
from marquee.store.keys import Keys

TIMEOUT_S = 0.25


class DedupLookup(Protocol):
    """Where it is known which events were handled lately."""

    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        """Return where the log has each event, None for a new one; never raises."""
        ...


class RedisDedupLookup:
    """The windows in Redis, asked in one round trip; without an answer no event counts as known."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis: Any = connect(url, TIMEOUT_S)
        self._keys = keys

    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        """See `DedupLookup.places`."""
        found: list[Published | None] = [None] * len(events)
        asked: dict[tuple[str, int], list[int]] = {}
        for index, event in enumerate(events):
            partition = partition_of(event.key, self._keys.partitions)
            asked.setdefault((event.topic, partition), []).append(index)
        pipe = self._redis.pipeline(transaction=False)
        for place, indices in asked.items():
            window = self._keys.of(TopicPartition(*place)).window
            pipe.zmscore(window, [event_digest(events[index]) for index in indices])
        try:
            replies = await pipe.execute()
        except (redis.RedisError, OSError, TimeoutError):
            return found
        for (place, indices), scores in zip(asked.items(), replies, strict=True):
            for index, score in zip(indices, scores, strict=True):
                if score is not None:
                    found[index] = Published(TopicPartition(*place), int(score))
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
