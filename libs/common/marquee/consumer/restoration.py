"""Restoration of an empty partition: facts from the newest snapshot, event ids from the log."""

from itertools import islice

from marquee.bus.api import Bus, TopicPartition
from marquee.consumer.decoding import decode_message
from marquee.consumer.deduplication import RecentMessages, drop_duplicates
from marquee.consumer.health import Health
from marquee.consumer.projection import Projection, Snapshots
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.snapshots.partition import PartitionSnapshot, chunks
from marquee.store.api import Command, Store
from marquee.store.keys import Keys, PartitionKeys

_PAGE = 1000
"""Messages that are decoded at once to fill the deduplication window."""


class PartitionRestorer:
    """Fills partitions for which the store has no position."""

    def __init__(
        self,
        keys: Keys,
        bus: Bus,
        store: Store,
        projection: Projection,
        snapshots: Snapshots,
        recent: RecentMessages,
        health: Health,
    ) -> None:
        self._keys, self._bus, self._store = keys, bus, store
        self._projection, self._snapshots, self._recent = projection, snapshots, recent
        self._health = health

    def restore(self, partition: TopicPartition, topic_id: str) -> int:
        """Fill an empty partition from the newest snapshot; return the position it stands for."""
        keys = self._keys.of(partition)
        snapshot = self._snapshots.read(partition) or PartitionSnapshot(partition, 0)
        for piece in chunks(snapshot):
            unit_of_work = UnitOfWork(keys, self._store)
            self._projection.restore(unit_of_work, piece)
            self._store.write(keys, None, None, unit_of_work.commands(0, snapshot.position))
            self._health.beat()
        self._fill_window(partition, snapshot.position)
        last = UnitOfWork(keys, self._store).commands(0, snapshot.position)
        self._store.write(keys, None, snapshot.position, [*last, *set_topic_id(keys, topic_id)])
        return snapshot.position

    def _fill_window(self, partition: TopicPartition, position: int) -> None:
        """Fill the deduplication window with the events before a position."""
        keys, messages = self._keys.of(partition), iter(self._recent(partition, position))
        while page := list(islice(messages, _PAGE)):
            unit_of_work = UnitOfWork(keys, self._store)
            decoded = [decode_message(self._bus, partition, message) for message in page]
            for _ in drop_duplicates(unit_of_work, decoded):
                pass  # the snapshot contains the effect of the event
            self._store.write(keys, None, None, unit_of_work.commands(0, position))
            self._health.beat()


def set_topic_id(keys: PartitionKeys, topic_id: str) -> list[Command]:
    """Return the command that records in which topic a partition's position counts."""
    return [("SET", keys.log, topic_id)]
