"""Positions of the partitions that a consumer reads, loaded from the store and compared with it."""

from marquee.bus.api import Subscription, TopicPartition
from marquee.consumer.log_identity import LogIdentity
from marquee.consumer.restoration import PartitionRestorer, set_topic_id
from marquee.errors import FenceLost, StoreUnavailable
from marquee.store.api import ReadRequest, Store
from marquee.store.keys import Keys


class PartitionPositions:
    """The next offset of each partition that this consumer reads."""

    def __init__(
        self, keys: Keys, store: Store, log_identity: LogIdentity, restorer: PartitionRestorer
    ) -> None:
        self.current: dict[TopicPartition, int] = {}
        self._keys, self._store = keys, store
        self._log_identity, self._restorer = log_identity, restorer
        self._uncommitted: set[TopicPartition] = set()

    def load(self, partition: TopicPartition) -> int:
        """Read the stored position of a partition; an empty one is restored first.

        Raises:
            StoreUnavailable: A rebuild fills the partition at this moment.
            LogChanged: The topic is not the one in which the position counts.
        """
        keys = self._keys.of(partition)
        stored = self._store.read(ReadRequest((keys.position, keys.log))).strings
        position, log = stored[keys.position], stored[keys.log]
        if position is not None and int(position) < 0:  # a rebuild's fence
            raise StoreUnavailable(
                f"{partition} is being rebuilt; if no rebuild runs, rebuild it again"
            )
        known_id = log.decode() if position and log else None
        topic_id = self._log_identity.check_partition(partition, known_id)
        if position is None:
            self.current[partition] = self._restorer.restore(partition, topic_id)
        else:
            self.current[partition] = int(position)
            if log is None:  # written by a version that did not keep it
                commands = set_topic_id(keys, topic_id)
                self._store.write(keys, int(position), int(position), commands)
        self._uncommitted.add(partition)
        return self.current[partition]

    def forget(self, partition: TopicPartition) -> None:
        """Drop a partition that another consumer reads from now on."""
        self.current.pop(partition, None)
        self._uncommitted.discard(partition)

    def commit_new(self, subscription: Subscription) -> None:
        """Commit the start of new partitions, so that lag is known before their first batch."""
        if self._uncommitted:
            subscription.commit({p: self.current[p] for p in self._uncommitted})
            self._uncommitted.clear()

    def compare(self, partition: TopicPartition) -> None:
        """Raise FenceLost if the store is not at this consumer's position of a partition."""
        stored, own = self._store.position(self._keys.of(partition)), self.current[partition]
        if stored != own:
            raise FenceLost(f"{partition}: the store is at {stored}, this loop at {own}")
