"""Application of event batches to an in-memory store by real handlers, without a loop."""

from collections.abc import Callable

from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import Handlers, UnitOfWork, apply_event, prefetch
from marquee.events import Event
from marquee.events.partitioning import partition_of
from marquee.store.keys import Keys, PartitionKeys
from marquee_testing.fakes.store import MemoryStore

DeriveRows = Callable[[UnitOfWork], str | None]


class BatchApplier:
    """The store of one service; what is applied stands there once the batch is written."""

    def __init__(
        self,
        keys: Keys,
        handlers: Handlers,
        derive_rows: DeriveRows = lambda _: None,
        store: MemoryStore | None = None,
    ) -> None:
        self.keys, self.store = keys, store or MemoryStore()
        self._handlers, self._derive_rows = handlers, derive_rows
        self._batches: dict[TopicPartition, list[Event]] = {}

    def add(self, event: Event) -> None:
        """Put an event at the end of its partition's batch."""
        self._batches.setdefault(self.place(event), []).append(event)

    def place(self, event: Event) -> TopicPartition:
        """Return the partition that an event belongs to."""
        count = len(self.keys.all(event.topic))
        return TopicPartition(event.topic, partition_of(event.key, count))

    def write(self) -> None:
        """Apply the added events, one unit of work for each partition."""
        for partition, events in sorted(self._batches.items()):
            self._write(self.keys.of(partition), events)
        self._batches.clear()

    def _write(self, keys: PartitionKeys, events: list[Event]) -> None:
        start = self.store.position(keys)
        unit_of_work = UnitOfWork(keys, self.store)
        prefetch(unit_of_work, events)
        for offset, event in enumerate(events, start or 0):
            apply_event(unit_of_work, offset, event, self._handlers)
        version, end = self._derive_rows(unit_of_work), (start or 0) + len(events)
        self.store.write(keys, start, end, unit_of_work.commands(start or 0, end, version))
