"""The consumer loop of all services: a batch of a partition becomes one atomic, fenced step."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from marquee import telemetry
from marquee.bus import Bus, Message, Subscription, TopicPartition, dead
from marquee.errors import (
    BusUnavailable,
    FenceLost,
    PositionLost,
    StoreUnavailable,
)
from marquee.events import MODELS, MOVIES, RATINGS, Event
from marquee.facts import Handlers, PartitionSnapshot, chunks, prefetch
from marquee.health import Health
from marquee.letters import Read, bury, read
from marquee.step import Step
from marquee.store import Keys, Store
from marquee.window import unseen

LAG_SECONDS = 2.0
"""How often the lag is measured."""
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

    def assigned(self, partition: TopicPartition, /) -> None:
        """Take note that a partition is this consumer's from now on, or anew."""
        ...

    def between(self, partitions: frozenset[TopicPartition], /) -> None:
        """Do what is due between steps, such as re-deriving rows for a new model version."""
        ...


class Snapshots(Protocol):
    """Where facts come from when the store has none."""

    def read(self, partition: TopicPartition, /) -> PartitionSnapshot | None:
        """Return the newest snapshot of a partition, None when there is none."""
        ...


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
        reaction: Reaction,
        pace: Pace = Pace(),
    ) -> None:
        self.keys = keys
        self.topics = topics
        self.bus = bus
        self.store = store
        self.snapshots = snapshots
        self.reaction = reaction
        self.pace = pace
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
        for partition, messages in subscription.poll(0.25, self.pace.batch).items():
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
        self.reaction.assigned(partition)
        position = self.store.position(self.keys.of(partition))
        if position is not None and position < 0:  # a rebuild's fence
            raise StoreUnavailable(
                f"{partition} is being rebuilt; if no rebuild runs, rebuild it again"
            )
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
        if time.monotonic() - self._compared < self.pace.compare_seconds:
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
        reads = [read(self.bus, partition, message) for message in fresh]
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

    def _retry_or_bury(self, partition: TopicPartition, one: Read, error: Exception) -> None:
        for pause in self.pace.pauses:
            time.sleep(pause)
            self.health.beat = time.monotonic()
            try:
                self._step(partition, [one])
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
        self._step(partition, [Read(one.message, None, fault)])

    def _step(self, partition: TopicPartition, reads: list[Read]) -> None:
        keys, started = self.keys.of(partition), time.perf_counter()
        start, end = self._positions[partition], reads[-1].message.offset + 1
        for one in reads:
            if one.fault is not None:
                bury(self._producer, self.keys.service, partition, one.message, one.fault)
        step = Step(keys, self.store)
        events = list(unseen(step, reads))
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


def create_topics(bus: Bus, partitions: int) -> None:
    """Create the topics of Marquee and their dead letters, where they do not exist."""
    topics = {MOVIES: partitions, RATINGS: partitions, MODELS: 1}
    bus.create_topics(topics | {dead(topic): 1 for topic in topics})
