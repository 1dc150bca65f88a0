"""The consumer loop of all services: a batch of a partition becomes one atomic, fenced step."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from marquee import telemetry
from marquee.bus.api import Bus, Message, Subscription, TopicPartition
from marquee.consumer.decoding import DecodedMessage, decode_message
from marquee.consumer.deduplication import RecentMessages, drop_duplicates, no_recent_messages
from marquee.consumer.health import Health
from marquee.consumer.log_identity import LogIdentity
from marquee.consumer.metrics import ConsumerMetrics
from marquee.consumer.projection import Projection, Snapshots
from marquee.consumer.unit_of_work import UnitOfWork, prefetch
from marquee.dead_letters.publish import publish_dead_letter
from marquee.errors import BusUnavailable, FenceLost, PositionLost, StoreUnavailable
from marquee.snapshots.partition import PartitionSnapshot, chunks
from marquee.store.api import Command, ReadRequest, Store
from marquee.store.keys import Keys, PartitionKeys

LOG = "log"
"""Under this name health tells why nothing is read."""
DEAD_IN_A_ROW = 10
"""After more failing events in a row the partition stops: the fault is ours, not the events'."""
_RECALLED_AT_ONCE = 1000


@dataclass(frozen=True)
class Pace:
    """How a worker goes about its messages."""

    batch: int = 256
    """Messages of one step at most."""
    pauses: tuple[float, ...] = (0.2, 0.8, 3.2, 12.8)
    """Seconds before each further try of an event that makes its handler throw."""
    compare_seconds: float = 1.0
    """How often the stored positions are compared with where the loop is."""


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
        pace: Pace = Pace(),
        recent: RecentMessages = no_recent_messages,
    ) -> None:
        self.keys = keys
        self.topics = topics
        self.bus = bus
        self.store = store
        self.snapshots = snapshots
        self.projection = projection
        self.pace = pace
        self.recent = recent
        self.health = Health()
        self._positions: dict[TopicPartition, int] = {}
        self._unsure = False
        self._compared = 0.0
        self._stop = threading.Event()
        self._log_identity = LogIdentity(bus, keys, topics)
        self._metrics = ConsumerMetrics(keys.service)
        self._new: set[TopicPartition] = set()
        """Partitions whose positions the bus has not been told of."""
        self._failures: dict[TopicPartition, int] = {}
        self._producer = bus.producer()

    def run(self, stop: threading.Event) -> None:
        """Handle events until `stop` is set; what is under way is finished."""
        self._stop = stop
        subscription = self._subscribe(stop)
        while subscription is not None and not stop.is_set():
            try:
                self.turn(subscription)
                self.health.waiting_for = None
                self.health.stopped.pop(LOG, None)
            except (StoreUnavailable, BusUnavailable) as error:
                self._wait(stop, error)
            except PositionLost as error:
                self._stand_still(stop, error)
            except FenceLost as error:
                telemetry.log.warning("fence lost, reading positions again", detail=str(error))
        if subscription is not None:
            subscription.close()
        self._producer.close()

    def beat(self) -> None:
        """Say that the loop lives."""
        self.health.beat = time.monotonic()

    def turn(self, subscription: Subscription) -> None:
        """Poll once and step through what came.

        After StoreUnavailable, BusUnavailable or FenceLost nothing is lost: take another turn.
        """
        self.beat()
        try:
            self._turn(subscription)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            self._unsure = True
            raise

    def _turn(self, subscription: Subscription) -> None:
        self._log_identity.check_topics()
        if self._unsure:
            self._seek(subscription)
        found = subscription.poll(0.25, self.pace.batch)
        self._commit_new(subscription)
        for partition, messages in found.items():
            if str(partition) in self.health.stopped:
                continue
            self._handle(partition, messages)
            subscription.commit({partition: self._positions[partition]})
            self.beat()
        self.projection.on_idle(subscription.assigned)
        self._compare_positions(subscription)
        self._metrics.lag(subscription, self._positions)

    # --- positions

    def subscribe(self) -> Subscription:
        """Join the group of the service, each partition to be read from its stored position."""
        return self.bus.subscribe(self.keys.service, self.topics, self._assigned, self._revoked)

    def _subscribe(self, stop: threading.Event) -> Subscription | None:
        while not stop.is_set():
            try:
                return self.subscribe()
            except BusUnavailable as error:
                self._wait(stop, error)
        return None

    def _assigned(self, partition: TopicPartition) -> int:
        self.projection.assigned(partition)
        keys = self.keys.of(partition)
        held = self.store.read(ReadRequest((keys.position, keys.log))).strings
        position, log = held[keys.position], held[keys.log]
        if position is not None and int(position) < 0:  # a rebuild's fence
            raise StoreUnavailable(
                f"{partition} is being rebuilt; if no rebuild runs, rebuild it again"
            )
        topic = self._log_identity.check_partition(
            partition, log.decode() if position and log else None
        )
        if position is None:
            self._positions[partition] = self._restore(partition, topic)
        else:
            self._positions[partition] = int(position)
            if log is None:  # written by a version that did not keep it
                self.store.write(keys, int(position), int(position), _named(keys, topic))
        self._new.add(partition)
        return self._positions[partition]

    def _revoked(self, partition: TopicPartition) -> None:
        self._positions.pop(partition, None)
        self._new.discard(partition)
        self._failures.pop(partition, None)
        self.health.stopped.pop(str(partition), None)
        self._metrics.forget(partition)

    def _commit_new(self, subscription: Subscription) -> None:
        """Tell the bus where partitions begin, so that lag is known before their first step."""
        if self._new:
            subscription.commit({partition: self._positions[partition] for partition in self._new})
            self._new.clear()

    def _seek(self, subscription: Subscription) -> None:
        """Go back to the stored positions: the outcome of a step is not known.

        Nothing is read before every partition is back: a message that was polled and not handled
        would be passed over for good.
        """
        for partition in subscription.assigned:
            subscription.seek(partition, self._assigned(partition))
        self._unsure = False

    def _compare_positions(self, subscription: Subscription) -> None:
        """Raise FenceLost where the store is not where this loop left it.

        A Redis that lost its last second has to be told again without waiting for the next event.
        """
        if time.monotonic() - self._compared < self.pace.compare_seconds:
            return
        self._compared = time.monotonic()
        for partition in subscription.assigned:
            self._compare_position(partition)

    def _compare_position(self, partition: TopicPartition) -> None:
        stored, own = self.store.position(self.keys.of(partition)), self._positions[partition]
        if stored != own:
            raise FenceLost(f"{partition}: the store is at {stored}, this loop at {own}")

    def _restore(self, partition: TopicPartition, topic: str) -> int:
        """Fill an empty partition from the newest snapshot; return the position it stands for."""
        keys = self.keys.of(partition)
        snapshot = self.snapshots.read(partition) or PartitionSnapshot(partition, 0)
        for piece in chunks(snapshot):
            unit_of_work = UnitOfWork(keys, self.store)
            self.projection.restore(unit_of_work, piece)
            self.store.write(keys, None, None, unit_of_work.commands(0, snapshot.position))
            self.beat()
        self._recall(partition, snapshot.position)
        last = UnitOfWork(keys, self.store).commands(0, snapshot.position)
        self.store.write(keys, None, snapshot.position, [*last, *_named(keys, topic)])
        return snapshot.position

    def _recall(self, partition: TopicPartition, position: int) -> None:
        """Fill the window with the events before a position: one that comes again is known."""
        keys, messages = self.keys.of(partition), iter(self.recent(partition, position))
        while page := list(islice(messages, _RECALLED_AT_ONCE)):
            unit_of_work = UnitOfWork(keys, self.store)
            for _ in drop_duplicates(
                unit_of_work, [decode_message(self.bus, partition, message) for message in page]
            ):
                pass  # the snapshot holds what it did
            self.store.write(keys, None, None, unit_of_work.commands(0, position))
            self.beat()

    # --- steps

    def _handle(self, partition: TopicPartition, messages: Sequence[Message]) -> None:
        start = self._positions[partition]
        fresh = [message for message in messages if message.offset >= start]
        reads = [decode_message(self.bus, partition, message) for message in fresh]
        if reads:
            self._step_or_bisect(partition, reads)

    def _step_or_bisect(self, partition: TopicPartition, reads: list[DecodedMessage]) -> None:
        pending = [reads]
        while pending:
            part = pending.pop()
            if (error := self._fault(partition, part)) is None:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                pending += (part[middle:], part[:middle])
            else:
                self._retry_or_bury(partition, part[0], error)

    def _fault(self, partition: TopicPartition, reads: list[DecodedMessage]) -> Exception | None:
        """Step; return what a handler raised for the events' sake, None when all is done."""
        try:
            self._step(partition, reads)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            raise
        except Exception as error:
            # A twin may have changed the facts while they were read: no fault of the event.
            self._compare_position(partition)
            return error
        return None

    def _retry_or_bury(
        self, partition: TopicPartition, one: DecodedMessage, error: Exception
    ) -> None:
        for pause in self.pace.pauses:
            if self._stop.wait(pause):
                raise BusUnavailable("told to stop while an event fails; it is tried again later")
            self.beat()
            again = self._fault(partition, [one])
            if again is None:
                return
            error = again
        telemetry.log.error("event fails", partition=str(partition), exc_info=error)
        failures = self._failures[partition] = self._failures.get(partition, 0) + 1
        if failures > DEAD_IN_A_ROW:
            self.health.stopped[str(partition)] = f"{failures} events in a row fail: {error!r}"
            raise BusUnavailable(f"{partition} is stopped: {error!r}") from error
        fault = f"handler failed: {type(error).__name__}: {error}"
        self._step(partition, [DecodedMessage(one.message, None, fault)])

    def _step(self, partition: TopicPartition, reads: list[DecodedMessage]) -> None:
        keys, started = self.keys.of(partition), time.perf_counter()
        start, end = self._positions[partition], reads[-1].message.offset + 1
        for one in reads:
            if one.fault is not None:
                publish_dead_letter(
                    self._producer, self.keys.service, partition, one.message, one.fault
                )
        unit_of_work = UnitOfWork(keys, self.store)
        events = list(drop_duplicates(unit_of_work, reads))
        prefetch(unit_of_work, [event for _, event in events])
        unit_of_work.since = min((event.time.timestamp() for _, event in events), default=None)
        for offset, event in events:
            unit_of_work.offset = offset
            if (handler := self.projection.handlers.get(type(event))) is not None:
                handler(unit_of_work, event)
        version = self.projection.derive_rows(unit_of_work)
        self.store.write(keys, start, end, unit_of_work.commands(start, end, version))
        self._positions[partition] = end
        if events:
            self._failures[partition] = 0
        self._metrics.record(partition, events, time.perf_counter() - started)

    # --- waiting

    def _stand_still(self, stop: threading.Event, error: PositionLost) -> None:
        """Read nothing more: which events are missing is for an operator to judge."""
        if LOG not in self.health.stopped:
            telemetry.log.error("the log is not what it was", detail=str(error))
        self.health.stopped[LOG] = str(error)
        self.beat()
        stop.wait(1.0)

    def _wait(self, stop: threading.Event, error: Exception) -> None:
        if self.health.waiting_for is None:
            telemetry.log.warning("waiting", detail=str(error))
        self.health.waiting_for = str(error)
        self.beat()
        stop.wait(0.25)


def _named(keys: PartitionKeys, topic: str) -> list[Command]:
    return [("SET", keys.log, topic)]
