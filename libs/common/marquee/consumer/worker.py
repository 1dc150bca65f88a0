"""The consumer of one service: reads its partitions in turns and applies them batch by batch."""

import threading
import time
from collections.abc import Sequence

from marquee.bus.api import Bus, Subscription, TopicPartition
from marquee.consumer.batches import DEFAULT_PACE, BatchProcessor, Pace
from marquee.consumer.deduplication import RecentMessages, no_recent_messages
from marquee.consumer.health import Health
from marquee.consumer.log_identity import LogIdentity
from marquee.consumer.loop import poll_until_stopped
from marquee.consumer.metrics import ConsumerMetrics
from marquee.consumer.positions import PartitionPositions
from marquee.consumer.projection import Projection, Snapshots
from marquee.consumer.restoration import PartitionRestorer
from marquee.errors import BusUnavailable, FenceLost, StoreUnavailable
from marquee.store.api import Store
from marquee.store.keys import Keys

WORK = "work"
"""The entry of `Health.stopped` that tells why the service cannot do its work."""


class Worker:
    """Runs one consumer of a service until it is told to stop."""

    def __init__(
        self,
        keys: Keys,
        topics: Sequence[str],
        bus: Bus,
        store: Store,
        snapshots: Snapshots,
        projection: Projection,
        pace: Pace = DEFAULT_PACE,
        recent: RecentMessages = no_recent_messages,
    ) -> None:
        """Wire the parts of a consumer.

        Args:
            keys: The Redis keys of the service, whose name is the consumer group too.
            topics: Topics to read.
            bus: The event bus.
            store: The store of facts, derived rows and positions.
            snapshots: The source of facts for partitions that the store does not have.
            projection: The service's handlers and derivation.
            pace: Batch size and intervals.
            recent: Reads the messages that fill the deduplication window of a restored partition.
        """
        self.keys, self.topics, self.bus, self.projection = keys, topics, bus, projection
        self.health = Health()
        self._pace = pace
        self._metrics = ConsumerMetrics(keys.service)
        self._log_identity = LogIdentity(bus, keys, topics)
        restorer = PartitionRestorer(keys, bus, store, projection, snapshots, recent, self.health)
        self._positions = PartitionPositions(keys, store, self._log_identity, restorer)
        self._batches = BatchProcessor(
            keys, bus, store, projection, self._positions, self.health, self._metrics, pace.pauses
        )
        self._unsure = False
        """Whether the outcome of the last turn is unknown, so that positions are loaded again."""
        self._compared = 0.0

    def run(self, stop: threading.Event) -> None:
        """Handle events until `stop` is set; the unit of work in progress is finished."""
        self._batches.stop = stop
        subscription = poll_until_stopped(self, stop)
        if subscription is not None:
            subscription.close()
        self._batches.close()

    def subscribe(self) -> Subscription:
        """Join the group of the service, each partition to be read from its stored position."""
        return self.bus.subscribe(
            self.keys.service, self.topics, self._positions.load, self._revoked
        )

    def turn(self, subscription: Subscription) -> None:
        """Poll once and apply the messages.

        Raises:
            StoreUnavailable, BusUnavailable, FenceLost: Nothing is lost; take another turn.
            PositionLost: The log does not contain the position.
        """
        self.health.beat()
        try:
            self._turn(subscription)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            self._unsure = True
            raise

    def _turn(self, subscription: Subscription) -> None:
        self._log_identity.check_topics()
        if self._unsure:
            self._seek(subscription)
        batches = subscription.poll(0.25, self._pace.batch)
        self._positions.commit_new(subscription)
        for partition, messages in batches.items():
            if str(partition) in self.health.stopped:
                continue
            self._batches.process(partition, messages)
            subscription.commit({partition: self._positions.current[partition]})
            self.health.beat()
        self._report(self.projection.on_idle(subscription.assigned))
        self._compare_positions(subscription)
        self._metrics.report_lag(subscription, self._positions.current)

    def _report(self, fault: str | None) -> None:
        """Let the health tell why the service cannot do its work."""
        if fault is None:
            self.health.stopped.pop(WORK, None)
        else:
            self.health.stopped[WORK] = fault

    def _revoked(self, partition: TopicPartition) -> None:
        self._positions.forget(partition)
        self._batches.forget(partition)
        self.health.stopped.pop(str(partition), None)
        self._metrics.forget(partition)

    def _seek(self, subscription: Subscription) -> None:
        """Go back to the stored positions: the outcome of a unit of work is not known.

        Nothing is read before every partition is back: a message that was polled and not handled
        would be skipped for good.
        """
        for partition in subscription.assigned:
            subscription.seek(partition, self._positions.load(partition))
        self._unsure = False

    def _compare_positions(self, subscription: Subscription) -> None:
        """Raise FenceLost where the store is not at this loop's position, at intervals.

        A Redis that lost its last second has to be told again without waiting for the next event.
        """
        if time.monotonic() - self._compared < self._pace.compare_seconds:
            return
        self._compared = time.monotonic()
        for partition in subscription.assigned:
            self._positions.compare(partition)
