"""The consumer loop of all services: a batch of a partition becomes one atomic, fenced step."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from marquee import telemetry
from marquee.bus import Bus, Message, Outgoing, Subscription, TopicPartition, dead
from marquee.errors import (
    BusUnavailable,
    FenceLost,
    PositionLost,
    StoreUnavailable,
    UnreadableEvent,
)
from marquee.events import MODELS, MOVIES, RATINGS, Event, decode
from marquee.facts import Handlers, PartitionSnapshot, chunks, prefetch
from marquee.partition import partition_of
from marquee.step import Step
from marquee.store import Keys, Reads, Store

WINDOW = 4096
"""How many (source, id) of a partition are remembered to drop late duplicates."""
PAUSES = (0.2, 0.8, 3.2, 12.8)
"""Seconds before each further try of an event that makes its handler throw."""
LAG_SECONDS = 2.0
"""How often the lag is measured."""
COMPARE_SECONDS = 1.0
"""How often the stored positions are compared with where the loop is."""
DEAD_IN_A_ROW = 10
"""After more failing events in a row the partition stops: the fault is ours, not the events'."""


class Reaction(Protocol):
    """What one service does with events."""

    handlers: Handlers

    def derive(self, step: Step, /) -> str | None:
        """Derive the rows of what the step changed; return the model version they belong to."""
        ...

    def restore(self, step: Step, piece: PartitionSnapshot, /) -> None:
        """Put the facts of a piece of a snapshot."""
        ...

    def between(self, partitions: frozenset[TopicPartition], /) -> None:
        """Do what is due between steps, such as re-deriving rows for a new model version."""
        ...


class Snapshots(Protocol):
    """Where facts come from when the store has none."""

    def read(self, partition: TopicPartition, /) -> PartitionSnapshot | None:
        """Return the newest snapshot of a partition, None when there is none."""
        ...


@dataclass
class Health:
    """What the consumer says of itself; `beat` is the monotonic time of the loop's last turn."""

    beat: float = field(default_factory=time.monotonic)
    waiting_for: str | None = None
    stopped: dict[str, str] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        return time.monotonic() - self.beat < 60.0

    @property
    def ready(self) -> bool:
        return self.waiting_for is None and not self.stopped


@dataclass(frozen=True)
class Read:
    """A message that is an event of ours, or why it is not."""

    message: Message
    event: Event | None
    fault: str | None = None


class Worker:
    """Runs one consumer of a service until it is told to stop."""

    def __init__(
        self,
        keys: Keys,
        topics: Sequence[str],
        bus: Bus,
        store: Store,
        snapshots: Snapshots,
        reaction: Reaction,
        batch: int = 256,
        pauses: Sequence[float] = PAUSES,
        compare_seconds: float = COMPARE_SECONDS,
    ) -> None:
        self.keys = keys
        self.topics = topics
        self.bus = bus
        self.store = store
        self.snapshots = snapshots
        self.reaction = reaction
        self.batch = batch
        self.pauses = pauses
        self.compare_seconds = compare_seconds
        self.health = Health()
        self._positions: dict[TopicPartition, int] = {}
        self._unsure = False
        self._compared = 0.0
        self._lag_said = 0.0
        self._failures: dict[TopicPartition, int] = {}
        self._producer = bus.producer()

    def run(self, stop: threading.Event) -> None:
        """Handle events until `stop` is set; what is under way is finished."""
        subscription = self._subscribe(stop)
        while subscription is not None and not stop.is_set():
            try:
                self.turn(subscription)
                self.health.waiting_for = None
            except (StoreUnavailable, BusUnavailable) as error:
                self._wait(stop, error)
            except PositionLost as error:
                self._stand_still(stop, error)
            except FenceLost as error:
                telemetry.log.warning("fence lost, reading positions again", detail=str(error))
        if subscription is not None:
            subscription.close()
        self._producer.close()

    def turn(self, subscription: Subscription) -> None:
        """Poll once and step through what came.

        After StoreUnavailable, BusUnavailable or FenceLost nothing is lost: take another turn.
        """
        self.health.beat = time.monotonic()
        try:
            self._turn(subscription)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            self._unsure = True
            raise

    def _turn(self, subscription: Subscription) -> None:
        if self._unsure:
            self._seek(subscription)
        for partition, messages in subscription.poll(0.25, self.batch).items():
            if str(partition) in self.health.stopped:
                continue
            self._handle(partition, messages)
            subscription.commit({partition: self._positions[partition]})
            self.health.beat = time.monotonic()
        self.reaction.between(subscription.assigned)
        self._compare_positions(subscription)
        self._report_lag(subscription)

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
        position = self.store.position(self.keys.of(partition))
        self._positions[partition] = self._restore(partition) if position is None else position
        return self._positions[partition]

    def _revoked(self, partition: TopicPartition) -> None:
        self._positions.pop(partition, None)

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
        if time.monotonic() - self._compared < self.compare_seconds:
            return
        self._compared = time.monotonic()
        for partition in subscription.assigned:
            stored, own = self.store.position(self.keys.of(partition)), self._positions[partition]
            if stored != own:
                raise FenceLost(f"{partition}: the store is at {stored}, this loop at {own}")

    def _restore(self, partition: TopicPartition) -> int:
        """Fill an empty partition from the newest snapshot; return the position it stands for."""
        keys = self.keys.of(partition)
        snapshot = self.snapshots.read(partition) or PartitionSnapshot(partition, 0)
        for piece in chunks(snapshot):
            step = Step(keys, self.store)
            self.reaction.restore(step, piece)
            self.store.write(keys, None, None, step.commands(0, snapshot.position))
            self.health.beat = time.monotonic()
        last = Step(keys, self.store).commands(0, snapshot.position)
        self.store.write(keys, None, snapshot.position, last)
        return snapshot.position

    # --- steps

    def _handle(self, partition: TopicPartition, messages: Sequence[Message]) -> None:
        start = self._positions[partition]
        fresh = [message for message in messages if message.offset >= start]
        reads = [self._read(partition, message) for message in fresh]
        if reads:
            self._step_or_bisect(partition, reads)

    def _step_or_bisect(self, partition: TopicPartition, reads: list[Read]) -> None:
        pending = [reads]
        while pending:
            part = pending.pop()
            try:
                self._step(partition, part)
            except (StoreUnavailable, BusUnavailable, FenceLost):
                raise
            except Exception as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    pending += (part[middle:], part[:middle])
                else:
                    self._retry_or_bury(partition, part[0], error)

    def _retry_or_bury(self, partition: TopicPartition, read: Read, error: Exception) -> None:
        for pause in self.pauses:
            time.sleep(pause)
            self.health.beat = time.monotonic()
            try:
                self._step(partition, [read])
                return
            except (StoreUnavailable, BusUnavailable, FenceLost):
                raise
            except Exception as again:
                error = again
        telemetry.log.error("event fails", partition=str(partition), exc_info=error)
        failures = self._failures[partition] = self._failures.get(partition, 0) + 1
        if failures > DEAD_IN_A_ROW:
            self.health.stopped[str(partition)] = f"{failures} events in a row fail: {error!r}"
            raise BusUnavailable(f"{partition} is stopped: {error!r}") from error
        fault = f"handler failed: {type(error).__name__}: {error}"
        self._step(partition, [Read(read.message, None, fault)])

    def _step(self, partition: TopicPartition, reads: list[Read]) -> None:
        keys, started = self.keys.of(partition), time.perf_counter()
        start, end = self._positions[partition], reads[-1].message.offset + 1
        for read in reads:
            if read.fault is not None:
                self._bury(partition, read.message, read.fault)
        step = Step(keys, self.store)
        events = list(self._unseen(step, reads))
        prefetch(step, [event for _, event in events])
        for offset, event in events:
            step.offset = offset
            if (handler := self.reaction.handlers.get(type(event))) is not None:
                handler(step, event)
        version = self.reaction.derive(step)
        self.store.write(keys, start, end, step.commands(start, end, version))
        self._positions[partition] = end
        if events:
            self._failures[partition] = 0
        self._measure(partition, events, time.perf_counter() - started)

    def _unseen(self, step: Step, reads: list[Read]) -> Iterator[tuple[int, Event]]:
        """Yield the events that the window does not hold, and write them into it."""
        first: dict[bytes, tuple[int, Event]] = {}
        for read in reads:
            if read.event is not None:
                first.setdefault(_digest(read.event), (read.message.offset, read.event))
        if not first:
            return
        window = step.keys.window
        scores = self.store.read(Reads((), None, {window: list(first)})).scores
        for digest, (offset, event) in first.items():
            if scores[window, digest] is None:
                step.write("ZADD", window, offset, digest)
                yield offset, event
        step.write("ZREMRANGEBYRANK", window, 0, -WINDOW - 1)

    def _read(self, partition: TopicPartition, message: Message) -> Read:
        try:
            event = decode(message.value)
            self._check(partition, message, event)
        except UnreadableEvent as error:
            return Read(message, None, str(error))
        return Read(message, event)

    def _check(self, partition: TopicPartition, message: Message, event: Event) -> None:
        if event.topic != partition.topic:
            raise UnreadableEvent(f"{event.type} belongs on topic {event.topic}")
        if message.key != event.key.encode():
            raise UnreadableEvent(f"key {message.key!r} is not the event's id {event.key}")
        n = self.bus.partitions(partition.topic)
        right = partition_of(event.key, n)
        if right != partition.partition:
            raise UnreadableEvent(
                f"partition {partition.partition}, but key {event.key} belongs on {right} of {n}:"
                " the producer must use murmur2 of the key"
            )

    def _bury(self, partition: TopicPartition, message: Message, fault: str) -> None:
        headers = {
            **message.headers,
            "marquee-id": f"{partition.topic}-{partition.partition}-{message.offset}",
            "marquee-group": self.keys.service,
            "marquee-position": f"{partition}:{message.offset}",
            "marquee-reason": fault[:500],
        }
        topic = dead(partition.topic)
        self._producer.publish([Outgoing(topic, message.key, message.value, headers)])
        telemetry.DEAD.labels(self.keys.service, partition.topic).inc()
        telemetry.log.warning("dead letter", position=headers["marquee-position"], reason=fault)

    # --- waiting and measuring

    def _stand_still(self, stop: threading.Event, error: PositionLost) -> None:
        """Read nothing more: which events are missing is for an operator to judge."""
        if "log" not in self.health.stopped:
            telemetry.log.error("the log lacks the stored position", detail=str(error))
        self.health.stopped["log"] = f"{error}; restore the log, or rebuild the store from it"
        self.health.beat = time.monotonic()
        stop.wait(1.0)

    def _wait(self, stop: threading.Event, error: Exception) -> None:
        if self.health.waiting_for is None:
            telemetry.log.warning("waiting", detail=str(error))
        self.health.waiting_for = str(error)
        self.health.beat = time.monotonic()
        stop.wait(0.25)

    def _report_lag(self, subscription: Subscription) -> None:
        if time.monotonic() - self._lag_said < LAG_SECONDS:
            return
        self._lag_said = time.monotonic()
        for partition, end in subscription.ends().items():
            lag = max(0, end - self._positions.get(partition, end))
            telemetry.LAG.labels(self.keys.service, partition.topic, partition.partition).set(lag)

    def _measure(
        self, partition: TopicPartition, events: list[tuple[int, Event]], seconds: float
    ) -> None:
        group, topic, now = self.keys.service, partition.topic, time.time()
        telemetry.STEPS.labels(group).observe(seconds)
        for _, event in events:
            telemetry.EVENTS.labels(group, topic, event.type).inc()
            age = max(0.0, now - event.time.timestamp())
            telemetry.FRESHNESS.labels(group, topic).observe(age)


def _digest(event: Event) -> bytes:
    return hashlib.blake2b(f"{event.source}\0{event.id}".encode(), digest_size=12).digest()


def create_topics(bus: Bus, partitions: int) -> None:
    """Create the topics of Marquee and their dead letters, where they do not exist."""
    topics = {MOVIES: partitions, RATINGS: partitions, MODELS: 1}
    bus.create_topics(topics | {dead(topic): 1 for topic in topics})
