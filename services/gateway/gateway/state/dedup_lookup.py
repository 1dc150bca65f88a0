"""Lookup of recently handled events: the deduplication windows of the gateway's consumer."""

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
    """Lookup of events that the log has already."""

    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        """Return the place of each event in the log, None for a new one; never raises."""
        ...


class RedisDedupLookup:
    """The windows in Redis, read in one round trip; without an answer every event counts as new."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis: Any = connect(url, TIMEOUT_S)
        self._keys = keys

    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        """See `DedupLookup.places`."""
        places: list[Published | None] = [None] * len(events)
        by_partition: dict[tuple[str, int], list[int]] = {}
        for index, event in enumerate(events):
            partition = partition_of(event.key, self._keys.partitions)
            by_partition.setdefault((event.topic, partition), []).append(index)
        pipe = self._redis.pipeline(transaction=False)
        for place, indices in by_partition.items():
            window = self._keys.of(TopicPartition(*place)).window
            pipe.zmscore(window, [event_digest(events[index]) for index in indices])
        try:
            replies = await pipe.execute()
        except (redis.RedisError, OSError, TimeoutError):
            return places
        for (place, indices), scores in zip(by_partition.items(), replies, strict=True):
            for index, score in zip(indices, scores, strict=True):
                if score is not None:
                    places[index] = Published(TopicPartition(*place), int(score))
        return places

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
