"""Rebuild of the facts in Redis: newest snapshot and segments of the history, then the log.

A partition is taken by its fence, like by a unit of work: the position is exchanged for a negative
number that only this rebuild knows. No unit of work gets past that; a consumer that meets it waits.
Every write checks it, so that a rebuild that was put to sleep and overtaken changes nothing when it
wakes. Values are replaced before superfluous ones are removed, and the position is written last, so
a rebuild that dies can be run again.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from marquee.bus.api import TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.decoding import DecodedMessage, decode_message
from marquee.consumer.deduplication import LOOKBACK
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.unit_of_work.update_entries import MAX_UPDATES
from marquee.errors import Conflict, FenceLost
from marquee.events import MODELS, MOVIES, RATINGS, ModelEvent
from marquee.settings import Settings
from marquee.store.api import Command
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import RedisStore
from trainer.facts.canonical import PackedFacts
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.facts.restored import packed
from trainer.history.history import History
from trainer.operations.audit_replay import GATEWAY, AuditReplay
from trainer.operations.live_reader import LiveReader
from trainer.operations.log_reader import LogReader

CHUNK = 200
"""Most keys or fields of one write."""
CHUNK_BYTES = 100_000
"""Approximate bytes of one write: it takes Redis a millisecond or two."""
FOREVER = 2**53
"""An update entry that begins there is a gap to every app, which then reads all rows again."""


T = TypeVar("T")


@dataclass(frozen=True)
class RebuiltPartition:
    """A partition of a service after its rebuild: its position, and the number of its facts."""

    service: str
    partition: TopicPartition
    position: int
    facts: int
    seconds: float


@dataclass
class PartitionContent:
    """The intended content of a service's partition.

    `changed` maps movies or users to the offsets of their last changes, `window` the digests of
    recent events to their offsets.
    """

    position: int
    facts: PackedFacts
    changed: Mapping[int, int]
    window: Mapping[bytes, int]


class Rebuilder:
    """Rebuilds services of a system; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url = settings.redis_address
        self._bus = open_bus(settings)
        self._log = LogReader(settings)
        self._store = RedisStore(url, timeout=30.0)
        self._live = LiveReader(url, settings.namespace, settings.partitions)
        self._history = History(settings.history, settings.partitions)
        self._audit = AuditReplay(settings, self._bus, self._log, self._history)
        self._token = -time.time_ns()

    def run(self, services: Sequence[str], replace: bool) -> Iterator[RebuiltPartition]:
        """Rebuild services, and yield each partition when it is done.

        Args:
            services: Names of the services.
            replace: Whether to go on if there are facts already.

        Raises:
            Conflict: There are facts already and `replace` is not set, history and log do not meet,
                or another rebuild began meanwhile.
            StoreUnavailable: Redis does not answer.
        """
        partitions = [
            TopicPartition(topic, number)
            for topic in (MOVIES, RATINGS)
            for number in range(self._settings.partitions)
        ]
        if not replace:
            self._check_empty(services, partitions)
        self._live.scan(services)
        for partition in partitions:
            yield from self._rebuild(partition, services)
        for service in services:
            self._set_model(service)

    def close(self) -> None:
        """Close the connections to bus and store."""
        self._log.close()
        self._bus.close()
        self._live.close()
        self._store.close()

    def _keys(self, service: str) -> Keys:
        return Keys(self._settings.namespace, service, self._settings.partitions)

    def _check_empty(self, services: Sequence[str], partitions: list[TopicPartition]) -> None:
        for service in services:
            for partition in partitions:
                position = self._store.position(self._keys(service).of(partition))
                if position is not None and position >= 0:
                    raise Conflict(
                        f"{service} {partition} holds facts at position {position};"
                        " give --replace to put all of them anew"
                    )

    def _rebuild(
        self, partition: TopicPartition, services: Sequence[str]
    ) -> Iterator[RebuiltPartition]:
        started = time.perf_counter()
        start = self._history.partition(partition.topic, partition.partition)
        self._check_contiguous(partition, start.position)
        for service in services:
            self._take(self._keys(service).of(partition))
        # Read after taking the partitions: it must contain all that consumers applied until then.
        begin, end = self._log.range(partition)
        messages = self._messages(partition, max(begin, start.position - LOOKBACK), end)
        contents: dict[FactSet, PartitionContent] = {}
        for service in services:
            fact_set = FACTS_BY_SERVICE[service][partition.topic]
            if fact_set not in contents:
                contents[fact_set] = _content(partition, fact_set, start, messages, end)
            self._write(self._keys(service).of(partition), fact_set, contents[fact_set])
            seconds, started = time.perf_counter() - started, time.perf_counter()
            yield RebuiltPartition(service, partition, end, len(contents[fact_set].facts), seconds)

    def _check_contiguous(self, partition: TopicPartition, position: int) -> None:
        begin, end = self._log.range(partition)
        if not begin <= position <= end:
            raise Conflict(
                f"{partition}: the history ends at {position}, but the log holds {begin} to {end}:"
                " events would be missing; restore the log or the history first"
            )

    def _messages(self, partition: TopicPartition, start: int, end: int) -> list[DecodedMessage]:
        pages = self._log.read(partition, start, end)
        return [decode_message(self._bus, partition, message) for page in pages for message in page]

    def _write(self, keys: PartitionKeys, fact_set: FactSet, content: PartitionContent) -> None:
        stored = self._live.stored_facts(keys)
        commands = chain(_commands(keys, content), _removals(keys, stored, content.facts))
        if keys.prefix == self._keys(GATEWAY).of(keys.partition).prefix:
            commands = chain(commands, self._audit.commands(keys, content.position))
        for chunk in _pages(commands):
            self._put(keys, None, chunk)
        self._put(keys, content.position, self._final_commands(keys, fact_set, content.position))

    def _put(self, keys: PartitionKeys, position: int | None, commands: list[Command]) -> None:
        try:
            self._store.write(keys, self._token, position, commands)
        except FenceLost:
            raise Conflict(f"{keys.partition}: another rebuild has begun meanwhile") from None

    def _take(self, keys: PartitionKeys) -> None:
        """Exchange the position for the token, however often a unit of work is faster."""
        while True:
            try:
                self._store.write(keys, self._store.position(keys), self._token, ())
                return
            except FenceLost:
                continue

    def _final_commands(
        self, keys: PartitionKeys, fact_set: FactSet, position: int
    ) -> list[Command]:
        """Return the commands that are written together with the position.

        Derived rows are deleted: the consumer derives them again. An update entry tells apps to
        read everything again. The topic's id is deleted too: the position counts in the topic that
        exists now.
        """
        versions = [name.decode() for name in self._store.scan(keys.versions)]
        commands: list[Command] = [("UNLINK", keys.rows(version)) for version in versions]
        commands += [("DEL", keys.versions), ("DEL", keys.complete), ("DEL", keys.log)]
        if fact_set.has_rules:
            commands.append(("SET", keys.rules_version, f"rebuilt{self._token}"))
        entry = ("from", FOREVER, "to", position, "version", "")
        return [*commands, ("XADD", keys.updates, "MAXLEN", "~", MAX_UPDATES, "*", *entry)]

    def _set_model(self, service: str) -> None:
        """Set the version that shall serve, from the log of `models`."""
        keys = self._keys(service).of(TopicPartition(MODELS, 0))
        begin, end = self._log.range(keys.partition)
        versions = [
            message.event.data
            for message in self._messages(keys.partition, begin, end)
            if isinstance(message.event, ModelEvent) and message.event.data.name == service
        ]
        if not versions:
            return
        value = versions[-1].model_dump_json()
        entry = ("from", FOREVER, "to", end, "version", "", "model", value)
        self._take(keys)
        commands: list[Command] = [("SET", keys.model, value), ("DEL", keys.log)]
        commands.append(("XADD", keys.updates, "MAXLEN", "~", MAX_UPDATES, "*", *entry))
        self._put(keys, end, commands)


def _content(
    partition: TopicPartition,
    fact_set: FactSet,
    start: PartitionFacts,
    messages: list[DecodedMessage],
    end: int,
) -> PartitionContent:
    """Return the intended content: the history's facts, with the rest of the log applied."""
    facts = packed(start, fact_set)
    start_users = frozenset(facts.users)
    changed = dict.fromkeys(facts.movies or facts.users, start.since - 1)
    changed |= dict.fromkeys(start.catalogue.removed, start.since - 1)
    known = changed.keys()
    changed |= {entity: at for entity, at in start.changed.items() if entity in known}
    replay = Replay(partition, fact_set, facts, start.position)
    replay.remember(messages, start.position)
    replay.feed(messages, end)
    changed = {e: at for e, at in changed.items() if e in facts.users or e not in start_users}
    return PartitionContent(end, facts, changed | replay.changed, replay.window)


def _commands(keys: PartitionKeys, content: PartitionContent) -> Iterator[Command]:
    facts = content.facts
    hashes = (
        (keys.movies, facts.movies),
        (keys.rules, facts.rules),
        (keys.sums, facts.sums),
        (keys.movie_texts, facts.movie_texts),
    )
    for key, values in hashes:
        for pairs in _pages(values.items()):
            yield "HSET", key, *(part for pair in pairs for part in pair)
    for listed in _pages(facts.erased.items()):
        yield "ZADD", keys.erased, *(part for digest, at in listed for part in (at, digest))
    for user_id, value in facts.users.items():
        yield "SET", keys.user(user_id), value
    yield "DEL", keys.changed
    yield "DEL", keys.window
    for changes in _pages(content.changed.items()):
        yield "ZADD", keys.changed, *(part for entity, at in changes for part in (at, entity))
    for recent in _pages(content.window.items()):
        yield "ZADD", keys.window, *(part for event, at in recent for part in (at, event))


def _removals(keys: PartitionKeys, stored: PackedFacts, wanted: PackedFacts) -> Iterator[Command]:
    hashes = (
        (keys.movies, stored.movies, wanted.movies),
        (keys.rules, stored.rules, wanted.rules),
        (keys.sums, stored.sums, wanted.sums),
    )
    for key, stored_values, wanted_values in hashes:
        for ids in _pages(stored_values.keys() - wanted_values.keys()):
            yield "HDEL", key, *ids
    for digests in _pages(stored.erased.keys() - wanted.erased.keys()):
        yield "ZREM", keys.erased, *digests
    for user_id in stored.users.keys() - wanted.users.keys():
        yield "UNLINK", keys.user(user_id)


def _pages(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield items in pages of a bounded size."""
    page: list[T] = []
    size = 0
    for item in items:
        page.append(item)
        size += _size(item)
        if len(page) >= CHUNK or size >= CHUNK_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page


def _size(item: object) -> int:
    parts = item if isinstance(item, tuple) else (item,)
    return sum(len(part) if isinstance(part, bytes | str) else 8 for part in parts)
