"""How many events the log had before they were sent, by the windows of the gateway's consumer."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from marquee.bus.api import TopicPartition
from marquee.consumer.deduplication import event_digest
from marquee.errors import StoreUnavailable
from marquee.events import AnyEvent
from marquee.events.partitioning import partition_of
from marquee.settings import Settings
from marquee.store.api import ReadRequest, ReadResult
from marquee.store.keys import Keys

CountKnown = Callable[[Sequence[AnyEvent]], int]
"""Returns how many of some events are known already."""


def none_known(_: Sequence[AnyEvent]) -> int:
    """Return 0: nobody is asked."""
    return 0


class _Reads(Protocol):
    """A store that reads."""

    def read(self, request: ReadRequest, /) -> ReadResult:
        """Return values in one round trip."""
        ...


class KnownEvents:
    """The windows of recent events in the store, one read a batch; without an answer all are new.

    A window has the last few thousand events of its partition, which is where repeats come from.
    """

    def __init__(self, store: _Reads, settings: Settings) -> None:
        self._store, self._answers = store, True
        self._keys = Keys(settings.namespace, "gateway", settings.partitions)

    def __call__(self, events: Sequence[AnyEvent]) -> int:
        """Return how many events are known."""
        if not self._answers:
            return 0
        windows: dict[str, list[bytes]] = {}
        for event in events:
            place = TopicPartition(event.topic, partition_of(event.key, self._keys.partitions))
            windows.setdefault(self._keys.of(place).window, []).append(event_digest(event))
        self._answers = False
        with suppress(StoreUnavailable):
            scores = self._store.read(ReadRequest((), None, windows)).scores
            self._answers = True
            return sum(score is not None for score in scores.values())
        return 0
